"""What the header of a detector file says about the experiment, in one set of units.

Each maker writes millimetres, metres, micrometres or thousandths of a pixel; `Header` has one unit
for each, and None where the file is silent or says zero.
"""

import re
from dataclasses import dataclass

import numpy as np

NUMBER = r"\s*[=:]?\s*\(?\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True)
class Header:
    """What the header tells about the experiment; None where it does not.

    Parameters
    ----------
    wavelength_A, distance_mm, pixel_mm : float or None
    beam_fast_px, beam_slow_px : float or None
        Direct beam, in pixels along the fast and slow axis.
    overload : float or None
        Counts from which a pixel cannot be trusted.
    bit_depth : int or None
        Bits of a pixel that were read out; with all of them set it measured nothing.
    saturates : bool
        Whether the detector integrates, so that the largest value of the type is a bright pixel and
        no mark.
    """

    wavelength_A: float | None = None
    distance_mm: float | None = None
    pixel_mm: float | None = None
    beam_fast_px: float | None = None
    beam_slow_px: float | None = None
    overload: float | None = None
    bit_depth: int | None = None
    saturates: bool = False

    @property
    def geometry(self):
        """What a `Frame` takes over, as a dict."""
        names = ("wavelength_A", "distance_mm", "pixel_mm", "beam_fast_px", "beam_slow_px")
        return {name: getattr(self, name) for name in names}


def number_after(text, key, default=None):
    """The first number after `key` in a text header."""
    found = re.search(rf"(?<![A-Za-z_]){key}{NUMBER}", text)
    try:
        return float(found.group(1)) if found else default
    except ValueError:
        return default


def dectris_header(text):
    """`Header` from lines such as ``# Detector_distance 0.35100 m`` in a PILATUS CBF or TIFF.

    Parameters
    ----------
    text : str
    """
    beam = re.search(rf"Beam_xy{NUMBER}\s*,{NUMBER}", text)
    return sane_header(
        wavelength_A=number_after(text, "Wavelength"),
        distance_mm=scaled(number_after(text, "Detector_distance"), 1e3),
        pixel_mm=scaled(number_after(text, "Pixel_size"), 1e3),
        beam_fast_px=float(beam.group(1)) if beam else None,
        beam_slow_px=float(beam.group(2)) if beam else None,
        overload=number_after(text, "Count_cutoff"),
    )


def scaled(value, factor):
    """A product, or None of None."""
    return None if value is None else value * factor


def sane_header(**values):
    """`Header` without the zeros and NaN that stand for 'not known'; a beam centre may lie off the
    detector.
    """
    saturates, bits = bool(values.pop("saturates", False)), values.pop("bit_depth", None)
    found = {k: float(v) if v is not None and np.isfinite(v) else None for k, v in values.items()}
    beam = ("beam_fast_px", "beam_slow_px")
    found = {k: v if v is not None and (v > 0 or k in beam) else None for k, v in found.items()}
    if not any(found.get(k) for k in beam):  # zero and zero, or none
        found |= dict.fromkeys(beam)
    return Header(**found, bit_depth=bits, saturates=saturates)
