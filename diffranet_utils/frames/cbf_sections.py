"""The binary sections of a CBF file, compressed as CBFlib does (International Tables for
Crystallography G, 5.6).
"""

import base64
import hashlib
import re
from dataclasses import dataclass

import numpy as np
from numba import njit

from diffranet_utils.core.errors import require
from diffranet_utils.frames.shapes import MAX_PIXELS

SECTION = b"--CIF-BINARY-FORMAT-SECTION--"
MAGIC = b"\x0c\x1a\x04\xd5"  # ends the text of a section's header; the bytes follow
PACKED_BITS = np.array([0, 4, 5, 6, 7, 8, 16, 65])
PACKED_V2_BITS = np.array([0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 65])
SPARE = 9  # bytes after the last
MAX_HEAD = 10_000  # bytes of a section's header
PACKED_START = 32  # bytes: number, smallest and largest element, and a reserved word
TYPES = {"unsigned 8": "u1", "signed 8": "i1", "unsigned 16": "<u2", "signed 16": "<i2",
    "unsigned 32": "<u4",
         "signed 32": "<i4", "real 32": "<f4", "real 64": "<f8"}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One binary section, not yet decoded.

    Parameters
    ----------
    number : int
        Its X-Binary-ID.
    shape : tuple of 3 int
        Sections, rows, columns; (0, 0, 0) where only a table of the file tells.
    compression : str
        Such as ``x-cbf_packed``, in lower case.
    dtype : numpy.dtype
        Of the elements.
    content : bytes
        As stored.
    flags : str
        Rest of the line that names the compression.
    """

    number: int
    shape: tuple
    compression: str
    dtype: np.dtype
    content: bytes
    flags: str = ""

    @property
    def size(self):
        """Number of elements."""
        return int(np.prod(self.shape))


def sections(content, most=None):
    """The binary sections of a file, checked against the sizes and checksums that they declare.

    Parameters
    ----------
    content : bytes
    most : int, optional
        Stop after so many.

    Returns
    -------
    list of Section

    Raises
    ------
    InputError
        If a section is cut short, its checksum wrong or its type unknown.
    """
    found, place = [], content.find(SECTION)
    while place >= 0 and len(found) != most:
        start = content.find(MAGIC, place, place + MAX_HEAD) + len(MAGIC)
        if start < len(MAGIC):
            break
        head = content[place:start].decode("latin-1")
        stop = start + max(_field(head, "X-Binary-Size") or 0, 0)
        found.append(_section(head, content[start:stop], stop - start))
        end = content.find(SECTION, stop)  # the mark that ends this one
        place = content.find(SECTION, end + 1) if end >= 0 else -1
    return found


def _section(head, content, size):
    require(len(content) == size, f"a binary section has {len(content)} of {size} bytes")
    checksum = re.search(r"Content-MD5:\s*(\S+)", head)
    if checksum:
        same = base64.b64encode(
            hashlib.md5(content, usedforsecurity=False).digest()
        ).decode() == checksum.group(1)
        require(same, "a binary section does not match its checksum")
    dtype = _dtype(head)
    conversion = re.search(r'conversions\s*=\s*"([^"]+)"([^\n]*)', head)
    name, flags = (
        (conversion.group(1).lower(), conversion.group(2).lower()) if conversion else ("none", "")
    )
    sizes = (
        _field(head, f"X-Binary-Size-{axis}-Dimension") for axis in ("Third", "Second", "Fastest")
    )
    shape = tuple(1 if size is None else size for size in sizes)
    if _field(head, "X-Binary-Size-Fastest-Dimension") is None:
        shape = (0, 0, 0)
    else:
        require_shape(shape)
    return Section(_field(head, "X-Binary-ID") or 1, shape, name, dtype, content, flags)


def require_shape(shape):
    """Refuse sections, rows and columns that no detector has.

    Raises
    ------
    InputError
    """
    fine = min(shape) >= 1 and np.prod(shape, dtype=float) <= MAX_PIXELS
    require(fine, f"a binary section declares {shape} elements")


def _dtype(head):
    kind = re.search(r'X-Binary-Element-Type:\s*"([a-z]+) (\d+)-bit (real)?', head)
    name = f"{kind.group(3) or kind.group(1)} {kind.group(2)}" if kind else ""
    require(name in TYPES, "a binary section holds elements of an unknown type")
    encoding = re.search(r"Content-Transfer-Encoding:\s*(\S+)", head)
    binary = encoding is None or encoding.group(1).upper() == "BINARY"
    require(binary, "its pixels are written as text: convert it with cbf2cbf -e none")
    dtype = np.dtype(TYPES[name])
    return dtype.newbyteorder(">") if "BIG_ENDIAN" in head else dtype


def _field(head, name):
    found = re.search(rf"{name}:\s*(-?\d+)", head)
    return int(found.group(1)) if found else None


def decode(section):
    """Elements of a section.

    Parameters
    ----------
    section : Section

    Returns
    -------
    ndarray, shape `section.shape`, integer

    Raises
    ------
    InputError
        If the compression is unknown or the bytes do not hold that many elements.
    """
    if section.compression == "x-cbf_byte_offset":
        values = _undo_byte_offset(section)
    elif section.compression in ("x-cbf_packed", "x-cbf_packed_v2"):
        values = _unpack(section)
    else:
        require(
            section.compression == "none",
            f"the compression {section.compression[:40]} is not supported",
        )
        values = np.frombuffer(
            section.content[: section.size * section.dtype.itemsize], section.dtype
        )
        values = values.astype(section.dtype.newbyteorder("="), copy=False)
    require(
        len(values) == section.size,
        f"a binary section holds {len(values)} of {section.size} elements",
    )
    return values.reshape(section.shape)


def _undo_byte_offset(section):
    require(section.dtype.kind in "iu", "byte offsets of real numbers are not supported")
    values = np.empty(section.size, np.uint32 if section.dtype == np.uint32 else np.int32)
    n = _add_offsets(np.frombuffer(section.content, np.int8), values)
    return values[:n]


@njit(cache=True, nogil=True)
def _add_offsets(stream, values):
    """Sums of differences of one byte, or of two, four or eight after the smallest number of the
    size before.

    Returns how many values the stream holds.
    """
    last, place, done, size = np.int64(0), 0, 0, stream.size
    while done < values.size and place < size:
        step = np.int64(stream[place])
        place += 1
        if step == -128:
            step, place = _wide_offset(stream, place)
            if place > size:
                break
        last += step
        values[done] = last
        done += 1
    return done


@njit(cache=True, nogil=True)
def _wide_offset(stream, place):
    """A difference of more than a byte and the place after it, which is beyond the end if the
    stream is cut.
    """
    for n_bytes in (2, 4, 8):
        if place + n_bytes > stream.size:
            return np.int64(0), stream.size + 1
        step = np.int64(stream[place + n_bytes - 1])  # the highest byte brings the sign
        for k in range(n_bytes - 2, -1, -1):
            step = (step << 8) | (np.int64(stream[place + k]) & 255)
        place += n_bytes
        if n_bytes == 8 or step != -(np.int64(1) << (8 * n_bytes - 1)):
            return step, place
    return np.int64(0), stream.size + 1


def _unpack(section):
    """Elements of a packed section: runs of differences from the mean of neighbours, few bits
    each.
    """
    second = section.compression.endswith("v2")
    bits = PACKED_V2_BITS if second else PACKED_BITS
    stream = np.frombuffer(section.content, np.uint8)[PACKED_START:]
    stream = np.concatenate(
        [stream, np.zeros(SPARE, np.uint8)]
    )  # the last bits may be read as part of a word
    values = np.zeros(section.size, np.int64)
    linked, flat = "uncorrelated" not in section.flags, "flat" in section.flags
    require(section.dtype.kind in "iu", "packed real numbers are not supported")
    n = _unpack_bits(
        stream,
        7 if second else 6,
        bits,
        section.shape,
        linked,
        flat,
        8 * section.dtype.itemsize,
        values,
    )
    values = values[:n]  # arithmetic is modulo the element's size
    return values.astype(section.dtype.newbyteorder("=").str.replace("<", ""))


@njit(cache=True, nogil=True)
def _unpack_bits(stream, code_bits, bits, shape, linked, flat, word_bits, values):  # noqa: PLR0913 - compiled
    n_bits, place, done = 8 * (stream.size - SPARE), 0, 0
    while done < values.size and place + code_bits <= n_bits:
        code = _read_bits(stream, place, code_bits)
        place += code_bits
        width = bits[code >> 3]
        run = min(1 << (code & 7), values.size - done)
        if place + width * run > n_bits:
            break
        for _ in range(run):
            n = min(
                width, word_bits
            )  # what the widest difference has beyond its element is not used
            difference = _read_bits(stream, place, n)
            place += width
            if n and difference >> (n - 1):
                difference -= np.int64(1) << n
            values[done] = _expected(values, done, shape, linked, flat) + difference
            done += 1
    return done


@njit(cache=True, nogil=True)
def _read_bits(stream, place, n):
    """The next `n` bits, at most 32, the lowest first, as an unsigned number."""
    word, first = np.int64(0), place >> 3
    for k in range(5):
        word |= np.int64(stream[first + k]) << (8 * k)
    return (word >> (place & 7)) & ((np.int64(1) << n) - 1)


@njit(cache=True, nogil=True)
def _expected(values, k, shape, linked, flat):
    """Rounded mean of the neighbours that come before element `k` in its section and in the one
    before.
    """
    rows, columns = shape[1], shape[2]
    column, row, plane = k % columns, k // columns % rows, k // (columns * rows)
    if k == 0:
        return np.int64(0)
    if flat or (row == 0 and column > 0):
        return values[k - 1]
    area = rows * columns
    if row == 0:
        return values[k - area]
    total = values[k - columns]  # above
    other, n = total, 1
    if column == 0:
        total += values[k - columns + 1]
        n = 2
    elif column == columns - 1:
        total += values[k - 1]
        n = 2
    else:
        total += values[k - 1] + values[k - columns - 1] + values[k - columns + 1]
        n = 4
    if linked and plane > 0:
        other = values[k - columns - area]
        if column == 0:
            other += values[k - columns + 1 - area]
        elif column == columns - 1:
            other += values[k - area]
        else:
            other += (
                values[k - area] + values[k - columns - 1 - area] + values[k - columns + 1 - area]
            )
        total, n = total + other, 2 * n
    return (total + n // 2) >> (1 if n == 2 else 2 if n == 4 else 3)
