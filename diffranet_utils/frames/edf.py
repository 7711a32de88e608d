"""EDF of the ESRF, with one image or many: text headers in braces, each before its pixels; decoded
by FabIO.
"""

import re

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.fabio_reader import open_image, strict_fabio
from diffranet_utils.frames.headers import dectris_header, number_after, sane_header
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape

NAME = "EDF"
MAX_FRAMES = 100_000
METRES = 1e3


def detect(source):
    """Whether a file starts with a header in braces that is not SMV's.

    Parameters
    ----------
    source : source.Source
    """
    brace = re.match(rb"\s*\{", source.head[:8])
    return (
        brace is not None and b"HEADER_BYTES" not in source.head[:64] and b"=" in source.head[:2048]
    )


def count(source):
    """Number of images in a file.

    Parameters
    ----------
    source : source.Source
    """
    return _open(source).nframes


def read(source, index=0):
    """One image of a file.

    Parameters
    ----------
    source : source.Source
    index : int

    Returns
    -------
    RawImage

    Raises
    ------
    InputError
        If a header is damaged or pixels are missing.
    """
    image = _open(source)
    with strict_fabio():
        frame = image if image.nframes == 1 else image.getframe(index)
        counts = np.asarray(frame.data)
    require_shape(counts.shape if counts.ndim == 2 else (None, None))
    text = "\n".join(f"{key} = {value}" for key, value in frame.header.items())
    return RawImage(counts, _header(text))


def _open(source):
    return source.keep("edf", lambda: _checked(source))


def _checked(source):
    """FabIO's image; it would pad a short file with zeros."""
    text = source.head.decode("latin-1")
    columns, rows = (number_after(text, key) for key in ("Dim_1", "Dim_2"))
    image = open_image(source, "edf", (rows, columns))
    require(
        image.nframes <= MAX_FRAMES, f"it declares {image.nframes} images: its header is damaged"
    )
    require(
        len(source.content()) >= image.data.nbytes * image.nframes or _packs(text),
        "it is truncated",
    )
    return image


def _packs(text):
    return re.search(r"Compression\s*=\s*(?!none)\w+", text, re.IGNORECASE) is not None


def _header(text):
    """Of the ESRF's SAXS programs (metres), or of Dectris kept in a title."""
    dectris = dectris_header(text)
    pixel = number_after(text, "PSize_1")
    if pixel is None:
        return dectris
    return sane_header(
        wavelength_A=(number_after(text, "WaveLength") or 0) * 1e10,
        distance_mm=(number_after(text, "SampleDistance") or 0) * METRES,
        pixel_mm=pixel * METRES,
        beam_fast_px=number_after(text, "Center_1"),
        beam_slow_px=number_after(text, "Center_2"),
        overload=dectris.overload,
    )
