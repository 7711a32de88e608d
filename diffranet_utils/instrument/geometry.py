"""Detector and beam: where each pixel lies, and what angle and resolution it sees.

Laboratory axes: beam along (1, 0, 0), detector fast axis (0, 0, 1), slow axis (0, -1, 0).
Lengths inside are metres, wavelengths and spacings angstrom.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from diffranet_utils.core.checks import Count, NotNegative, Positive, check_fields
from diffranet_utils.core.errors import require

BEAM_AXIS = np.array([1.0, 0.0, 0.0])
SLOW_AXIS = np.array([0.0, -1.0, 0.0])
FAST_AXIS = np.array([0.0, 0.0, 1.0])
CLASSICAL_RADIUS_SQUARED = 7.94079248018965e-30  # r_e^2 in square metre
MAX_PIXELS = (
    2**25
)  # the largest detectors have half as many; an image takes some gigabytes on the way


@dataclass(frozen=True)
class Detector:
    """A flat detector of square pixels, perpendicular to the beam.

    Parameters
    ----------
    n_slow, n_fast : int
        Number of pixels along the slow and fast axis (rows, columns).
    pixel_mm : float
        Edge of a pixel.
    distance_mm : float
        Distance from the crystal to the detector plane.
    beam_fast_px, beam_slow_px : float, optional
        Where the direct beam meets the detector, in pixels from the outer edge of the first pixel.
        By default nanoBragg's choice, ``n / 2 + 1``.

    Raises
    ------
    InputError
        If a size is not positive, the image is too large, or the beam falls outside the detector.
    """

    n_slow: Count
    n_fast: Count
    pixel_mm: Positive
    distance_mm: Positive
    beam_fast_px: float | None = None
    beam_slow_px: float | None = None

    def __post_init__(self):
        check_fields(self)
        size = f"The detector of n_slow = {self.n_slow} by n_fast = {self.n_fast} pixels"
        require(
            self.n_slow * self.n_fast <= MAX_PIXELS,
            f"{size} is too large: give {MAX_PIXELS} pixels or fewer.",
        )
        for name, size in (("beam_fast_px", self.n_fast), ("beam_slow_px", self.n_slow)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, size / 2 + 1)
            value = getattr(self, name)
            require(
                0 <= value <= size,
                f"{name} is {value}: the beam must fall on the detector, 0 to {size}.",
            )

    @property
    def shape(self):
        """(n_slow, n_fast), the shape of an image."""
        return self.n_slow, self.n_fast

    @property
    def pixel_m(self):
        """Pixel edge in metres."""
        return self.pixel_mm * 1e-3

    @property
    def distance_m(self):
        """Crystal-to-detector distance in metres."""
        return self.distance_mm * 1e-3


@dataclass(frozen=True)
class Beam:
    """An X-ray pulse.

    Parameters
    ----------
    wavelength_A : float
        Mean wavelength, angstrom.
    photons : float
        Photons in the pulse; zero is a blank shot.
    size_um : float
        Edge of the square focus at the crystal, micrometre.
    sources : ndarray, shape (n_sources, 5), optional
        Point sources that stand for divergence and bandpass: x, y, z of the source seen from the
        crystal, weight (ignored, as in nanoBragg: every source counts once) and wavelength, all in
        metres. By default one source on the beam axis with `wavelength_A`.

    Raises
    ------
    InputError
        If a number is negative or not finite, or `sources` has the wrong shape or a wavelength that
        is not positive.
    """

    wavelength_A: Positive
    photons: NotNegative
    size_um: Positive
    sources: np.ndarray | None = None

    def __post_init__(self):
        if self.sources is not None:
            object.__setattr__(self, "sources", np.asarray(self.sources, dtype=np.float64))
            _check_sources(self.sources)
        check_fields(self)

    @property
    def fluence(self):
        """Photons per square metre at the crystal."""
        return self.photons / (self.size_um * 1e-6) ** 2

    def incident(self):
        """Unit vectors along the beam and wavelengths, one row per source.

        Returns
        -------
        directions : ndarray, shape (n_sources, 3), float64
        wavelengths_A : ndarray, shape (n_sources,), float64
        """
        if self.sources is None:
            return BEAM_AXIS[None].copy(), np.array([self.wavelength_A])
        directions = -self.sources[:, :3] / np.linalg.norm(
            self.sources[:, :3], axis=1, keepdims=True
        )
        return directions, self.sources[:, 4] * 1e10


def _check_sources(sources):
    shape = sources.shape
    require(
        len(shape) == 2 and shape[1] == 5 and len(sources) > 0,
        f"sources has shape {shape}: give (n, 5).",
    )
    require(bool(np.all(np.isfinite(sources))), "A source has a number that is NaN or infinite.")
    require(
        bool(np.all(sources[:, 4] > 0)),
        f"A source has the wavelength {sources[:, 4].min()} m: give more than 0.",
    )
    require(
        bool(np.all(np.any(sources[:, :3] != 0, axis=1))),
        "A source lies in the crystal: give it a distance.",
    )


@lru_cache(maxsize=8)
def positions(detector, oversample=1):
    """Offsets of the sub-pixel centres along the two axes.

    Parameters
    ----------
    detector : Detector
    oversample : int
        Sub-pixels per pixel edge.

    Returns
    -------
    y : ndarray, shape (n_slow * oversample,), float64
        Laboratory y of each sub-pixel row, metre.
    z : ndarray, shape (n_fast * oversample,), float64
        Laboratory z of each sub-pixel column, metre.
    """
    rows = (np.arange(detector.n_slow * oversample) + 0.5) / oversample
    columns = (np.arange(detector.n_fast * oversample) + 0.5) / oversample
    y = (detector.beam_slow_px - rows) * detector.pixel_m
    z = (columns - detector.beam_fast_px) * detector.pixel_m
    return y, z


@lru_cache(maxsize=8)
def path_lengths(detector, oversample=1):
    """Distance from the crystal to each sub-pixel.

    Returns
    -------
    ndarray, shape (n_slow * oversample, n_fast * oversample), float64
        Metre.
    """
    y, z = positions(detector, oversample)
    return np.sqrt(detector.distance_m**2 + y[:, None] ** 2 + z[None, :] ** 2)


def first_subpixel_lengths(detector, oversample=1):
    """Path length to the first sub-pixel of each pixel, where nanoBragg evaluates slow factors.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        Metre.
    """
    return path_lengths(detector, oversample)[::oversample, ::oversample]


@lru_cache(maxsize=8)
def solid_angle(detector, oversample=1):
    """Solid angle of each pixel, ``pixel^2 D / |pos|^3``.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        Steradian, evaluated at the first sub-pixel (the pixel centre for ``oversample=1``).
    """
    return (
        detector.pixel_m**2
        * detector.distance_m
        / first_subpixel_lengths(detector, oversample) ** 3
    )


@lru_cache(maxsize=8)
def polarization(detector, oversample=1, incident=tuple(BEAM_AXIS)):
    """Polarisation factor of an unpolarised beam, ``(1 + cos^2 2theta) / 2`` (Kahn et al., 1982).

    Parameters
    ----------
    detector : Detector
    oversample : int
        The factor is evaluated at the first sub-pixel of each pixel.
    incident : tuple of three floats
        Unit vector along the beam.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        Between 0.5 and 1.
    """
    y, z = positions(detector, oversample)
    y, z = y[::oversample, None], z[None, ::oversample]
    along = detector.distance_m * incident[0] + y * incident[1] + z * incident[2]
    return 0.5 * (1 + (along / first_subpixel_lengths(detector, oversample)) ** 2)


@lru_cache(maxsize=8)
def sin_theta(detector):
    """Sine of half the scattering angle at each pixel centre.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        0 on the beam axis, below 1/sqrt(2).
    """
    return np.sqrt(np.maximum(0.5 * (1 - detector.distance_m / path_lengths(detector)), 0.0))


@lru_cache(maxsize=8)
def pixel_factors(detector):
    """Solid angle (steradian) times polarisation of each pixel, both at its centre.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
    """
    return solid_angle(detector) * polarization(detector)


def stol(detector, wavelength_A):
    """Sin(theta) / lambda at each pixel centre.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        1/angstrom.
    """
    return sin_theta(detector) / wavelength_A


def resolution(detector, wavelength_A):
    """Bragg spacing d = 1 / (2 stol) that each pixel sees.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        Angstrom; ``inf`` where the direct beam falls.
    """
    with np.errstate(divide="ignore"):
        return 0.5 / stol(detector, wavelength_A)
