"""Portable Greymap, 8 or 16 bits: the format of the simulator."""

import re

from diffranet_utils.core.errors import require
from diffranet_utils.frames.picture import read_by_pillow

NAME = "PGM"
HEADER = re.compile(
    rb"P[25]\s(?:\s*#[^\n]*\n)*\s*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s"
)


def detect(source):
    """Whether a file starts as a grey picture of Netpbm does.

    Parameters
    ----------
    source : source.Source
    """
    return re.match(rb"P[25]\s", source.head) is not None


def read(source, index=0):
    """The image of a file; see `picture.read_by_pillow`.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage
    """
    declared = HEADER.match(source.head)
    require(declared is not None, "its header lacks the size: it is damaged")
    columns, rows, most = (int(n) for n in declared.groups())
    if source.head[:2] == b"P5":
        n_bytes = rows * columns * (2 if most > 255 else 1)
        require(len(source.content()) >= n_bytes, "it is truncated")
    return read_by_pillow(source, "PPM", (rows, columns))
