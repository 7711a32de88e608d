"""Decode JPEG and PNG, refusing in one line what the networks cannot take."""

import io

import numpy as np
from PIL import Image, ImageOps

from diffranet_utils.core.errors import InputError, require

from .preprocess import CROP


def decode_picture(content, name, smallest=CROP):
    """Decode a JPEG or PNG to 8-bit RGB.

    Parameters
    ----------
    content : bytes
    name : str
        What to call it in a message.
    smallest : int
        Least width and height, pixels.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8

    Raises
    ------
    InputError
        If it cannot be decoded, is CMYK, has 16 bits, is animated, or is too small.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            reason = _refusal(image, content, smallest)
            require(reason is None, f"{name} is left out: {reason}. Convert it first.")
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is left out: not a whole JPEG or PNG. Fetch it again.") from error


def _refusal(image, content, smallest):
    """Say in a few words why a picture is not taken, or None."""
    if image.mode in ("CMYK", "YCCK"):
        return "CMYK"
    deep_png = image.format == "PNG" and len(content) > 24 and content[24] == 16
    if deep_png or image.mode.startswith(("I", "F")):
        return "16-bit"
    if getattr(image, "n_frames", 1) > 1:
        return "animated"
    if min(image.size) < smallest:
        return f"smaller than {smallest} pixels"
    return None
