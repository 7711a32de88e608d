"""From expected photons to the picture: calibration error, counting, point spread, read noise, 8
bits.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numba import njit
from scipy import fft
from scipy.special import erf

from diffranet_utils.core.checks import NotNegative, Whole, check_fields
from diffranet_utils.core.errors import require

NORMAL_FROM = 60.0  # expected photons above which counts come from a corrected normal distribution
# pixels of darkness around the sensor, so that light spread over one edge does not enter at the
# other
PADDING = 64


@dataclass(frozen=True)
class Readout:
    """How a detector turns photons into numbers.

    Parameters
    ----------
    calibration_rms : float
        Fixed relative error of each pixel's gain.
    point_spread : {"fiber", "gaussian", "none"}
    fwhm_um : float
        Full width at half maximum of the point spread.
    offset, read_noise : float
        Added to every pixel, and its random part (rms), in photons.
    saturation : float
        Largest value; 65025 is 255 squared, so that the square root fills 8 bits.
    calibration_seed : int
        Identifies this detector's map of gains.

    Raises
    ------
    InputError
        If the point spread is unknown or a number is negative.
    """

    calibration_rms: NotNegative = 0.04
    point_spread: Literal["fiber", "gaussian", "none"] = "fiber"
    fwhm_um: NotNegative = 46.0
    offset: float = 10.0
    read_noise: NotNegative = 3.0
    saturation: NotNegative = 65025.0
    calibration_seed: Whole = 1

    def __post_init__(self):
        check_fields(self)


def read_out(expected, detector, readout, rng):
    """Simulate one exposure.

    The order is that of the paper: gain error, Poisson, point spread on the photon image, offset
    and read noise, clip, floor.

    Parameters
    ----------
    expected : ndarray, shape (n_slow, n_fast), float
        Expected photons per pixel.
    detector : Detector
    readout : Readout
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
        Whole numbers from 0 to `readout.saturation`.

    Raises
    ------
    InputError
        If `expected` has another shape than the detector, or is negative or not finite.
    """
    require(
        expected.shape == detector.shape,
        f"Image {expected.shape} does not fit the detector {detector.shape}.",
    )
    require(bool(np.all(expected >= 0)), "Expected photons must be finite and not negative.")
    gain = calibration(detector.shape, readout.calibration_rms, readout.calibration_seed)
    photons = draw_photons((expected * gain).astype(np.float32), rng)
    signal = spread(photons, detector.pixel_mm * 1e3, readout) + np.float32(readout.offset)
    signal += np.float32(readout.read_noise) * rng.standard_normal(detector.shape, dtype=np.float32)
    return np.floor(np.clip(signal, 0, readout.saturation))


def draw_photons(expected, rng):
    """Poisson counts; where many photons are expected, from a normal variate with three correction
    terms.

    ``B + sqrt(B) z + (z^2 - 1) / 6 + (z - z^3) / (72 sqrt(B))``, rounded (Cornish and Fisher, 1938,
    doi:10.2307/1400905): above 60 photons its distribution function is within 1e-4 of Poisson's,
    and it is faster.

    Parameters
    ----------
    expected : ndarray, float32
        Mean counts.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, float32
        Whole numbers.
    """
    z = rng.standard_normal(expected.shape, dtype=np.float32)
    counts = np.empty(expected.shape, np.float32)
    _corrected_normal(expected, z, counts)
    few = expected < NORMAL_FROM
    counts[few] = rng.poisson(expected[few])
    return counts


@njit(cache=True, nogil=True)
def _corrected_normal(expected, z, counts):
    for i in range(expected.shape[0]):
        for j in range(expected.shape[1]):
            mean, x = max(expected[i, j], np.float32(1)), z[i, j]
            root = np.sqrt(mean)
            value = mean + root * x + (x * x - 1) / 6 + (x - x * x * x) / (72 * root)
            counts[i, j] = np.floor(value + np.float32(0.5))


def to_8bit(counts):
    """Square root, which makes the counting error of every pixel about one half; floor; 8 bits.

    Parameters
    ----------
    counts : ndarray
        0 to 65025; larger values saturate.

    Returns
    -------
    ndarray, uint8
    """
    return np.sqrt(np.clip(counts, 0, 65025)).astype(np.uint8)


@lru_cache(maxsize=4)
def calibration(shape, rms, seed):
    """A detector's map of relative gains, ``1 + rms N(0, 1)``, never negative.

    Returns
    -------
    ndarray, shape `shape`, float32
        Read-only, since it belongs to the detector.
    """
    gain = np.maximum(1 + rms * np.random.default_rng(seed).standard_normal(shape), 0).astype(
        np.float32
    )
    gain.flags.writeable = False
    return gain


def spread(photons, pixel_um, readout):
    """Convolve an image with the point spread; light that leaves the sensor is lost.

    Parameters
    ----------
    photons : ndarray, shape (n_slow, n_fast), float32
    pixel_um : float
        Pixel edge.
    readout : Readout

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
    """
    if readout.point_spread == "none" or readout.fwhm_um == 0:
        return photons
    n_slow, n_fast = photons.shape
    padded = tuple(fft.next_fast_len(n + PADDING, real=True) for n in photons.shape)
    transfer = _transfer(padded, readout.point_spread, readout.fwhm_um / pixel_um)
    blurred = fft.irfft2(fft.rfft2(photons, padded) * transfer, padded)[:n_slow, :n_fast]
    return np.maximum(blurred, 0)  # rounding of the transform leaves values just below zero


@lru_cache(maxsize=4)
def _transfer(shape, kind, fwhm_px):
    rows, columns = (fft.fftfreq(n, 1 / n) for n in shape)
    kernel = point_spread(rows[:, None], columns[None, :], kind, fwhm_px)
    return fft.rfft2(kernel.astype(np.float32))


def point_spread(rows, columns, kind, fwhm_px):
    """Share of a photon's signal that falls on a pixel at the given offset.

    Fibre-coupled: ``g / (2 pi (g^2 + r^2)^1.5)``, g = 0.652383 FWHM, integrated over the pixel by
    ``atan(x y / (g sqrt(g^2 + x^2 + y^2))) / (2 pi)`` at its corners (Holton et al., 2012,
    doi:10.1107/S0909049512035571).

    Parameters
    ----------
    rows, columns : ndarray, float
        Offsets in pixels; they broadcast against each other.
    kind : {"fiber", "gaussian"}
    fwhm_px : float
        Full width at half maximum in pixels.

    Returns
    -------
    ndarray, float64
        Sums to one over the whole plane.
    """
    if kind == "gaussian":
        scale = 2 * np.sqrt(np.log(2)) / fwhm_px
        edge = [0.5 * (erf(scale * (x + 0.5)) - erf(scale * (x - 0.5))) for x in (rows, columns)]
        return edge[0] * edge[1]
    g = 0.652383 * fwhm_px

    def corner(y, x):
        return np.arctan(x * y / (g * np.sqrt(g * g + x * x + y * y))) / (2 * np.pi)

    top, bottom, left, right = rows - 0.5, rows + 0.5, columns - 0.5, columns + 0.5
    return corner(bottom, right) - corner(bottom, left) - corner(top, right) + corner(top, left)


@lru_cache(maxsize=4)
def noise_gain(pixel_um, readout):
    """Sum of the squared point spread: how much it averages counting noise away (0.497 for
    DiffraNet).
    """
    if readout.point_spread == "none" or readout.fwhm_um == 0:
        return 1.0
    offsets = np.arange(-20, 21)
    kernel = point_spread(
        offsets[:, None], offsets[None, :], readout.point_spread, readout.fwhm_um / pixel_um
    )
    return float((kernel**2).sum())


def expected_variance(readout, pixel_um, level, fixed_pattern=True):
    """Variance of a flat field in closed form, away from the edges and from saturation.

    ``w (B + (c B)^2) + r^2 + 1/12``: B the expected photons, c the calibration error, w the sum of
    the squared point spread, r the read noise; rounding down adds the last term, but not where a
    counter gives whole photons.

    Parameters
    ----------
    readout : Readout
    pixel_um : float
    level : float or ndarray
        Expected photons per pixel.
    fixed_pattern : bool
        False leaves out the calibration error, as the difference of two exposures does.

    Returns
    -------
    float or ndarray
        Photons squared.
    """
    uneven = (readout.calibration_rms * level) ** 2 if fixed_pattern else 0.0
    counts_photons = readout.point_spread == "none" and readout.read_noise == 0
    rounding = 0 if counts_photons else 1 / 12
    return noise_gain(pixel_um, readout) * (level + uneven) + readout.read_noise**2 + rounding
