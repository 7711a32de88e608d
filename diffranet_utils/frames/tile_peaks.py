"""Bragg peaks of a raw frame of any detector, in two passes over its pixels.

The first pass measures the background in tiles of 16 x 16 pixels, the second groups the pixels
above a threshold. The threshold is a false-alarm probability: that of counting statistics where
pixels count photons, of a normal distribution elsewhere. A tile whose largest value is below its
threshold is not visited again, so that a blank frame costs little more than reading its pixels
once.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames import tile_kernels

TILE = tile_kernels.TILE
# What is searched for each type: the loops are compiled for few, and the others are copied.
TYPES = {
    "int8": "int32",
    "int16": "int32",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint16",
    "uint16": "uint16",
    "uint32": "uint32",
    "uint64": "uint64",
    "float32": "float32",
    "float64": "float64",
}
NORMAL_FROM = 1000.0  # counts; above this mean the Poisson quantile is taken from its expansion
SAMPLE_ROWS = 61  # rows that are looked at to tell counts from other values
MANY_ZEROS = 0.05  # no measured voltage is exactly zero so often
FAR_PX = 4  # pixels so far apart share no point spread
# variance over level below which nothing was counted: an offset, or light spread over pixels
QUIETER = 0.6
COUNTED_FROM = 5.0  # level from which that can be told
OVERDISPERSED = 1.2  # ratio of noise to counting noise that 256 pixels do not reach by chance


@dataclass(frozen=True)
class PeakSettings:
    """What is called a peak.

    Parameters
    ----------
    n_sigma : float
        A pixel is strong if chance makes it as bright as seldom as a normal variable exceeds this
        many standard deviations (5: once in 3.5 million pixels).
    min_pixels : int
        Smaller groups of strong pixels are left out.
    saturation : float
        Value from which a pixel is saturated.
    """

    n_sigma: float = 5.0
    min_pixels: int = 2
    saturation: float = np.inf

    def __post_init__(self):
        require(self.n_sigma > 0, f"n_sigma is {self.n_sigma}: give a number above 0, such as 5.")
        require(self.min_pixels >= 1, f"min_pixels is {self.min_pixels}: give 1 or more.")

    @property
    def false_alarm(self):
        """Probability that a pixel of the background is strong."""
        return _normal_tail(self.n_sigma)


@dataclass(frozen=True)
class TilePeaks:
    """Peaks of one frame, the strongest first.

    Parameters
    ----------
    slow, fast : ndarray, shape (n,), float64
        Centres of gravity, pixels from the outer edge of the first pixel.
    n_pixels : ndarray, shape (n,), int64
    counts : ndarray, shape (n,), float64
        Sum over the strong pixels above the local background; the tails of a weak peak are missing.
    peak : ndarray, shape (n,), float64
        Largest value, with the background.
    background, sigma : ndarray, shape (n,), float64
        Mean and standard deviation of the tile of the largest value, per pixel.
    moments : ndarray, shape (n, 3), float64
        Second moments of the counts about the centre, px^2: slow, fast, mixed.
    masked_distance_px : ndarray, shape (n,), float64
        From the centre to the middle of the nearest pixel that is masked or outside the frame; at
        most `tile_kernels.REACH`.
    touches_masked, touches_saturated : ndarray, shape (n,), bool
        Whether a pixel of the peak or a neighbour of one is masked or outside the frame, or
        saturated.
    threshold : ndarray, shape (n,), float64
        Value above which a pixel of that tile is strong.
    """

    slow: np.ndarray
    fast: np.ndarray
    n_pixels: np.ndarray
    counts: np.ndarray
    peak: np.ndarray
    background: np.ndarray
    sigma: np.ndarray
    moments: np.ndarray
    masked_distance_px: np.ndarray
    touches_masked: np.ndarray
    touches_saturated: np.ndarray
    threshold: np.ndarray

    def __len__(self):
        """Number of peaks."""
        return self.slow.size

    def select(self, rows):
        """The peaks of a boolean or integer index.

        Parameters
        ----------
        rows : ndarray
            As numpy takes it.

        Returns
        -------
        TilePeaks
        """
        return TilePeaks(*(values[rows] for values in vars(self).values()))

    @property
    def width_px(self):
        """Root of the mean second moment, px, shape (n,), float64; zero for a single pixel."""
        return np.sqrt(np.maximum(self.moments[:, :2].sum(axis=1) / 2, 0))


@dataclass(frozen=True)
class TileLevels:
    """Background in tiles of 16 x 16 pixels; the last ones of a row or column may be narrower.

    Parameters
    ----------
    mean, sigma : ndarray, shape (ceil(n_slow / 16), ceil(n_fast / 16)), float64
        Robust level and standard deviation per pixel; NaN where every pixel is masked.
    largest : ndarray, same shape, float64
        Largest value that counts.
    n_usable : ndarray, same shape, int64
    kept : ndarray, same shape, float64
        Fraction of the usable pixels that do not stand out.
    photons : bool
        Whether the values count photons.
    """

    mean: np.ndarray
    sigma: np.ndarray
    largest: np.ndarray
    n_usable: np.ndarray
    kept: np.ndarray
    photons: bool


def tile_levels(frame, usable=None, photons=None, limits=None):
    """Measure the background of a frame in tiles.

    Parameters
    ----------
    frame : ndarray, shape (n_slow, n_fast), integer or float
        As a detector writes it.
    usable : ndarray, same shape, bool, optional
        True where a pixel counts. By default all do but the marks of detectors: negative values of
        a signed type and the largest value of an unsigned one. NaN and infinity never count.
    photons : bool, optional
        Whether values count photons, so that their noise is at least that of counting. By default a
        frame does if its pixels hold whole numbers from zero upwards.
    limits : (float, float), optional
        Smallest and largest value that counts, instead of those that `usable` implies.

    Returns
    -------
    TileLevels

    Raises
    ------
    InputError
        If `frame` is not a numeric image or `usable` has another shape.
    """
    return _levels(*_prepared(frame, usable, limits), photons)


def _levels(frame, usable, limits, photons):
    photons = counts_photons(frame, usable, limits) if photons is None else photons
    sums = tile_kernels.tile_sums(frame, usable, limits)
    mean, variance, kept = tile_kernels.robust_levels(frame, usable, limits, sums, photons)
    sigma = np.sqrt(np.maximum(variance, mean) if photons else variance)
    return TileLevels(mean, sigma, sums[:, :, 3], sums[:, :, 0].astype(np.int64), kept, photons)


def _prepared(frame, usable, limits=None):
    """Frame, mask and limits as the compiled loops want them."""
    frame = np.asarray(frame)
    require(
        frame.ndim == 2 and frame.size > 0 and frame.dtype.name in TYPES,
        f"A frame of shape {frame.shape} and type {frame.dtype} cannot be searched: give two axes "
        "of numbers.",
    )
    require(
        usable is None or usable.shape == frame.shape,
        f"The mask has shape {np.shape(usable)}, the frame {frame.shape}: give one value per "
        "pixel.",
    )
    limits = _within(frame.dtype, limits) if limits else _limits(frame.dtype, usable is None)
    frame = np.ascontiguousarray(frame, TYPES[frame.dtype.name])
    limits = tuple(frame.dtype.type(limit) for limit in limits)
    usable = (
        np.ones((1, frame.shape[1]), bool) if usable is None else np.ascontiguousarray(usable, bool)
    )
    return frame, usable, limits


def _within(dtype, limits):
    """Limits that a type can hold."""
    info = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return max(info.min, limits[0]), min(info.max, limits[1])


def _limits(dtype, marks):
    """Smallest and largest value that count; without those that mark bad pixels if `marks`."""
    info = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    low, high = info.min, info.max
    if marks and dtype.kind == "i":
        low = 0
    if marks and dtype.kind == "u":
        high -= 1
    return low, high


def counts_photons(frame, usable, limits):
    """Whether the values of a sample of pixels count photons.

    They do if they are whole numbers from zero upwards, or if none is below zero and many are zero:
    these are counts after a correction, such as that of a flat field. They do not where their noise
    is below that of counting, as it is above an offset.

    Parameters
    ----------
    frame : ndarray, shape (n_slow, n_fast)
    usable : ndarray, shape (n_slow, n_fast) or (1, n_fast), bool
    limits : tuple of two numbers
        Smallest and largest value that counts.

    Returns
    -------
    bool
        True for a frame without a single usable pixel in the sample.
    """
    rows = slice(None, None, max(1, frame.shape[0] // SAMPLE_ROWS))
    lines = frame[rows]
    counted = (
        np.broadcast_to(usable, frame.shape)[rows] & (lines >= limits[0]) & (lines <= limits[1])
    )
    values = lines[counted]
    if (values < 0).any() or _is_quieter(lines, counted):
        return False
    whole = frame.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    return whole or np.count_nonzero(values == 0) > MANY_ZEROS * values.size


def _is_quieter(lines, counted):
    """Whether the noise of sampled rows is below that of counting: from pixels a few apart, by
    medians.
    """
    pairs = counted[:, FAR_PX:] & counted[:, :-FAR_PX]
    first, second = (
        part[pairs].astype(np.float64) for part in (lines[:, FAR_PX:], lines[:, :-FAR_PX])
    )
    level = np.median(first) if first.size else 0.0
    if level < COUNTED_FROM:
        return False
    # the median of |x - y| is 0.954 standard deviations of a normal variable; whole numbers add up
    # to half a step
    return (np.median(np.abs(first - second)) + 0.5) / 0.954 < np.sqrt(QUIETER * level)


def strong_threshold(mean, sigma, n_sigma, photons):
    """Value that a pixel of the background exceeds with the probability of `n_sigma` standard
    deviations.

    For counts it is the smallest whole number k with P(N > k) below that probability, from P(N > k;
    m) = P(k + 1, m), the regularised incomplete gamma function (NIST Digital Library of
    Mathematical Functions, 8.4.10). The distance to the mean grows with the noise where this
    exceeds that of counting.

    Parameters
    ----------
    mean, sigma : ndarray of one shape, float64
        Level and standard deviation of the background per pixel.
    n_sigma : float
    photons : bool
        Whether values count photons.

    Returns
    -------
    ndarray, same shape, float64
        A pixel above it is strong; NaN where `mean` is.
    """
    if not photons:
        return mean + n_sigma * sigma + 1e-6 * np.abs(mean)
    counting = np.sqrt(np.maximum(mean, 0))
    # Cornish-Fisher expansion for large means: the skewness of a Poisson variable is 1 / sqrt(mean)
    distance = n_sigma * counting + (n_sigma**2 - 1) / 6
    low = mean < NORMAL_FROM
    distance[low] = _poisson_quantile(mean[low], n_sigma) - mean[low]
    ratio = sigma / np.maximum(counting, 1e-12)
    return mean + distance * np.where((ratio > OVERDISPERSED) & (counting > 0.5), ratio, 1.0)


def tile_threshold(levels, n_sigma):
    """Value above which a pixel of each tile is strong.

    A mean from few photons may be too small by chance: the threshold is that of one photon more in
    the tile. Where something stands out of a tile, the brightest of its neighbours counts, since it
    may be the edge of a shadow.

    Parameters
    ----------
    levels : TileLevels
    n_sigma : float

    Returns
    -------
    ndarray, shape of the tiles, float64
        NaN where every pixel is masked.
    """
    mean, sigma = tile_kernels.raise_crowded(levels.mean, levels.sigma, levels.kept)
    if levels.photons:
        mean = mean + 1 / np.maximum(levels.n_usable, 1)
    return strong_threshold(mean, sigma, n_sigma, levels.photons)


def _poisson_quantile(mean, n_sigma):
    """Smallest k with P(N > k) no larger than the tail of `n_sigma`, for each mean."""
    return np.searchsorted(_highest_means(n_sigma), mean).astype(np.float64)


@cache
def _highest_means(n_sigma):
    """Largest mean at which P(N > k) is no larger than the tail of `n_sigma`, for k from 0 on.

    Newton's rule, for means up to `NORMAL_FROM`. SciPy's inverse of the incomplete gamma function
    says the same, and takes longer to load than a frame to judge.
    """
    n = int(NORMAL_FROM + (n_sigma + 1) * np.sqrt(NORMAL_FROM) + n_sigma**2) + 3
    k, wanted = np.arange(n, dtype=np.float64), math.log(_normal_tail(n_sigma))
    log_factorial = np.array([math.lgamma(one + 2) for one in k])
    # P(N > k) < m^(k+1) / (k+1)!, so that this is too low; the tail is concave in log m: from below
    # no step goes too far.
    log_mean = (wanted + log_factorial) / (k + 1)
    for _ in range(40):
        mean = np.exp(log_mean)
        series = _falling_series(k, mean)
        log_tail = (k + 1) * log_mean - mean - log_factorial + np.log(series)
        step = (wanted - log_tail) * series / (k + 1)
        log_mean = log_mean + step
        if np.abs(step).max() < 1e-13:
            break
    return np.exp(log_mean)


def _falling_series(k, mean):
    """P(N > k) over P(N = k + 1), for means below k + 1."""
    term = total = np.ones_like(mean)
    for further in range(1, 2000):
        term = term * mean / (k + 1 + further)
        total = total + term
        if term.max() < 1e-16:
            break
    return total


def _normal_tail(n_sigma):
    """Chance that a normal variable is more than `n_sigma` standard deviations above its mean."""
    return 0.5 * math.erfc(n_sigma / math.sqrt(2))


def find_tile_peaks(frame, usable=None, settings=None, photons=None, limits=None):
    """Find the peaks of a raw frame.

    Parameters
    ----------
    frame, usable, photons, limits
        As for `tile_levels`.
    settings : PeakSettings, optional

    Returns
    -------
    TilePeaks

    Raises
    ------
    InputError
        As for `tile_levels`.
    """
    return find_with_levels(frame, usable, settings, photons, limits)[0]


def find_with_levels(frame, usable=None, settings=None, photons=None, limits=None):
    """The peaks of a raw frame, and the background that they were found against.

    Parameters and errors as for `find_tile_peaks`.

    Returns
    -------
    TilePeaks
    TileLevels
    """
    settings = PeakSettings() if settings is None else settings
    frame, usable, limits = _prepared(frame, usable, limits)
    levels = _levels(frame, usable, limits, photons)
    threshold = tile_threshold(levels, settings.n_sigma)
    stacked = np.stack([threshold, levels.largest, levels.mean, levels.sigma])
    table = tile_kernels.connected_peaks(
        frame, usable, limits, stacked, settings.min_pixels, float(settings.saturation)
    )
    return _as_peaks(table[np.lexsort((table[:, 1], table[:, 0], -table[:, 3]))]), levels


def _as_peaks(table):
    slow, fast, n_pixels, counts, peak = table[:, :5].T
    return TilePeaks(
        slow,
        fast,
        n_pixels.astype(np.int64),
        counts,
        peak,
        background=table[:, 8],
        sigma=table[:, 9],
        moments=table[:, 5:8],
        masked_distance_px=table[:, 10],
        touches_masked=table[:, 11] > 0,
        touches_saturated=table[:, 12] > 0,
        threshold=table[:, 13],
    )
