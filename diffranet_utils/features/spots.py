"""Features of a prepared image that do not depend on its exposure: what stands out of the noise,
and how.

Everything is counted in standard deviations of the image's own local noise, above and below the
local background: spots stand out above only, while texture, edges of tiles and noise stand out on
both sides alike.
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numba import njit
from sklearn.base import BaseEstimator, TransformerMixin

from diffranet_utils.core.errors import require

BOX, CLIPS = 15, 2
LEVELS = (
    4.0,
    5.0,
    6.0,
    8.0,
    12.0,
)  # standard deviations; the first decides which pixels belong together
TAIL = 3.0
GRID = 8  # cells along an edge of the map that tells spots all over the image from a streak
ROUNDING = 0.29  # standard deviation that rounding to whole grey values makes by itself

NAMES = (
    *(f"{kind} {level:g}" for kind in ("peaks", "wide peaks", "pits",
    "wide pits") for level in LEVELS),
    "peaks less pits", "pixels per peak", "largest peak", "height of peaks", "highest peak",
    "upper tail", "lower tail", "skewness", "kurtosis", "along rows", "along columns",
    "cells with peaks", "fullest cell", "peaks at masks", "noise", "grey level", "usable",
)  # fmt: skip


def standardise(image, mask):
    """Deviation of each pixel from its surroundings in units of their noise.

    The noise is measured without the pixels that stand out, and is never below that of rounding.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        Square roots of counts.
    mask : ndarray, same shape, bool
        True where usable.

    Returns
    -------
    z : ndarray, same shape, float32
        Zero where masked.
    noise : ndarray, same shape, float32
        Grey values.
    """
    calm = mask.copy()
    sums = _box_sums(image, calm)
    for _ in range(CLIPS):
        _leave_out(image, calm, sums)
    return _deviations(image, mask, sums)


@njit(cache=True, nogil=True)
def _box_sums(image, calm):
    """Number of calm pixels around each pixel, sum of their grey values and of the squares; int32
    arrays.
    """
    rows, columns = image.shape
    half = BOX // 2
    sums = np.zeros((3, rows, columns), np.int32)
    band = np.zeros((3, columns + BOX), np.int32)  # column sums, with empty columns on both sides
    for row in range(-half, rows):
        if row + half < rows:
            _shift(band, image[row + half], calm[row + half], half, 1)
        if row - half - 1 >= 0:
            _shift(band, image[row - half - 1], calm[row - half - 1], half, -1)
        if row >= 0:
            for k in range(3):
                _slide(band[k], sums[k, row])
    return sums


@njit(cache=True, nogil=True)
def _shift(band, values, calm, half, sign):
    for j in range(values.size):
        weight = np.int32(sign) if calm[j] else np.int32(0)
        value = np.int32(values[j])
        band[0, j + half] += weight
        band[1, j + half] += weight * value
        band[2, j + half] += weight * value * value


@njit(cache=True, nogil=True)
def _slide(band, out):
    total = np.int32(0)
    for j in range(BOX):
        total += band[j]
    for j in range(out.size):
        out[j] = total
        total += band[j + BOX] - band[j]


@njit(cache=True, nogil=True)
def _leave_out(image, calm, sums):
    """Take the pixels that stand out by three standard deviations from the sums around them; they
    are few.
    """
    rows, columns = image.shape
    half = BOX // 2
    out = np.empty((rows * columns, 2), np.int32)
    n_out = 0
    for i in range(rows):
        for j in range(columns):
            if calm[i, j]:
                # n^2 times deviation and variance, in whole numbers
                n, total = np.int64(sums[0, i, j]), np.int64(sums[1, i, j])
                variance = max(n * sums[2, i, j] - total * total, n * n * ROUNDING * ROUNDING)
                if (n * image[i, j] - total) ** 2 > 9 * variance:
                    out[n_out, 0], out[n_out, 1] = i, j
                    n_out += 1
    for i, j in out[:n_out]:
        calm[i, j] = False
        value = np.int32(image[i, j])
        r0, r1, c0, c1 = (
            max(i - half, 0),
            min(i + half + 1, rows),
            max(j - half, 0),
            min(j + half + 1, columns),
        )
        sums[0, r0:r1, c0:c1] -= np.int32(1)
        sums[1, r0:r1, c0:c1] -= value
        sums[2, r0:r1, c0:c1] -= value * value


@njit(cache=True, nogil=True)
def _deviations(image, mask, sums):
    z, noise = np.zeros(image.shape, np.float32), np.ones(image.shape, np.float32)
    least, one = np.float32(ROUNDING * ROUNDING), np.float32(1)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            n = sums[0, i, j]
            if n > 0:
                share = one / np.float32(n)
                mean = np.float32(sums[1, i, j]) * share
                sigma = np.sqrt(max(np.float32(sums[2, i, j]) * share - mean * mean, least))
                noise[i, j] = sigma
                if mask[i, j]:
                    z[i, j] = (np.float32(image[i, j]) - mean) / sigma
    return z, noise


def spot_features(image, mask):
    """Features of one image, in the order of `NAMES`.

    Numbers of peaks are per megapixel of usable area, as logarithms of one plus the number.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
    mask : ndarray, same shape, bool
        True where usable. A masked pixel is missing: it is neither dark nor bright.

    Returns
    -------
    ndarray, shape (len(NAMES),), float64
        Zeros where less than a hundredth of the image is usable.
    """
    if mask.mean() < 0.01:
        return np.zeros(len(NAMES))
    z, noise = standardise(image, mask)
    area = mask.sum() / 1e6
    sizes, heights, centres = _groups(z, 1.0)
    peaks, pits = _counts(sizes, heights, area), _counts(*_groups(z, -1.0)[:2], area)
    wide = sizes > 1
    shape = [peaks[6] - pits[6], *(_middle_and_top(x[wide]) for x in (sizes, heights))]
    row = [
        *peaks,
        *pits,
        shape[0],
        *shape[1],
        *shape[2],
        *_moments(z, mask),
        *_spread(centres[wide], mask),
    ]
    return np.array(
        [*row, np.log(np.median(noise[::4, ::4])), np.log1p(np.median(image[mask])), mask.mean()]
    )


@njit(cache=True, nogil=True)
def _groups(z, side):
    """Connected groups of pixels above the lowest level: number of pixels, largest deviation,
    centre (slow, fast).
    """
    rows, columns = z.shape
    seen = np.zeros((rows, columns), np.bool_)
    waiting = np.empty((rows * columns, 2), np.int32)
    groups = []
    for i in range(rows):
        for j in range(columns):
            if seen[i, j] or side * z[i, j] <= LEVELS[0]:
                continue
            seen[i, j], waiting[0, 0], waiting[0, 1] = True, i, j
            n, size, top, slow, fast = 1, 0, 0.0, 0.0, 0.0
            while size < n:  # pixels are added behind the one that is looked at
                r, c = waiting[size]
                size += 1
                top, slow, fast = max(top, side * z[r, c]), slow + r, fast + c
                for y in range(max(r - 1, 0), min(r + 2, rows)):
                    for x in range(max(c - 1, 0), min(c + 2, columns)):
                        if not seen[y, x] and side * z[y, x] > LEVELS[0]:
                            seen[y, x], waiting[n, 0], waiting[n, 1] = True, y, x
                            n += 1
            groups.append((float(size), float(top), slow / size, fast / size))
    found = np.zeros((len(groups), 4))
    for k in range(len(groups)):
        found[k, 0], found[k, 1], found[k, 2], found[k, 3] = groups[k]
    return found[:, 0], found[:, 1], found[:, 2:]


def _counts(sizes, heights, area):
    """Groups per megapixel that reach each level: all of them, then those of more than one pixel;
    logarithms.
    """
    kinds = (heights, heights[sizes > 1])
    return [np.log1p((kind > level).sum() / area) for kind in kinds for level in LEVELS]


def _middle_and_top(values):
    """Logarithms of the median and of the largest, zero where there is none."""
    return (
        (float(np.log1p(np.median(values))), float(np.log1p(values.max())))
        if values.size
        else (0.0, 0.0)
    )


@njit(cache=True, nogil=True)
def _moments(z, mask):
    """Shares beyond both tails, skewness, kurtosis, and correlation with the next pixel of a row
    and of a column.

    Values are cut at 6, and the correlation, which shows the point spread in the noise, leaves out
    what is above 4.
    """
    n = upper = lower = 0
    sums = np.zeros(4)
    products, squares = np.zeros(2), np.zeros(2)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            if not mask[i, j]:
                continue
            value = np.float64(z[i, j])
            n += 1
            upper += value > TAIL
            lower += value < -TAIL
            cut = min(max(value, -6.0), 6.0)
            power = 1.0
            for k in range(4):
                power *= cut
                sums[k] += power
            for k in range(2):
                r, c = (i, j + 1) if k == 0 else (i + 1, j)
                if (
                    abs(value) < 4
                    and r < z.shape[0]
                    and c < z.shape[1]
                    and mask[r, c]
                    and abs(z[r, c]) < 4
                ):
                    products[k] += value * z[r, c]
                    squares[k] += value * value
    m1, m2, m3, m4 = sums / max(n, 1)
    variance = m2 - m1 * m1
    skewness = kurtosis = 0.0
    if variance > 1e-4:  # an image of one grey value has no shape
        skewness = (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5
        kurtosis = (m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1**4) / variance**2
    rows, columns = products / np.maximum(squares, 1e-6)
    return (
        np.log1p(1e6 * upper / max(n, 1)),
        np.log1p(1e6 * lower / max(n, 1)),
        skewness,
        kurtosis,
        rows,
        columns,
    )


def _spread(centres, mask):
    """Share of cells with a peak, share of the peaks in the fullest cell, share beside masked
    pixels.
    """
    if not len(centres):
        return 0.0, 0.0, 0.0
    cells = (centres * GRID / np.array(mask.shape)).astype(int).clip(0, GRID - 1)
    counts = np.bincount(cells[:, 0] * GRID + cells[:, 1], minlength=GRID**2)
    near = cv2.erode(mask.view(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) == 0
    slow, fast = np.rint(centres).astype(int).T
    return (
        float((counts > 0).mean()),
        float(counts.max() / counts.sum()),
        float(near[slow, fast].mean()),
    )


class SpotFeatures(TransformerMixin, BaseEstimator):
    """`spot_features` as a scikit-learn transformer; nothing is fitted.

    Parameters
    ----------
    n_workers : int
        Threads.
    """

    def __init__(self, n_workers=1):
        self.n_workers = n_workers

    def fit(self, images, y=None):
        """Do nothing, return self."""
        return self

    def transform(self, images, masks=None):
        """Feature table.

        Parameters
        ----------
        images : ndarray, shape (n, n_slow, n_fast), uint8
        masks : ndarray, same shape, bool, optional
            By default every pixel is usable.

        Returns
        -------
        ndarray, shape (n, len(NAMES)), float64
        """
        if masks is None:
            masks = np.broadcast_to(
                np.ones(images.shape[1:], bool), images.shape
            )  # one mask, seen once per image
        require(
            masks.shape == images.shape, f"Masks {masks.shape} do not fit images {images.shape}."
        )
        with ThreadPoolExecutor(self.n_workers) as pool:
            return np.stack(list(pool.map(spot_features, images, masks)))
