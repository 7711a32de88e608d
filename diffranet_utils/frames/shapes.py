"""Which sizes of an image are a detector's, checked before anything is decoded: a damaged header
asks for terabytes.
"""

import math

from diffranet_utils.core.errors import require

MIN_EDGE = 16  # pixels; less than the neighbourhood in which a spot is looked for is no detector
MAX_PIXELS = 20_000_000  # an EIGER 16M has 18.1 million; a frame of this size is judged within 10 s


def require_shape(shape):
    """Refuse a declared image without pixels, or with more than any detector has.

    Parameters
    ----------
    shape : tuple of 2 numbers or None
        Rows and columns.

    Raises
    ------
    InputError
    """
    whole = all(n is not None and math.isfinite(n) and n >= 1 for n in shape)
    require(whole, f"it declares an image of {shape[0]} x {shape[1]} pixels: its header is damaged")
    large = f"it declares an image of {shape[0]:.0f} x {shape[1]:.0f} pixels: its header is \
damaged, or bin the image \
to at most {MAX_PIXELS // 10**6} megapixels"
    require(shape[0] * shape[1] <= MAX_PIXELS, large)
