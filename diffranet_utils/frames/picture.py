"""Grey pictures, PNG and PGM, as the simulator writes them."""

import struct

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.headers import Header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape

SATURATED = {"u1": 255.0, "u2": 65_535.0}


def read_by_pillow(source, kind, shape):
    """The picture of a file, decoded by Pillow after its size was checked.

    Parameters
    ----------
    source : source.Source
    kind : str
        Pillow's name of the format.
    shape : tuple of 2 int
        Rows and columns that the header declares.

    Returns
    -------
    RawImage

    Raises
    ------
    InputError
        If it is in colour or damaged.
    """
    from PIL import Image

    require_shape(shape)
    with Image.open(source.stream(), formats=(kind,)) as image:
        counts = np.asarray(image)
    if counts.ndim == 3 and (counts[..., :1] == counts[..., :3]).all():
        counts = np.ascontiguousarray(counts[..., 0])  # grey, written as if it had colours
    if counts.dtype == np.int32:  # Pillow's way with 16 bits
        counts = counts.astype(np.uint16)
    require(counts.ndim == 2, f"it holds an array of shape {counts.shape}: give a greyscale image")
    require(counts.dtype.kind == "u", "its pixels are black or white: give a greyscale image")
    return RawImage(counts, Header(overload=SATURATED.get(counts.dtype.str[1:]), saturates=True))


def png_shape(head):
    """Rows and columns that a PNG declares."""
    columns, rows = struct.unpack_from(">II", head, 16)
    return rows, columns
