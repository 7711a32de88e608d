"""Pair distribution functions G(r) of crystals, as the study computes them.

Distances from symmetry-independent atoms go into a fine histogram; its sine transform is the
reduced structure function F(Q), which is multiplied by the Debye-Waller factor, cut to the
measured range, transformed back and damped (Farrow et al., 2007, J. Phys.: Condens. Matter 19,
335219; Liu et al., 2019, Acta Cryst. A75, 633).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from diffranet_utils.core.errors import require

STEP_A = 0.01
MARGIN_A = 4.0
TAPER_A = 3.0
N_TRANSFORM = 1 << 14


@dataclass(frozen=True)
class PairSettings:
    """Parameters of the curves: Table 2 of the paper, whose rows Qmax and Qmin are swapped.

    The table prints Qmax = 0.5 and Qmin = 23.0 per angstrom; only the reverse makes sense and
    gives its 209 points.

    Parameters
    ----------
    r_min_A, r_max_A : float
        Range of distances, angstrom. Points lie pi / `q_max` apart, from `r_min_A`.
    q_min, q_max : float
        Range of scattering vectors, 1/angstrom.
    u_iso_A2 : float
        Mean square displacement of every atom, square angstrom.
    q_damp, q_broad : float
        Damping and broadening by the instrument's resolution, 1/angstrom.
    """

    r_min_A: float = 1.5
    r_max_A: float = 30.0
    q_min: float = 0.5
    q_max: float = 23.0
    u_iso_A2: float = 0.008
    q_damp: float = 0.04
    q_broad: float = 0.01

    def __post_init__(self):
        """Check the ranges (raises `InputError`)."""
        require(
            0 <= self.q_min < self.q_max and 0 <= self.r_min_A < self.r_max_A,
            f"Q {self.q_min} to {self.q_max}, r {self.r_min_A} to {self.r_max_A}: give each range "
            "as a smaller and a larger number.",
        )
        require(
            min(self.u_iso_A2, self.q_damp, self.q_broad) >= 0,
            "Displacement, damping and broadening cannot be negative. Give 0 or more.",
        )

    @property
    def r_A(self):
        """Distances of the curve, angstrom, shape (209,) by default."""
        step_A = np.pi / self.q_max
        n_points = int((self.r_max_A - self.r_min_A) / step_A + 1e-9) + 1
        return self.r_min_A + step_A * np.arange(n_points)


def pair_curve(crystal, settings=None, r_A=None):
    """Reduced pair distribution function G(r) of a crystal.

    Parameters
    ----------
    crystal : CrystalStructure
        Its atoms; only one atom of each orbit is used as a centre.
    settings : PairSettings, optional
        The study's own if left out.
    r_A : ndarray, shape (n_points,), optional
        Other distances than those of `settings`, angstrom, at most its `r_max_A`.

    Returns
    -------
    ndarray, shape (n_points,), float64
        G, 1/square angstrom.
    """
    settings = settings or PairSettings()
    r_A = settings.r_A if r_A is None else np.asarray(r_A, float)
    histogram = distance_histogram(crystal, settings.r_max_A + MARGIN_A)
    distances_A = STEP_A * np.arange(len(histogram))
    peaks = np.zeros(len(histogram))
    peaks[1:] = histogram[1:] / (STEP_A * distances_A[1:])
    density = crystal.occupancy.sum() / crystal.volume_A3
    taper = np.clip((distances_A[-1] - distances_A) / TAPER_A, 0, 1)
    q, reduced = _structure_function(
        peaks * taper, -4 * np.pi * density * distances_A * taper, settings
    )
    curve = _sines(settings, tuple(r_A)) @ reduced * (2 / np.pi) * (q[1] - q[0])
    return curve * np.exp(-0.5 * (settings.q_damp * r_A) ** 2)


def normalised(curves):
    """Bring curves to 0..1: X = (G - min G) / (max G - min G), equation 4 of the paper.

    Parameters
    ----------
    curves : ndarray, shape (..., n_points)
        One or more curves.

    Returns
    -------
    ndarray, shape (..., n_points), float64
        Each with minimum 0 and maximum 1.

    Raises
    ------
    InputError
        If a curve is flat.
    """
    curves = np.asarray(curves, float)
    low = curves.min(axis=-1, keepdims=True)
    span = curves.max(axis=-1, keepdims=True) - low
    require(bool((span > 0).all()), "A curve is flat. Leave it out: it holds no structure.")
    return (curves - low) / span


def distance_histogram(crystal, reach_A):
    """Radial distribution of neighbours, weighted by scattering power.

    Parameters
    ----------
    crystal : CrystalStructure
        The structure.
    reach_A : float
        Largest distance, angstrom.

    Returns
    -------
    ndarray, shape (n_bins,), float64
        Weighted neighbours per atom, b_i b_j / <b>^2, shared linearly between the two nearest
        multiples of `STEP_A`; the sum over a peak is a coordination number in an element.
    """
    # compiled code takes a second to load, and measured curves need none of it
    from diffranet_utils.studies.space_groups.pair_distances import add_distances

    power = crystal.atomic_numbers * crystal.occupancy
    _, centres, sizes = np.unique(crystal.orbit, return_index=True, return_counts=True)
    cell = np.linalg.cholesky(crystal.lattice_A @ crystal.lattice_A.T)
    positions = (crystal.fractional % 1.0) @ cell
    histogram = np.zeros(int(reach_A / STEP_A) + 2)
    add_distances(cell, positions, power, centres, sizes.astype(float), STEP_A, histogram)
    return histogram * crystal.occupancy.sum() / power.sum() ** 2


def _structure_function(peaks, background, settings):
    """Reduced structure function F(Q) inside the window.

    Broadening makes the variance of a peak at r larger by 2 U (Qbroad r)^2. Three transforms with
    quadratic interpolation in that variance give it to 4e-4 of the peak at the study's settings.
    """
    distances_A = STEP_A * np.arange(len(peaks))
    q = 2 * np.pi * np.fft.rfftfreq(N_TRANSFORM, STEP_A)
    inside = (q >= settings.q_min) & (q <= settings.q_max)
    q = q[inside]
    share = (distances_A / distances_A[-1]) ** 2
    extra_A2 = 2 * settings.u_iso_A2 * (settings.q_broad * distances_A[-1]) ** 2
    parts = [2 * (share - 0.5) * (share - 1), 4 * share * (1 - share), 2 * share * (share - 0.5)]
    total = np.zeros(len(q))
    for part, extra in zip(parts, (0, 0.5, 1), strict=True):
        sines = -np.fft.rfft(part * peaks, N_TRANSFORM).imag[inside] * STEP_A
        total += sines * np.exp(-0.5 * q**2 * extra * extra_A2)
    total /= np.sinc(q * STEP_A / (2 * np.pi)) ** 2  # undoes the sharing between two bins
    total -= np.fft.rfft(background, N_TRANSFORM).imag[inside] * STEP_A
    return q, total * np.exp(-settings.u_iso_A2 * q**2)


@lru_cache(maxsize=8)
def _sines(settings, r_A):
    q = 2 * np.pi * np.fft.rfftfreq(N_TRANSFORM, STEP_A)
    q = q[(q >= settings.q_min) & (q <= settings.q_max)]
    return np.sin(np.outer(r_A, q))
