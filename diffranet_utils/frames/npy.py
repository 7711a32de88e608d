"""NumPy arrays: one image, or a stack along the first axis; nothing is unpickled."""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape
from diffranet_utils.frames.stacks import Stack

NAME = "NumPy array"


def detect(source):
    """Whether a file starts as `numpy.save` writes it.

    Parameters
    ----------
    source : source.Source
    """
    return source.head[:6] == b"\x93NUMPY"


def stack(source):
    """The array of a file as a `stacks.Stack`; it stays on disk until an image is read.

    Parameters
    ----------
    source : source.Source

    Raises
    ------
    InputError
        If it is no array of numbers, or cut short.
    """
    return source.keep("npy", lambda: Stack(_array(source)))


def count(source):
    """Number of images in a file.

    Parameters
    ----------
    source : source.Source
    """
    return len(stack(source))


def read(source, index=0):
    """One image of a file.

    Parameters
    ----------
    source : source.Source
    index : int

    Returns
    -------
    RawImage
    """
    found = stack(source)
    return RawImage(found.image(index), notes=found.notes)


def _array(source):
    if source.is_packed:
        array = np.load(source.stream(), allow_pickle=False)
    else:
        array = np.load(source.path, mmap_mode="r", allow_pickle=False)
    require(array.dtype.kind in "iuf", f"it holds values of type {array.dtype}: give counts")
    require(array.ndim >= 2, f"it holds an array of shape {array.shape}: give images")
    require_shape(array.shape[-2:])
    return array
