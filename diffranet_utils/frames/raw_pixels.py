"""Which pixels of a raw frame count, found without copying it.

Detectors mark gaps and broken pixels by values: below zero, the largest number of the type, NaN, or far above what
the header calls an overload. Here such marks become two limits, so that a frame is searched as it lies in memory.
"""

from dataclasses import dataclass

import numpy as np

N_MARKS = 8  # a counting detector has at most a few values below zero, each with a meaning
SAMPLE = 200_000
SATURATED_AREA = 0.002  # more of a frame above the overload is no spot but a mark, or light that says nothing
COUNTER_TOPS = (65535, 4_294_967_295)  # written where nothing was measured, and where too much was


@dataclass(frozen=True)
class RawPixels:
    """What of a frame can be used.

    Parameters
    ----------
    usable : ndarray, shape (n_slow, n_fast), bool, or None
        False where the file declares a pixel bad; None where it declares nothing.
    limits : (float, float)
        Smallest and largest value that counts.
    saturation : float
        Value from which a pixel is saturated.
    n_usable : int
    """

    usable: np.ndarray | None
    limits: tuple
    saturation: float
    n_usable: int


def raw_pixels(counts, overload=None, bad=None):
    """Find the marks of a raw frame.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast), integer or float
    overload : float, optional
        Value from which the header distrusts a pixel.
    bad : ndarray, same shape, bool, optional
        Pixels that the file declares bad.

    Returns
    -------
    RawPixels
    """
    usable = None if bad is None or not bad.any() else ~bad
    low, high = _value_range(counts)
    low = _lowest(counts, low, usable)
    saturation = np.inf if overload is None else float(overload)
    if high in COUNTER_TOPS:
        saturation = min(saturation, float(high))
    if high >= saturation and np.count_nonzero(counts >= saturation) > SATURATED_AREA * counts.size:
        high, saturation = np.nextafter(saturation, -np.inf), np.inf
    within = (counts >= low) & (counts <= high)
    n_usable = np.count_nonzero(within if usable is None else within & usable)
    return RawPixels(usable, (low, high), saturation, int(n_usable))


def _value_range(counts):
    """Smallest and largest value that is a number."""
    if counts.dtype.kind != "f":
        return counts.min(), counts.max()
    finite = counts[np.isfinite(counts)]
    return (finite.min(), finite.max()) if finite.size else (0.0, 0.0)


def _lowest(counts, smallest, usable):
    """Zero if values below it are marks; else, on an integrating detector, what is no broken pixel."""
    if smallest >= 0:
        return 0
    step = max(1, counts.size // (10 * SAMPLE))
    values = counts.ravel()[::step] if usable is None else counts[usable][::step]
    below = values[values < 0]
    if np.unique(below[:SAMPLE]).size <= N_MARKS:
        return 0
    values = values[np.isfinite(values)].astype(np.float64)
    middle = np.median(values)
    spread = 1.4826 * max(float(np.median(np.abs(values - middle))), 1e-3 * abs(float(middle)), 1e-6)
    return middle - 20 * spread
