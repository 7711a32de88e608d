"""Bragg spots of whole frames, quickly: reciprocal-lattice points near the Ewald sphere, drawn as
small ellipses.

For training a screener on frames of up to twenty megapixels the shape of a spot matters less than
how many there are, where they lie and how they stand against their background; `crystals.bragg`
computes the shapes.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from diffranet_utils.crystals.cells import cell_vectors, random_orientation
from diffranet_utils.studies.diffranet.frame_detectors import log_uniform

MOST_REFLECTIONS = 400_000
VISIBLE_SIGMA = 6.0  # height of a spot over the noise of a pixel
LEAST_COUNTS, LEAST_PHOTONS = 4.0, 10.0  # in the brightest pixel, and in all
SUM_SIGMA = 5.0  # counts of a spot over their own noise and that of what lies under it
NEVER_BRIGHTER = 1e6


@dataclass(frozen=True)
class Spots:
    """Spots of one frame.

    Parameters
    ----------
    slow, fast : ndarray, shape (n,), float64
        Pixels from the outer edge of the first pixel.
    photons : ndarray, shape (n,), float64
        On any scale, or expected.
    long_px, short_px, angle : ndarray, shape (n,), float64
        Standard deviations along the axes, and the direction of the long one from the fast axis.
    """

    slow: np.ndarray
    fast: np.ndarray
    photons: np.ndarray
    long_px: np.ndarray
    short_px: np.ndarray
    angle: np.ndarray

    def select(self, rows):
        """The spots of an index."""
        return Spots(*(values[rows] for values in vars(self).values()))


def draw_cell(rng):
    """A protein's cell, or in a fifth of the cases that of a small molecule; rows are vectors in
    angstrom.
    """
    low, high = (5, 25) if rng.random() < 0.2 else (30, 280)
    edges = np.exp(rng.uniform(np.log(low), np.log(high), 3))
    angles = np.full(3, 90.0) if rng.random() < 0.6 else rng.uniform(75, 115, 3)
    return cell_vectors(*edges, *angles)


def lattice_spots(geometry, shape, rng):
    """Spots of one to many crystals of one cell on a flat detector.

    Parameters
    ----------
    geometry : frames.lattice.FlatGeometry
    shape : (int, int)
    rng : numpy.random.Generator

    Returns
    -------
    Spots
        Photons on a relative scale: exponential (Wilson, 1949, doi:10.1107/S0365110X49000813) times
        a fall-off.
    """
    cell = draw_cell(rng)
    many = np.linalg.norm(cell, axis=1).max() < 40 and rng.random() < 0.4
    n = int(rng.integers(10, 50)) if many else int(rng.choice([1, 1, 1, 1, 2, 3]))
    tables = [_one_crystal(cell, geometry, shape, rng) for _ in range(n)]
    return _with_shapes(np.concatenate(tables), geometry, rng)


def _one_crystal(cell, geometry, shape, rng):
    """Slow, fast and relative photons of the spots that a flat detector catches."""
    d_min = max(
        _finest(geometry, shape), (4.19 * np.linalg.det(cell) / MOST_REFLECTIONS) ** (1 / 3)
    )
    edges = np.linalg.norm(cell, axis=1)
    h = [np.arange(-int(e / d_min), int(e / d_min) + 1) for e in edges]
    hkl = np.stack(np.meshgrid(*h, indexing="ij"), -1).reshape(-1, 3)
    q = hkl @ np.linalg.inv(cell @ random_orientation(rng).T).T
    length = np.linalg.norm(q, axis=1)
    ray = q + np.array([0, 0, 1 / geometry.wavelength_A])
    ray_length = np.linalg.norm(ray, axis=1)
    width = log_uniform(rng, 1e-4, 1.5e-3) + length * log_uniform(rng, 3e-4, 1.2e-2)
    miss = (ray_length - 1 / geometry.wavelength_A) / width
    kept = (np.abs(miss) < 2.5) & (length > 0) & (length < 1 / d_min) & (ray[:, 2] > 0)
    ray, length, miss = ray[kept], length[kept], miss[kept]
    scale = geometry.distance_mm / (geometry.pixel_um * 1e-3) / ray[:, 2]
    fast, slow = (
        geometry.beam_fast_px + ray[:, 0] * scale,
        geometry.beam_slow_px + ray[:, 1] * scale,
    )
    fall_off = log_uniform(rng, 5, 120)  # B factor, square angstrom
    light = rng.exponential(1, len(slow)) * np.exp(-(miss**2) / 2 - fall_off * length**2 / 2)
    on = (slow > 0) & (fast > 0) & (slow < shape[0]) & (fast < shape[1])
    return np.column_stack([slow, fast, light])[on]


def _finest(geometry, shape):
    """Spacing at the farthest corner, angstrom, at least 0.9."""
    slow = max(geometry.beam_slow_px, shape[0] - geometry.beam_slow_px)
    fast = max(geometry.beam_fast_px, shape[1] - geometry.beam_fast_px)
    angle = np.arctan(np.hypot(slow, fast) * geometry.pixel_um * 1e-3 / geometry.distance_mm)
    return max(geometry.wavelength_A / (2 * np.sin(angle / 2)), 0.9)


def _with_shapes(table, geometry, rng):
    """Sizes of spots: alike, and longer along the radius where the beam has a bandwidth."""
    slow, fast, light = table.T
    y, x = slow - geometry.beam_slow_px, fast - geometry.beam_fast_px
    radius = np.hypot(x, y)
    size = log_uniform(rng, 0.3, 2.2) * rng.lognormal(0, 0.12, len(slow))
    band = log_uniform(rng, 1e-5, 4e-3)
    angle = np.arctan2(y, x) + (np.pi / 2 if rng.random() < 0.3 else 0)
    return Spots(slow, fast, light, np.hypot(size, band * radius), size, angle)


def ring_spots(geometry, shape, rng):
    """Grains of a powder on a few rings: they lie on no lattice.

    Returns
    -------
    Spots
    """
    parts = []
    for _ in range(rng.integers(1, 4)):
        n = int(log_uniform(rng, 4, 60))
        radius = rng.uniform(0.05, 0.7) * np.hypot(*shape)
        turn = rng.uniform(0, 2 * np.pi, n)
        radii = radius + rng.normal(0, 0.7, n)
        parts.append([geometry.beam_slow_px + radii * np.sin(turn),
        geometry.beam_fast_px + radii * np.cos(turn),
                      rng.exponential(1, n)])  # fmt: skip
    slow, fast, light = np.concatenate(parts, axis=1)
    on = (slow > 0) & (fast > 0) & (slow < shape[0]) & (fast < shape[1])
    size = log_uniform(rng, 0.5, 2.5) * rng.lognormal(0, 0.35, on.sum())
    angle = (
        np.arctan2(slow[on] - geometry.beam_slow_px, fast[on] - geometry.beam_fast_px) + np.pi / 2
    )
    return Spots(slow[on], fast[on], light[on], size * rng.uniform(1, 3), size, angle)


def visible(spots, under, spread_px, noise_photons):
    """Which spots stand out: to the eye, and in sum.

    To the eye a spot's brightest pixel exceeds the noise of single pixels; where it does not, the
    sum over the spot may. Spots of the second kind alone make a frame neither a clear hit nor a
    clear miss.

    Parameters
    ----------
    spots : Spots
        With expected photons.
    under : ndarray, shape (n,), float64
        Photons per pixel at each spot.
    spread_px : float
        Standard deviation of the detector's point spread.
    noise_photons : ndarray, shape (n,), float64
        Noise of a pixel there besides that of counting.

    Returns
    -------
    to_the_eye, in_sum : ndarray, shape (n,), bool
    """
    variance = spread_px**2 + 1 / 12
    area = 2 * np.pi * np.sqrt((spots.long_px**2 + variance) * (spots.short_px**2 + variance))
    # a point spread averages counting noise over 4 pi width^2 pixels
    counting = under / max(4 * np.pi * spread_px**2, 1.0)
    height = spots.photons / area
    least = VISIBLE_SIGMA * np.sqrt(counting + noise_photons**2) + LEAST_COUNTS
    to_the_eye = (height > least) & (spots.photons > LEAST_PHOTONS)
    noise = np.sqrt(spots.photons + (2 * area + 1) * (under + noise_photons**2))
    return to_the_eye, (spots.photons > SUM_SIGMA * noise) & (spots.photons > LEAST_PHOTONS / 2)


def scaled_to_show(spots, wanted, sees):
    """Brighten or dim spots until a number of them is visible to the eye, or all are.

    Parameters
    ----------
    spots : Spots
    wanted : int
    sees : callable
        ``sees(spots)`` tells which are visible.

    Returns
    -------
    Spots
    """
    low, high = 0.0, np.log(NEVER_BRIGHTER)
    for _ in range(18):
        middle = (low + high) / 2
        trial = Spots(
            spots.slow, spots.fast, spots.photons * np.exp(middle), *list(vars(spots).values())[3:]
        )
        low, high = (low, middle) if sees(trial).sum() > wanted else (middle, high)
    return trial


@njit(nogil=True, cache=True)
def add_spots(image, table):
    """Add elliptic Gaussians to an image, in place.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), float32
    table : ndarray, shape (n, 6), float64
        Slow, fast, photons, long and short standard deviation in pixels, angle from the fast axis.
    """
    for k in range(table.shape[0]):
        slow, fast, photons, long, short, angle = table[k]
        long, short = np.hypot(long, 0.29), np.hypot(short, 0.29)  # a pixel's own width
        reach = int(np.ceil(3.5 * long))
        c, s = np.cos(angle), np.sin(angle)
        height = photons / (2 * np.pi * long * short)
        for i in range(max(int(slow) - reach, 0), min(int(slow) + reach + 1, image.shape[0])):
            for j in range(max(int(fast) - reach, 0), min(int(fast) + reach + 1, image.shape[1])):
                y, x = i + 0.5 - slow, j + 0.5 - fast
                u, v = (c * x + s * y) / long, (c * y - s * x) / short
                image[i, j] += height * np.exp(-(u * u + v * v) / 2)


def paint(image, spots):
    """`add_spots` of a `Spots`."""
    add_spots(image, np.column_stack(list(vars(spots).values())))
