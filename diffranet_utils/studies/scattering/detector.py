"""What a detector makes of scattering: shadows, gaps, counting noise, and the picture of it."""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.checks import Count, NotNegative, Positive, Whole, check_fields


@dataclass(frozen=True)
class Readout:
    """How intensities become a picture.

    Parameters
    ----------
    photons : float
        Expected in the 99.5th percentile of the pixels.
    gaps : tuple of (int, int)
        Number of gaps between modules along rows and columns.
    gap_px : int
        Width of a gap, pixels.
    stop_px : float
        Radius of the beamstop; 0 where there is none.
    stop_arm_deg : float
        Direction of its holder, from the right, anticlockwise.
    stray : float
        Even background, as a fraction of the brightest pixels.
    n_zingers : int
        Single pixels struck by cosmic rays.
    offset, noise : float
        Counts that a CCD adds to every pixel, and their standard deviation; 0 for a counter.
    scale : float
        Counts at which the display turns from linear to logarithmic.
    aperture : float
        Diameter of the flight tube's window or of a round detector, as a fraction of the image's
        sides; 0 where nothing is cut off.
    """

    photons: Positive
    gaps: tuple = (0, 0)
    gap_px: Count = 3
    stop_px: NotNegative = 5.0
    stop_arm_deg: float = 270.0
    stray: NotNegative = 0.001
    n_zingers: Whole = 3
    offset: NotNegative = 0.0
    noise: NotNegative = 0.0
    scale: Positive = 1.0
    aperture: NotNegative = 0.0

    def __post_init__(self):
        check_fields(self)


def gap_mask(n, gaps, gap_px):
    """Pixels between modules.

    Parameters
    ----------
    n : int
        Pixels of a side.
    gaps : (int, int)
        Across the rows and across the columns.
    gap_px : int

    Returns
    -------
    ndarray, shape (n, n), bool
    """
    lines = []
    for n_gaps in gaps:
        middle = n * np.arange(1, n_gaps + 1) / (n_gaps + 1)
        lines.append((np.abs(np.arange(n)[:, None] + 0.5 - middle) < gap_px / 2).any(axis=1))
    return lines[0][:, None] | lines[1][None, :]


def aperture_mask(n, diameter):
    """Pixels outside a round window in the middle of the image.

    Parameters
    ----------
    n : int
        Pixels of a side.
    diameter : float
        As a fraction of a side; 0 for no window.

    Returns
    -------
    ndarray, shape (n, n), bool
    """
    steps = (np.arange(n) + 0.5) / n - 0.5
    outside = np.hypot(steps[:, None], steps[None, :]) > diameter / 2
    return outside if diameter > 0 else np.zeros_like(outside)


def stop_mask(camera, radius_px, arm_deg):
    """Shadow of a beamstop and of its holder, around the direct beam.

    Returns
    -------
    ndarray, shape (n, n), bool
    """
    steps = np.arange(camera.n) + 0.5
    right = (steps - camera.beam_right * camera.n)[None, :]
    up = (camera.beam_down * camera.n - steps)[:, None]
    ahead, aside = np.cos(np.radians(arm_deg)), np.sin(np.radians(arm_deg))
    along, across = right * ahead + up * aside, right * aside - up * ahead
    return (np.hypot(right, up) < radius_px) | ((along > 0) & (np.abs(across) < radius_px / 3))


def count(intensity, shadow, readout, rng):
    """Photons in each pixel.

    Parameters
    ----------
    intensity : ndarray, shape (n, n)
        Relative; zero or more.
    shadow : ndarray, shape (n, n), bool
        Pixels that nothing reaches.
    readout : Readout
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, n), int64
        Poisson distributed; in the shadow, zero or a CCD's offset.
    """
    bright = max(float(np.quantile(intensity[~shadow], 0.995)), 1e-300)
    expected = readout.photons * (np.minimum(intensity / bright, 1e4) + readout.stray)
    counts = rng.poisson(np.where(shadow, 0, expected))
    place = rng.integers(0, intensity.shape[0], (2, readout.n_zingers))
    counts[tuple(place)] += rng.integers(20, 2000, readout.n_zingers)
    counts = np.where(shadow, 0, counts)
    if readout.offset > 0:
        counts = counts + np.rint(rng.normal(readout.offset, readout.noise, counts.shape))
    return np.maximum(counts, 0).astype(np.int64)


def picture(counts, scale=1.0):
    """Eight-bit picture on a logarithmic scale, white at the 99.9th percentile.

    Parameters
    ----------
    counts : ndarray, shape (n, n)
    scale : float
        Counts above the darkest pixels at which the logarithm takes over from a linear display.

    Returns
    -------
    ndarray, shape (n, n), uint8
    """
    darkest = max(float(np.quantile(counts, 0.002)), 0)
    logarithm = np.log1p(np.maximum(counts - darkest, 0) / scale)
    white = max(float(np.quantile(logarithm, 0.999)), 1e-6)
    return np.rint(255 * np.minimum(logarithm / white, 1)).astype(np.uint8)
