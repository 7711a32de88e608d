"""Frames that are none of the four techniques: dark frames and stills of single crystals.

Simple pictures, so that a sorter learns to say that it does not know; `sessions.draw_readout` gives
them the same detectors as the techniques have.
"""

import numpy as np

from diffranet_utils.studies.scattering import detector

KINDS = ("dark", "crystal")


def dark_counts(rng, n=256):
    """A frame without a beam: an offset with noise, banks that differ, cosmic rays, few photons.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Pixels of a side.

    Returns
    -------
    ndarray, shape (n, n), int64
    """
    if rng.random() < 0.4:  # a counter counts next to nothing
        counts = rng.poisson(10 ** rng.uniform(-4, 0.3), (n, n))
    else:
        n_banks = int(rng.choice([1, 2, 4, 8]))
        banks = rng.normal(0, rng.choice([0, 3, 30]), n_banks).repeat(n // n_banks)
        columns = rng.normal(0, rng.choice([0, 1, 10]), n)
        noise = rng.normal(0, rng.uniform(0.7, 8), (n, n))
        slope = rng.normal(0, 3) * np.linspace(-1, 1, n)[:, None]
        counts = np.rint(10 ** rng.uniform(1, 3.6) + noise + slope + banks + columns)
    n_rays = int(rng.integers(0, 40))
    place = tuple(rng.integers(0, n, (2, n_rays)))
    counts[place] += rng.integers(5, 3000, n_rays)
    counts = np.where(detector.gap_mask(n, _gaps(rng), int(rng.integers(1, 7))), 0, counts)
    return np.rot90(np.maximum(counts, 0).astype(np.int64), rng.integers(4))


def crystal_intensity(rng, n=256):
    """Bragg spots of one crystal over a diffuse background, shape (n, n).

    Spots lie where a plane of a random lattice cuts shells of q, or anywhere (many crystals).
    """
    rows, columns = np.mgrid[:n, :n] + 0.5
    down, across = n * rng.uniform(0.2, 0.8, 2)
    radius = np.hypot(rows - down, columns - across) / n
    middle, width = rng.uniform(0.1, 0.4), rng.uniform(0.08, 0.3)
    pattern = rng.uniform(0.05, 1) * np.exp(-((radius - middle) ** 2) / width**2 / 2)
    pattern = pattern + rng.uniform(0, 1) * np.exp(-radius / rng.uniform(0.05, 0.4))
    for _ in range(int(10 ** rng.uniform(0.7, 2.7))):
        row, column = _spot(rng, n, down, across)
        size, height = rng.uniform(0.4, 1.6), np.exp(rng.normal(1.5, 1.3))
        top, left = max(0, int(row) - 6), max(0, int(column) - 6)
        window = np.s_[top : int(row) + 7, left : int(column) + 7]
        squared = (rows[window] - row) ** 2 + (columns[window] - column) ** 2
        pattern[window] += height * np.exp(-squared / size**2 / 2)
    return pattern


def _spot(rng, n, down, across):
    """Place of one spot, fewer far from the beam."""
    radius, angle = n * abs(rng.normal(0, 0.32)), rng.uniform(0, 2 * np.pi)
    place = np.array([down + radius * np.sin(angle), across + radius * np.cos(angle)])
    return np.clip(place, 0, n - 1)


def crystal_counts(readout, rng, n=256):
    """A still of a single crystal on a detector.

    Parameters
    ----------
    readout : detector.Readout
    rng : numpy.random.Generator
    n : int

    Returns
    -------
    ndarray, shape (n, n), int64
    """
    shadow = detector.gap_mask(n, readout.gaps, readout.gap_px)
    shadow = shadow | detector.aperture_mask(n, readout.aperture)
    return detector.count(crystal_intensity(rng, n), shadow, readout, rng)


def _gaps(rng):
    return ((0, 0), (0, 0), (1, 1), (4, 1), (7, 2))[rng.integers(5)]
