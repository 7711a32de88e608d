"""TIFF and BigTIFF, every page an image; read by tifffile, or by Pillow where tifffile lacks a
codec.
"""

import io
import zlib

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.headers import dectris_header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import MAX_PIXELS, require_shape

NAME = "TIFF"
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PLAIN, DEFLATE = (1,), (8, 32946)
REDUCED = 1  # bit of NewSubfileType: a small copy of another page
MAX_PAGES = 100_000
WRAPPED_BELOW = -16_384  # half of the negative 16-bit numbers
BRIGHT, BRIGHT_COUNTS = (
    2.0,
    100.0,
)  # a spot that wraps is surrounded by more than so many medians and counts


def detect(source):
    """Whether a file starts as TIFF or BigTIFF does.

    Parameters
    ----------
    source : source.Source
    """
    return source.head[:4] in MAGICS


def count(source):
    """Number of images: pages as large as the first, small copies left out.

    Parameters
    ----------
    source : source.Source
    """
    return len(_pages(source))


def read(source, index=0):
    """One page of a file.

    Parameters
    ----------
    source : source.Source
    index : int
        Which of the pages that `count` counts.

    Returns
    -------
    RawImage
        16-bit numbers that a file calls signed though counts wrapped around in them are made
        unsigned again.

    Raises
    ------
    InputError
        If a page is no greyscale image, or damaged.
    """
    page = _pages(source)[index]
    counts = _pixels(source, page)
    if counts.dtype == np.int16 and wrapped(counts):
        counts = counts.view(np.uint16)
    return RawImage(counts, dectris_header(source.head.decode("latin-1")))


def wrapped(counts):
    """Whether 16-bit counts above 32767 became negative: far below zero, and in the middle of
    bright pixels.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast), int16
    """
    if counts.min() >= WRAPPED_BELOW:
        return False
    left, right = counts[:, :-1], counts[:, 1:]
    around = np.concatenate([right[(left < -2) & (right >= 0)], left[(right < -2) & (left >= 0)]])
    return (
        around.size > 0
        and float(np.median(around)) > BRIGHT * float(np.median(counts)) + BRIGHT_COUNTS
    )


def _pages(source):
    return source.keep("pages", lambda: _images(source))


def _images(source):
    """Pages that hold images of the first one's size, checked against the sizes that they
    declare.
    """
    import tifffile

    file = source.enter(tifffile.TiffFile(source.stream()))
    first = file.pages.first
    require(
        len(file.pages) <= MAX_PAGES, f"it has {len(file.pages)} pages: its directory is damaged"
    )
    pages = [
        page
        for page in file.pages
        if _size(page) == _size(first) and not int(page.subfiletype or 0) & REDUCED
    ]
    pages = pages or [first]
    require_shape(_size(first))
    grey = first.samplesperpixel == 1
    require(grey, f"it holds an array of shape {first.shape}: give a greyscale image")
    return pages


def _size(page):
    return page.imagelength, page.imagewidth


def _pixels(source, page):
    """Counts of a page; missing strips and bytes are refused, which a reader would fill with
    zeros.
    """
    require_shape(_size(page))
    require(page.dtype is not None, f"its pixels have {page.bitspersample} bits: write 8, 16 or 32")
    stream = source.stream()
    n_bytes = stream.seek(0, io.SEEK_END)
    pairs = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    there = bool(pairs) and all(start > 0 and n > 0 and start + n <= n_bytes for start, n in pairs)
    require(there, "it is truncated: a part of the image lies beyond its end")
    stored = _size(page)[0] * _size(page)[1] * page.bitspersample // 8
    code = int(page.compression)
    if code in PLAIN:
        require(sum(n for _, n in pairs) >= stored, "it declares more pixels than it holds")
    elif code in DEFLATE:
        _check_deflate(stream, pairs, _segment_bytes(page))
    try:
        counts = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error) and "requires" not in str(error):
            raise
        counts = _by_pillow(stream, page.index)
    return np.ascontiguousarray(counts).reshape(_size(page))


def _segment_bytes(page):
    """Bytes of a strip or tile, unpacked."""
    rows, columns = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    )
    size = min(int(rows), page.imagelength if not page.is_tiled else int(rows)) * int(columns)
    require(size <= MAX_PIXELS, "its strips are larger than the image: its header is damaged")
    return size * page.bitspersample // 8


def _check_deflate(stream, pairs, most):
    """Refuse a strip that unpacks to more than it can hold, before a reader unpacks it to all
    memory.
    """
    for start, n in pairs:
        stream.seek(start)
        unpacker = zlib.decompressobj()
        size = len(unpacker.decompress(stream.read(n), most + 1))
        require(size <= most, f"a strip unpacks to more than the {most} bytes that it can hold")


def _by_pillow(stream, index):
    from PIL import Image

    stream.seek(0)
    with Image.open(stream, formats=("TIFF",)) as image:
        image.seek(index)
        return np.asarray(image)
