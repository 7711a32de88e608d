"""Scattering from everything that is not the crystal: water, air and ice."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from diffranet_utils.core.checks import NotNegative, check_fields
from diffranet_utils.core.errors import require
from diffranet_utils.instrument import geometry
from diffranet_utils.instrument.geometry import CLASSICAL_RADIUS_SQUARED
from diffranet_utils.instrument.ice import ice_f2

AVOGADRO = 6.02214076e23
# Air as one effective diatomic molecule near N2: bond length (angstrom) and weights of the coherent
# and the Compton part, fitted to tabulated scattering to 0.2 % rms below 0.25 /A (oxygen and argon
# make up the rest).
AIR_BOND_A, AIR_COHERENT, AIR_COMPTON = 1.158, 1.0127, 1.065
# Liquid water: effective amplitude per molecule (elastic and inelastic) as a sum of Gaussians of
# sin(theta)/lambda, (electrons, centre 1/A, width 1/A); fitted to tabulated scattering to 0.2 % rms
# below 0.4 /A.
WATER_GAUSSIANS = (
    (2.2460, -0.0107, 0.1150),
    (3.8106, 0.1678, 0.0735),
    (2.0426, 0.1545, 0.0308),
    (4.3465, 0.3490, 0.2154),
    (1.5506, 0.2333, 0.0347),
)
# Nitrogen atom, coherent form factor: four Gaussians and a constant (International Tables C, 1992,
# 6.1.1.4).
NITROGEN_A = (12.2126, 3.1322, 2.0125, 1.1663)
NITROGEN_B = (0.0057, 9.8933, 28.9975, 0.5826)
NITROGEN_C = -11.529


def water_f2(stol):
    """Squared effective amplitude of a water molecule in the liquid.

    Parameters
    ----------
    stol : ndarray, float64
        Sin(theta)/lambda, 1/angstrom.

    Returns
    -------
    ndarray, float64
        Electrons squared; the broad peak near 0.16 /A is the distance between neighbours.
    """
    return (
        sum(a * np.exp(-(((stol - centre) / width) ** 2)) for a, centre, width in WATER_GAUSSIANS)
        ** 2
    )


def air_f2(stol):
    """Squared effective amplitude of a molecule of air: Debye's formula plus Compton scattering.

    ``w1 2 f^2 (1 + sin(x)/x) + w2 2 (Z - f^2/Z)`` with ``x = 4 pi s r`` and nitrogen's f (Debye,
    1915, doi:10.1002/andp.19153510606); the second term counts the electrons that scatter
    inelastically.

    Parameters
    ----------
    stol : ndarray, float64
        Sin(theta)/lambda, 1/angstrom.

    Returns
    -------
    ndarray, float64
        Electrons squared.
    """
    terms = zip(NITROGEN_A, NITROGEN_B, strict=True)
    f2 = (NITROGEN_C + sum(a * np.exp(-b * np.square(stol)) for a, b in terms)) ** 2
    coherent = 2 * f2 * (1 + np.sinc(4 * np.asarray(stol) * AIR_BOND_A))
    return AIR_COHERENT * coherent + AIR_COMPTON * 2 * (7 - f2 / 7)


@dataclass(frozen=True)
class Material:
    """An amorphous scatterer: density, molar mass and squared amplitude per molecule."""

    density_g_cm3: float
    molar_mass: float
    f2: object

    def molecules_per_m3(self):
        """Number density, 1/cubic metre."""
        return self.density_g_cm3 * 1e6 * AVOGADRO / self.molar_mass


MATERIALS = {
    "water": Material(1.0, 18.0, water_f2),
    "air": Material(1.2e-3, 28.0, air_f2),
    "ice": Material(0.93, 18.0, ice_f2),
}
N_TABLE = 4096


@dataclass(frozen=True)
class Layer:
    """A layer of a material in the beam.

    Parameters
    ----------
    material : str
        Key of `MATERIALS`.
    thickness_mm : float

    Raises
    ------
    InputError
        If the material is unknown or the thickness negative.
    """

    material: str
    thickness_mm: NotNegative

    def __post_init__(self):
        check_fields(self)
        known = ", ".join(MATERIALS)
        require(
            self.material in MATERIALS,
            f"Unknown material {self.material!r}: choose one of {known}.",
        )


def scattering_power(stol, layers):
    """Sum over layers of molecules per square metre times squared amplitude.

    Parameters
    ----------
    stol : ndarray, float64
        1/angstrom.
    layers : sequence of Layer

    Returns
    -------
    ndarray, float64
        Electrons squared per square metre.
    """
    total = np.zeros_like(stol)
    for layer in layers:
        material = MATERIALS[layer.material]
        total += material.molecules_per_m3() * layer.thickness_mm * 1e-3 * material.f2(stol)
    return total


def expected_photons(beam, detector, layers):
    """Expected background photons per pixel.

    ``r_e^2 fluence area molecules F^2(s) omega P`` as in nonBragg (Holton et al., 2014,
    doi:10.1111/febs.12922, supplement).

    Parameters
    ----------
    beam : Beam
    detector : Detector
    layers : sequence of Layer

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
        Photons per pixel.
    """
    return smooth_photons(beam, detector, lambda s: scattering_power(s, layers), beam.photons)


def smooth_photons(beam, detector, power, strength):
    """Photons of something whose scattering is a smooth curve in sin(theta)/lambda.

    Parameters
    ----------
    beam : Beam
    detector : Detector
    power : callable
        Scattering power, electrons squared, of an array of sin(theta)/lambda in 1/angstrom.
    strength : float
        Photons per square metre times how many there are.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
    """
    sine = geometry.sin_theta(detector)
    # 4,096 points and a straight line between them are exact to 1e-6 and much faster.
    step = sine.max() / beam.wavelength_A / (N_TABLE - 2)
    table = power(np.arange(N_TABLE) * step) * (CLASSICAL_RADIUS_SQUARED * strength)
    out = np.empty(detector.shape, np.float32)
    _look_up(sine, 1 / (beam.wavelength_A * step), table, geometry.pixel_factors(detector), out)
    return out


@njit(cache=True, nogil=True)
def _look_up(sine, scale, table, factors, out):
    for i in range(sine.shape[0]):
        for j in range(sine.shape[1]):
            place = sine[i, j] * scale
            k = int(place)
            out[i, j] = (table[k] + (place - k) * (table[k + 1] - table[k])) * factors[i, j]
