"""The label of a shot, read off its noiseless pattern: how many spots would an ideal observer
see?
"""

import numpy as np
from numba import njit

from diffranet_utils.instrument import shadows
from diffranet_utils.instrument.detector import noise_gain
from diffranet_utils.studies.diffranet.labels import Label

N_SIGMA = 5.0  # a spot is visible when it stands this far above the noise of its surroundings
# photons: where hardly anything is expected, five photons still make a spot, and one does not
LEAST_NOISE = 1.0


def label_of(photons, n_visible, borders):
    """Class of a shot from its truth.

    Parameters
    ----------
    photons : float
        Pulse energy as a number of photons.
    n_visible : int
    borders : Borders

    Returns
    -------
    Label
        No-crystal for a crystal too small to show `borders.weak` spots at any size drawn, since a
        label says what the picture shows.
    """
    if photons == 0:
        return Label.BLANK
    for label, border in (
        (Label.STRONG, borders.strong),
        (Label.GOOD, borders.good),
        (Label.WEAK, borders.weak),
    ):
        if n_visible >= border:
            return label
    return Label.NO_CRYSTAL


def count_visible(blurred, scale, back, station):
    """Count the spots that an ideal observer would see.

    A spot is a local maximum (3 x 3) of the point-spread Bragg image above 5 sigma, with
    ``sigma^2 = w (B + (c B)^2) + read_noise^2``: B the expected background, c the calibration
    error, w the sum of the squared point spread, and sigma at least one photon. Nothing is visible
    in gaps and bad pixels.

    Parameters
    ----------
    blurred : ndarray, shape (n_slow, n_fast), float32
        Point-spread Bragg photons of one simulated block.
    scale : float
        Blocks in the crystal.
    back : ndarray, shape (n_slow, n_fast), float32
        Expected background photons.
    station : Station

    Returns
    -------
    int
    """
    shade = shadows.shade(station.detector, station.shadows)
    if shade is not None:
        blurred, back = blurred * (shade.transmission * shade.usable), back * shade.transmission
    return int(_local_maxima(blurred, (N_SIGMA / scale) ** 2 * noise_variance(back, station)))


def noise_variance(back, station):
    """The sigma^2 of `count_visible`.

    Parameters
    ----------
    back : ndarray, shape (n_slow, n_fast), float32
        Expected background photons, behind all shadows.
    station : Station

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
    """
    readout = station.readout
    weight = noise_gain(station.detector.pixel_mm * 1e3, readout)
    variance = weight * (back + (readout.calibration_rms * back) ** 2) + readout.read_noise**2
    return np.maximum(variance, np.float32(LEAST_NOISE**2))


@njit(cache=True, nogil=True)
def _local_maxima(image, threshold2):
    """Count interior pixels that exceed their threshold and their eight neighbours."""
    count = 0
    for i in range(1, image.shape[0] - 1):
        for j in range(1, image.shape[1] - 1):
            v = image[i, j]
            if v * v <= threshold2[i, j]:
                continue
            # Later neighbours may tie, earlier ones may not: a flat top counts once.
            earlier = max(
                image[i - 1, j - 1], image[i - 1, j], image[i - 1, j + 1], image[i, j - 1]
            )
            later = max(image[i, j + 1], image[i + 1, j - 1], image[i + 1, j], image[i + 1, j + 1])
            count += v > earlier and v >= later
    return count
