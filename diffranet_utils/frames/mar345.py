"""Image plates of marresearch: mar1200, mar2300, mar345 and their like, packed, with a list of the
brightest pixels.
"""

import re

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.fabio_reader import open_image
from diffranet_utils.frames.headers import sane_header, scaled
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape

NAME = "mar345"
MAGIC = 1234  # the first word, which also tells the byte order
OLD_MAGIC = re.compile(rb"mar research|CCP4 packed image")
MAX_HIGH = 1_000_000  # brightest pixels listed apart; more is a damaged header
WORDS = {"size": 1, "n_high": 2, "n_pixels": 5, "length_um": 6, "wavelength": 8, "distance": 9}


def detect(source):
    """Whether a file starts as an image plate of marresearch does.

    Parameters
    ----------
    source : source.Source
    """
    return _order(source.head) is not None and OLD_MAGIC.search(source.head[:8192]) is not None


def read(source, index=0):
    """The image of a file, decoded by FabIO.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage

    Raises
    ------
    InputError
        If the header is damaged or pixels are missing.
    """
    head = source.head
    words = np.frombuffer(head[:64], _order(head) + "i4")
    size, n_high = int(words[WORDS["size"]]), int(words[WORDS["n_high"]])
    require_shape((size, size))
    require(0 <= n_high <= MAX_HIGH, f"it declares {n_high} bright pixels: its header is damaged")
    packed = re.search(rb"CCP4 packed image, X:\s*(\d+), Y:\s*(\d+)", source.content())
    if packed is not None:
        require_shape((int(packed.group(2)), int(packed.group(1))))
    counts = np.asarray(open_image(source, "mar345").data)
    require(
        counts.shape == (size, size),
        f"it holds {counts.shape[0]} x {counts.shape[1]} of {size} x {size} pixels",
    )
    return RawImage(counts, _header(head, words))


def _order(head):
    for order in "<>":
        if len(head) >= 4 and np.frombuffer(head[:4], order + "i4")[0] == MAGIC:
            return order
    return None


def _header(head, words):
    """Lines such as ``CENTER X 600.000  Y 600.000``; micrometres in the words before."""
    text = head[:4096].decode("latin-1")
    center = re.search(r"CENTER\s+X\s+([\d.]+)\s+Y\s+([\d.]+)", text)
    return sane_header(
        wavelength_A=_after(text, "WAVELENGTH"),
        distance_mm=_after(text, "DISTANCE"),
        pixel_mm=scaled(float(words[WORDS["length_um"]]), 1e-3),
        beam_fast_px=float(center.group(1)) if center else None,
        beam_slow_px=float(center.group(2)) if center else None,
        overload=250_000.0,  # the scanner's converter ends there
        saturates=True,
    )


def _after(text, key):
    found = re.search(rf"^{key}\s+([\d.]+)", text, re.MULTILINE)
    return float(found.group(1)) if found else None
