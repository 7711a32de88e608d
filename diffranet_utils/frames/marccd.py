"""MarCCD and Rayonix: a TIFF with the station's values in a binary block before the pixels."""

import struct
from dataclasses import replace

from diffranet_utils.frames import tiff
from diffranet_utils.frames.headers import sane_header

NAME = "MarCCD"
BLOCK = 1024  # where the station's values begin
MAGIC = slice(BLOCK + 4, BLOCK + 7)
# Bytes from the start of the block: format and statistics, goniostat, detector, source.
OVERLOAD, DISTANCE_UM, BEAM_X, BEAM_Y, PIXEL_NM, WAVELENGTH_FM = 104, 640, 644, 648, 772, 908


def detect(source):
    """Whether a file is a TIFF with the block of marresearch's CCD.

    Parameters
    ----------
    source : source.Source
    """
    return tiff.detect(source) and source.head[MAGIC] == b"MMX"


def read(source, index=0):
    """The image of a file; see `tiff.read`.

    Parameters
    ----------
    source : source.Source
    index : int
        Zero: there is one.

    Returns
    -------
    RawImage
    """
    return replace(tiff.read(source, index), header=_header(source.head))


def _header(head):
    """Micrometres, nanometres, femtometres and thousandths of a pixel."""
    order = "<" if head[:2] == b"II" else ">"

    def word(place):
        return struct.unpack_from(order + "I", head, BLOCK + place)[0]

    return sane_header(
        wavelength_A=word(WAVELENGTH_FM) * 1e-5,
        distance_mm=word(DISTANCE_UM) * 1e-3,
        pixel_mm=word(PIXEL_NM) * 1e-6,
        beam_fast_px=word(BEAM_X) * 1e-3,
        beam_slow_px=word(BEAM_Y) * 1e-3,
        overload=word(OVERLOAD),
        saturates=True,
    )
