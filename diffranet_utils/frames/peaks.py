"""Count Bragg spots without learning anything: local background, threshold, connected pixels.

The idea is that of every spot finder since XDS and DIALS' dispersion threshold: a pixel is strong
when it exceeds the mean of its neighbourhood by several standard deviations. It is the baseline
that a trained model has to beat.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

BOX = 15
CLIPS = 2


@dataclass(frozen=True)
class Peaks:
    """Spots of one frame.

    Parameters
    ----------
    slow, fast : ndarray, shape (n,), float64
        Centres of gravity, in pixels from the outer edge of the first pixel.
    counts : ndarray, shape (n,), float64
        Counts above the background, summed over the strong pixels: the tails of a weak spot are
        missing.
    n_pixels : ndarray, shape (n,), int64
    """

    slow: np.ndarray
    fast: np.ndarray
    counts: np.ndarray
    n_pixels: np.ndarray

    def __len__(self):
        """Number of spots."""
        return self.slow.size


@njit(nogil=True, cache=True)
def local_background(data, mask, box=BOX, least=1.0, counting=True):
    """Mean and standard deviation around each pixel, over usable pixels only.

    Column sums slide down and a box sum slides along them: the cost does not depend on `box`.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast), float32
        Counts.
    mask : ndarray, same shape, bool
        True where a pixel counts for the background.
    box : int
        Edge of the square neighbourhood, an odd number of pixels; it is cut at the edges of the
        frame.
    least : float
        `sigma` is never below this.
    counting : bool
        Whether `data` are counts, whose `sigma` is never below ``sqrt(mean)`` either.

    Returns
    -------
    mean, sigma : ndarray, same shape, float32
        The mean is zero and `sigma` one where the neighbourhood has no usable pixel.
    """
    n_slow, n_fast = data.shape
    half = box // 2
    mean, sigma = np.zeros((n_slow, n_fast), np.float32), np.ones((n_slow, n_fast), np.float32)
    columns = np.zeros((3, n_fast))  # number, sum and sum of squares in each column of the band
    for row in range(-half, n_slow):
        _shift_band(columns, data, mask, row + half, row - half - 1)
        if row < 0:
            continue
        n = total = squares = 0.0
        for j in range(-half, n_fast):
            if j + half < n_fast:
                n += columns[0, j + half]
                total += columns[1, j + half]
                squares += columns[2, j + half]
            if j - half - 1 >= 0:
                n -= columns[0, j - half - 1]
                total -= columns[1, j - half - 1]
                squares -= columns[2, j - half - 1]
            if j >= 0 and n > 0:
                level = total / n
                mean[row, j] = level
                floor = max(least * least, level) if counting else least * least
                sigma[row, j] = np.sqrt(max(squares / n - level * level, floor))
    return mean, sigma


@njit(nogil=True, cache=True)
def _shift_band(columns, data, mask, entering, leaving):
    """Move the band of rows that `columns` sums down by one."""
    for j in range(data.shape[1]):
        if entering < data.shape[0] and mask[entering, j]:
            value = np.float64(data[entering, j])
            columns[0, j] += 1
            columns[1, j] += value
            columns[2, j] += value * value
        if leaving >= 0 and mask[leaving, j]:
            value = np.float64(data[leaving, j])
            columns[0, j] -= 1
            columns[1, j] -= value
            columns[2, j] -= value * value


def find_peaks(data, mask, n_sigma=6.0, min_pixels=2, box=BOX):
    """Find connected groups of strong pixels.

    The background is measured again without the pixels that stood out, so that a spot does not hide
    itself.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast), float32
        Counts.
    mask : ndarray, same shape, bool
        True where usable; no spot is found elsewhere.
    n_sigma : float
        A strong pixel exceeds its background by this many standard deviations.
    min_pixels : int
        Smaller groups are left out.
    box : int
        Edge of the neighbourhood, pixels.

    Returns
    -------
    Peaks
    """
    data = np.where(mask, data, 0).astype(np.float32)
    calm = mask
    for _ in range(CLIPS):
        mean, sigma = local_background(data, calm, box)
        calm = mask & (data <= mean + 3 * sigma)
    mean, sigma = local_background(data, calm, box)
    strong = mask & (data > mean + n_sigma * sigma)
    from scipy import ndimage

    labels, n = ndimage.label(strong, structure=np.ones((3, 3)))
    return _measure(data - mean, strong, labels, n, min_pixels)


def _measure(excess, strong, labels, n, min_pixels):
    """Centres, sums and sizes of the groups, from the strong pixels alone."""
    slow, fast = np.nonzero(strong)
    group, weight = labels[slow, fast] - 1, excess[slow, fast].astype(np.float64)
    size = np.bincount(group, minlength=n)
    total = np.bincount(group, weight, minlength=n)
    keep = size >= min_pixels
    centres = [
        np.bincount(group, weight * (x + 0.5), minlength=n)[keep] / total[keep]
        for x in (slow, fast)
    ]
    return Peaks(*centres, total[keep], size[keep])


def spacings(frame, peaks):
    """Bragg spacing of each spot, d = lambda / (2 sin theta).

    Parameters
    ----------
    frame : frames.Frame
    peaks : Peaks

    Returns
    -------
    ndarray, shape (n,), float64, or None
        Angstrom; None where the header lacks the geometry.
    """
    known = (
        frame.wavelength_A,
        frame.distance_mm,
        frame.pixel_mm,
        frame.beam_fast_px,
        frame.beam_slow_px,
    )
    if any(value is None for value in known):
        return None
    radius = (
        np.hypot(peaks.slow - frame.beam_slow_px, peaks.fast - frame.beam_fast_px) * frame.pixel_mm
    )
    sin_theta = np.sin(0.5 * np.arctan2(radius, frame.distance_mm))
    return frame.wavelength_A / (2 * np.maximum(sin_theta, 1e-9))


def resolution(frame, peaks, share=0.95, min_spots=10):
    """How far a pattern reaches: the spacing that all but the farthest few spots stay above.

    Parameters
    ----------
    frame : frames.Frame
    peaks : Peaks
    share : float
        Share of the spots within; the rest may be noise.
    min_spots : int
        Fewer spots than this say nothing.

    Returns
    -------
    float or None
        Angstrom; None without geometry or spots.
    """
    d = spacings(frame, peaks)
    return None if d is None or len(d) < min_spots else float(np.quantile(d, 1 - share))
