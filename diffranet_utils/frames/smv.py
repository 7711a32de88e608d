"""SMV of CCD and Timepix stations, and d*TREK: a text header in braces, then the pixels."""

import re

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.headers import number_after, sane_header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape

NAME = "SMV"
TYPES = {"unsigned_short": "u2", "unsigned short int": "u2", "short int": "i2",
    "signed_short": "i2", "mad": "u2",
         "unsigned_int": "u4", "unsigned long int": "u4", "long int": "i4", "signed_long": "i4",
         "unsigned_long": "u4",
         "unsigned char": "u1", "unsigned_char": "u1", "float ieee": "f4"}  # fmt: skip
FAR = 1.0  # edges of the detector; no beam centre in millimetres lies so far beyond it


def detect(source):
    """Whether a file starts with the header of SMV.

    Parameters
    ----------
    source : source.Source
    """
    return re.match(rb"\{\s*HEADER_BYTES", source.head[:64]) is not None


def read(source, index=0):
    """The image of a file.

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
        If the header lacks the size, or the file some pixels.
    """
    text = source.head.decode("latin-1")
    start, columns, rows = (number_after(text, key) for key in ("HEADER_BYTES", "SIZE1", "SIZE2"))
    require_shape((rows, columns))
    kind = re.search(r"(?:Data_type|(?<![A-Z_])TYPE)\s*=\s*([^;\n]+)", text)
    name = kind.group(1).strip().lower() if kind else "unsigned_short"
    require(name in TYPES, f"its pixels are of the unknown type {name[:40]}")
    packed = re.search(r"(?<![A-Z_])COMPRESSION\s*=\s*([^;\n]+)", text)
    plain = packed is None or packed.group(1).strip().lower() in ("none", "")
    require(plain, "its pixels are compressed: write it without compression")
    order = re.search(r"BYTE_ORDER\s*=\s*(\w+)", text)
    dtype = np.dtype(
        (">" if order and order.group(1).lower().startswith("big") else "<") + TYPES[name]
    )
    pixels = source.content()[int(start or 512) :][: int(rows) * int(columns) * dtype.itemsize]
    cut = (
        f"it has {len(pixels)} of {int(rows * columns) * dtype.itemsize} bytes of pixels: it is "
        "truncated"
    )
    require(len(pixels) == int(rows) * int(columns) * dtype.itemsize, cut)
    counts = np.frombuffer(pixels, dtype).reshape(int(rows), int(columns))
    return RawImage(counts.astype(dtype.newbyteorder("="), copy=False), _header(text, counts.shape))


def _header(text, shape):
    """ADSC's SMV: millimetres, and a beam centre whose x runs along the slow axis (as dxtbx reads
    it).

    Some stations write pixels instead: a centre far off the detector in millimetres that lies on it
    in pixels is one.
    """
    pixel = number_after(text, "PIXEL_SIZE")
    beam = [number_after(text, f"BEAM_CENTER_{axis}") for axis in "XY"]  # slow, fast
    if pixel and None not in beam:
        far = any(b / pixel > (1 + FAR) * n for b, n in zip(beam, shape, strict=True))
        on_it = all(0 <= b <= n for b, n in zip(beam, shape, strict=True))
        beam = beam if far and on_it else [b / pixel for b in beam]
    else:
        beam = [None, None]
    return sane_header(
        wavelength_A=number_after(text, "WAVELENGTH") or number_after(text, "SCAN_WAVELENGTH"),
        distance_mm=number_after(text, "DISTANCE"),
        pixel_mm=pixel,
        beam_fast_px=beam[1],
        beam_slow_px=beam[0],
        overload=number_after(text, "CCD_IMAGE_SATURATION")
        or number_after(text, "SATURATED_VALUE"),
        saturates=True,
    )
