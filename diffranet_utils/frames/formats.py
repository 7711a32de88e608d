"""From a file of a detector to an array of counts and what the header says about the experiment.

SMV, EDF, MarCCD and TIFF are decoded by FabIO (Knudsen et al., 2013, doi:10.1107/S0021889813000150), HDF5 of an EIGER
by h5py, CBF of one image by `cbf_binary` and of many tiles by `imgcif`; gzip and bzip2 are unpacked on the way.
Sizes are checked before anything is decoded, so a damaged header cannot ask for a terabyte.
"""

import bisect
import bz2
import gzip
import io
import itertools
import logging
import os
import re
import stat
import struct
from contextlib import contextmanager, suppress
from pathlib import Path

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import cbf as cbf_binary
from diffranet_utils.frames import imgcif
from diffranet_utils.frames.cbf import MAX_PIXELS
from diffranet_utils.frames.headers import header_of, n_stored, nexus_header, number_after, require_stored

MIN_EDGE = 16  # pixels; less than the neighbourhood in which a spot is looked for is no detector
MAX_BYTES = 1_000_000_000
HEAD_BYTES = 16_384
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
KNOWN = "CBF, SMV, EDF, MarCCD, TIFF or EIGER HDF5"


def load(path, index=0):
    """Read one image of a file.

    Parameters
    ----------
    path : path-like
    index : int
        Which image, in a file that holds several.

    Returns
    -------
    counts : ndarray, shape (n_slow, n_fast)
        As stored: any integer or float type.
    header : Header
    bad : ndarray, shape (n_slow, n_fast), bool, or None
        Pixels that the file itself declares bad.

    Raises
    ------
    InputError
        One line, if the file is missing, not a regular file, empty, truncated, damaged, too large or no image.
    """
    size = _checked_size(path)
    try:
        with _strict_fabio():
            counts, header, bad = _load_hdf5(path, index) if _is_hdf5(path) else _load_bytes(path, size, index)
    except InputError as error:
        name, reason = one_line(path), one_line(error)
        raise InputError(reason if name in reason else f"Cannot read {name}: {reason}.") from error
    except (MemoryError, Exception) as error:  # decoders raise anything on damaged bytes
        name, reason = one_line(path), one_line(error)[:120] or type(error).__name__
        raise InputError(f"Cannot read {name}: {reason}. The file is damaged or truncated; copy it again.") from error
    _check_image(path, counts)
    return counts, header, bad


def _check_image(path, counts):
    name, shape = one_line(path), counts.shape
    require(len(shape) == 2, f"{name} holds an array of shape {shape}: give a greyscale image.")
    require(counts.dtype.kind in "iuf", f"{name} holds values of type {counts.dtype}: give counts.")
    too_small = f"{name} is an image of {shape[0]} x {shape[1]} pixels: a frame has at least {MIN_EDGE} x {MIN_EDGE}."
    require(min(shape) >= MIN_EDGE, too_small)


def n_images(path):
    """Number of images in a file: more than one only for HDF5, where those count whose data are there.

    A header of 3 kB can declare a billion images. Errors as for `load`.
    """
    _checked_size(path)
    if not _is_hdf5(path):
        return 1
    try:
        with _open_hdf5(path) as stacks:
            return sum(n_stored(stack) for stack in stacks)
    except InputError:
        raise
    except Exception as error:  # h5py raises anything on damaged bytes
        raise InputError(f"Cannot read {one_line(path)}: {one_line(error)[:120]}. Copy it again.") from error


def linked_files(path):
    """Data files that the master file of an EIGER names, as a list of Path; empty for any other file."""
    import h5py

    if not Path(path).is_file():  # HDF5 would wait for ever at a FIFO
        return []
    try:
        with h5py.File(path, "r") as file:
            group = file["entry/data"]
            links = [group.get(key, getlink=True) for key in group]
            return [Path(path).parent / link.filename for link in links if isinstance(link, h5py.ExternalLink)]
    except Exception:  # no HDF5, damaged, or without such a group: it names nothing
        return []


def is_complete(path):
    """Whether all images that an HDF5 file declares are there, also in the data files that it names."""
    try:
        there = all(file.is_file() for file in linked_files(path))
        with _open_hdf5(path) as stacks:
            return there and all(0 < len(stack) == n_stored(stack) for stack in stacks)
    except Exception:  # still being written
        return False


def one_line(error):
    """An error or path in one line without what a terminal cannot print: damaged bytes end up in messages."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())


def _checked_size(path):
    """Size in bytes of a regular, non-empty file; looking at a FIFO this way does not wait for it."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot read {one_line(path)}: {reason}. Check the name.") from error
    name = one_line(path)
    folder = f"{name} is a folder, not a frame: give frames, or a folder that holds them directly."
    require(not stat.S_ISDIR(status.st_mode), folder)
    require(stat.S_ISREG(status.st_mode), f"{name} is not a regular file: give an image, {KNOWN}.")
    require(status.st_size > 0, f"{name} is empty: copy it again.")
    return status.st_size


def _is_hdf5(path):
    with open(path, "rb") as handle:
        return handle.read(8) == HDF5_MAGIC


class _RaiseErrors(logging.Handler):
    """Turns what FabIO only logs (a wrong checksum, say) into an exception."""

    def emit(self, record):
        raise ValueError(record.getMessage())


@contextmanager
def _strict_fabio():
    logger, handler = logging.getLogger("fabio"), _RaiseErrors(logging.ERROR)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _load_bytes(path, size, index):
    from fabio import fabioformats

    require(index == 0, f"{path} holds one image: there is no image {index}.")
    require(size <= MAX_BYTES, f"{path} has {size} bytes: more than {MAX_BYTES} is no single image.")
    content = _unpack(path, Path(path).read_bytes())
    name = _format_of(content)
    require(name is not None, f"{path} is not an image of a known format: give {KNOWN}.")
    if name == "cbf":  # FabIO's reader never returns from some damaged headers
        return imgcif.read(content) if imgcif.is_imgcif(content) else _plain_cbf(path, content)
    _check_shape(path, _declared_shape(name, content))
    image = fabioformats.factory(f"{name}image")
    image.read(io.BytesIO(content))
    require(image.data is not None, f"{path} holds no image: copy it again.")
    if name == "edf":  # FabIO pads a short EDF with zeros
        require(len(content) >= image.data.nbytes, f"{path} is truncated: copy it again.")
    return image.data, header_of(name, content[:HEAD_BYTES]), None


def _plain_cbf(path, content):
    """Counts and header of a CBF with one image and the maker's own header text, as a PILATUS writes it."""
    found = cbf_binary.sections(content)
    require(len(found) > 0, f"{path} holds no whole image: copy it again.")
    _check_shape(path, found[0].shape[1:])
    return cbf_binary.decode(found[0])[0], header_of("cbf", content[:HEAD_BYTES]), None


def _unpack(path, content):
    opener = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}.get(content[:2])
    if opener is None:
        return content
    with opener(io.BytesIO(content)) as stream:
        content = stream.read(MAX_BYTES + 1)
    require(len(content) <= MAX_BYTES, f"{path} unpacks to more than {MAX_BYTES} bytes: that is no single image.")
    return content


def _format_of(content):
    """FabIO's name of the format, from the first bytes: a file name can lie."""
    if content[:3] == b"###" or content[:5].lower() == b"data_":
        return "cbf"
    if content[:4] in (b"II*\0", b"MM\0*"):
        return "marccd" if content[1028:1031] == b"MMX" else "tif"
    if re.match(rb"\{\s*HEADER_BYTES", content[:64]):
        return "dtrek"
    return "edf" if re.match(rb"\s*\{", content[:8]) else None


def _declared_shape(name, content):
    """(rows, columns) that a header declares."""
    if name in ("tif", "marccd"):
        return _tiff_shape(content)
    columns, rows = {
        "dtrek": ("SIZE1", "SIZE2"),
        "edf": ("Dim_1", "Dim_2"),
    }[name]
    text = content[:HEAD_BYTES].decode("latin-1")
    return number_after(text, rows), number_after(text, columns)


def _tiff_shape(content):
    order = "<" if content[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", content, 4)
    (n_entries,) = struct.unpack_from(order + "H", content, start)
    found = {}
    for k in range(n_entries):
        tag, kind, _, value = struct.unpack_from(order + "HHI4s", content, start + 2 + 12 * k)
        if tag in (256, 257):  # ImageWidth and ImageLength
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), value)
    return found.get(257), found.get(256)


def _check_shape(path, shape):
    there = all(n is not None and n >= 1 for n in shape)
    require(there, f"{path} declares an image of {shape[0]} x {shape[1]} pixels: its header is damaged.")
    large = f"{path} declares an image of {shape[0]:.0f} x {shape[1]:.0f} pixels: its header is damaged, or bin the \
image to at most {MAX_PIXELS // 10**6} megapixels."
    require(shape[0] * shape[1] <= MAX_PIXELS, large)


@contextmanager
def _open_hdf5(path):
    """Open the image stacks of an EIGER or NeXus file; ``.file`` of a stack is its file."""
    import h5py

    with suppress(ImportError):
        import hdf5plugin  # noqa: F401  registers the compression of the EIGER
    with h5py.File(path, "r") as file:
        group = file.get("entry/data", file.get("entry"))
        require(group is not None, f"{path} is HDF5 without /entry/data: give the master file of an EIGER.")
        keys = [] if isinstance(group, h5py.Dataset) else [k for k in sorted(group) if k[:4] == "data"]
        found = [_follow_link(path, group, k) for k in keys] or [group]
        stacks = [d for d in found if isinstance(d, h5py.Dataset) and d.ndim == 3]
        require(stacks, f"{path} links to no image stack: keep the data files beside the master file.")
        yield stacks


def _follow_link(path, group, key):
    """What a key of a group stands for, or None; HDF5 would wait for ever at a link to a FIFO."""
    target = Path(path).parent / getattr(group.get(key, getlink=True), "filename", "")
    return None if target.exists() and not (target.is_file() or target.is_dir()) else group.get(key)


def _load_hdf5(path, index):
    with _open_hdf5(path) as stacks:
        sizes = [n_stored(stack) for stack in stacks]
        require(sum(sizes) > 0, f"{path} holds no image: the file is not complete, copy it again.")
        require(0 <= index < sum(sizes), f"{path} holds {sum(sizes)} images: there is no image {index}.")
        ends = list(itertools.accumulate(sizes))
        number = bisect.bisect_right(ends, index)
        stack, wanted = stacks[number], index - ends[number] + sizes[number]
        _check_shape(path, stack.shape[1:])
        require_stored(path, stack, wanted)
        import h5py

        with h5py.File(path, "r") as file:
            return stack[wanted], nexus_header(file), _nexus_bad(file, stack.shape[1:])


def _nexus_bad(file, shape):
    mask = file.get(
        "entry/instrument/detector/detectorSpecific/pixel_mask", file.get("entry/instrument/detector/pixel_mask")
    )
    return mask[()] != 0 if mask is not None and mask.shape == shape else None
