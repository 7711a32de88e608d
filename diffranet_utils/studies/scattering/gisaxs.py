"""Grazing-incidence small-angle scattering in the distorted-wave Born approximation.

The wave in the sample is the sum of what comes in and what the surface reflects. A particle sees
that sum on the way in and, by reciprocity, on the way out, so that the four terms of the theory
(Rauscher et al. 1999, doi:10.1063/1.370940; Lazzari 2002, doi:10.1107/S0021889802006088) are the
four products of two waves:

    F = integral dz A(q, z) wave(incidence, z) wave(exit, z)

with A the amplitude of a particle's section at height z. Lengths are angstrom, q is 1/angstrom
with the 2 pi, heights are counted from the top of the substrate.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import j1

from diffranet_utils.core.checks import Count, NotNegative, Positive, check_fields
from diffranet_utils.core.errors import require

CLASSICAL_RADIUS_A = 2.8179403e-5
SHAPES = ("cylinder", "sphere", "hemisphere", "cone", "box")
N_AZIMUTHS = 16  # of a box over an eighth of a turn


@dataclass(frozen=True)
class Medium:
    """A material of refractive index 1 - delta + i beta.

    Raises
    ------
    InputError
        If a part is negative.
    """

    delta: NotNegative
    beta: NotNegative

    def __post_init__(self):
        check_fields(self)

    @classmethod
    def of_density(cls, electrons_per_A3, wavelength_A, absorption=0.01):
        """Medium of an electron density.

        Parameters
        ----------
        electrons_per_A3 : float
        wavelength_A : float
        absorption : float
            beta over delta.

        Returns
        -------
        Medium
            delta = r_e wavelength^2 density / (2 pi).
        """
        delta = CLASSICAL_RADIUS_A * wavelength_A**2 * electrons_per_A3 / (2 * np.pi)
        return cls(float(delta), float(delta * absorption))

    @property
    def critical_angle(self):
        """Angle below which the medium reflects all, radians."""
        return np.sqrt(2 * self.delta)


@dataclass(frozen=True)
class Surface:
    """A beam that strikes a substrate, bare or under a film.

    Parameters
    ----------
    wavelength_A : float
    incidence_deg : float
    substrate : Medium
    film : Medium, optional
    film_A : float
        Thickness of the film.

    Raises
    ------
    InputError
        If a number is not positive, or a film has no thickness.
    """

    wavelength_A: Positive
    incidence_deg: Positive
    substrate: Medium
    film: Medium | None = None
    film_A: float = 0.0

    def __post_init__(self):
        check_fields(self)
        require(
            self.film is None or self.film_A > 0, f"film_A is {self.film_A}: give it a thickness."
        )

    def wave(self, angle, height_A):
        """Amplitude of the wave at heights, for an incident wave of amplitude 1.

        Parameters
        ----------
        angle : array-like, shape (n,)
            To the surface, radians; nothing comes from below the horizon.
        height_A : array-like, shape (m,)
            Above the substrate: inside the film where there is one, else in vacuum.

        Returns
        -------
        ndarray, shape (n, m), complex128
        """
        angle, z = np.atleast_1d(angle)[:, None], np.atleast_1d(height_A)[None, :]
        k0 = 2 * np.pi / self.wavelength_A * np.sin(np.maximum(angle, 0))
        below = self._normal(angle, self.substrate)
        if self.film is None:
            wave = np.exp(-1j * k0 * z) + _reflected(k0, below) * np.exp(1j * k0 * z)
        else:
            inside, d = self._normal(angle, self.film), self.film_A
            top, bottom = _reflected(k0, inside), _reflected(inside, below)
            echoes = 1 + top * bottom * np.exp(2j * inside * d)
            down, up = np.exp(1j * inside * (d - z)), bottom * np.exp(1j * inside * (d + z))
            wave = (1 + top) * (down + up) / echoes
        return np.where(angle > 0, wave, 0)

    def reflectivity(self, angle):
        """Share of a wave that the sample reflects at once, without roughness.

        Parameters
        ----------
        angle : array-like, shape (n,)
            Radians.

        Returns
        -------
        ndarray, shape (n,), float64
            Parratt (1954), doi:10.1103/PhysRev.95.359.
        """
        angle = np.maximum(np.atleast_1d(angle), 1e-9)
        k0 = 2 * np.pi / self.wavelength_A * np.sin(angle)
        below = self._normal(angle, self.substrate)
        if self.film is None:
            return np.abs(_reflected(k0, below)) ** 2
        inside = self._normal(angle, self.film)
        top, bottom = _reflected(k0, inside), _reflected(inside, below)
        bottom = bottom * np.exp(2j * inside * self.film_A)
        return np.abs((top + bottom) / (1 + top * bottom)) ** 2

    def _normal(self, angle, medium):
        """Component of the wave vector along the normal inside a medium."""
        square = np.sin(np.maximum(angle, 0)) ** 2 - 2 * medium.delta + 2j * medium.beta
        return 2 * np.pi / self.wavelength_A * np.sqrt(square)


def _reflected(above, below):
    """Fresnel coefficient between two normal components of the wave vector."""
    total = above + below
    return np.where(total == 0, -1, (above - below) / np.where(total == 0, 1, total))


@dataclass(frozen=True)
class Islands:
    """Particles that stand on the substrate, in a film or in vacuum.

    Parameters
    ----------
    shape : {"cylinder", "sphere", "hemisphere", "cone", "box"}
        A cone has an upper radius of half the lower; a box is square, with twice the radius for
        a side, and turned anyhow about the normal.
    radius_A : float
    height_A : float
        Of the sphere: its two radii make it a spheroid.
    spread : float
        Standard deviation of all sizes over the mean.
    n_sizes : int

    Raises
    ------
    InputError
        If the shape is unknown or a size not positive.
    """

    shape: str
    radius_A: Positive
    height_A: Positive
    spread: NotNegative = 0.0
    n_sizes: Count = 9

    def __post_init__(self):
        check_fields(self)
        known = ", ".join(SHAPES)
        require(self.shape in SHAPES, f"Unknown island {self.shape!r}: choose one of {known}.")

    @cached_property
    def sizes(self):
        """Sizes relative to the mean and the share of each, two arrays."""
        if self.spread == 0:
            return np.ones(1), np.ones(1)
        steps = np.linspace(-2.5, 2.5, self.n_sizes)
        sizes, shares = 1 + self.spread * steps, np.exp(-(steps**2) / 2)
        return sizes[sizes > 0.1], shares[sizes > 0.1] / shares[sizes > 0.1].sum()

    def section_radius(self, share):
        """Radius at heights given as shares of the whole height, angstrom."""
        share = np.asarray(share)
        if self.shape == "sphere":
            return self.radius_A * np.sqrt(np.maximum(4 * share * (1 - share), 0))
        if self.shape == "hemisphere":
            return self.radius_A * np.sqrt(np.maximum(1 - share**2, 0))
        if self.shape == "cone":
            return self.radius_A * (1 - share / 2)
        return np.full(share.shape, self.radius_A)


def disc_amplitude(q_A, radius_A):
    """Amplitude of a disc: its area at q = 0."""
    x = np.maximum(np.asarray(q_A) * radius_A, 1e-6)
    return 2 * np.pi * np.asarray(radius_A) ** 2 * j1(x) / x


def _moments(islands, surface, q_A, exit_angle):
    """Mean amplitude and mean squared amplitude on a grid of q and exit angles."""
    mean, square = 0, 0
    for size, share in zip(*islands.sizes, strict=True):
        for lateral, profile in _amplitudes(islands, surface, q_A, exit_angle, size):
            amplitude, squared = lateral.mean(0) @ profile, np.mean(lateral**2, 0)
            whole = squared @ np.abs(profile) ** 2 if len(profile) == 1 else np.abs(amplitude) ** 2
            mean, square = mean + share * amplitude, square + share * whole
    return mean, square


def _amplitudes(islands, surface, q_A, exit_angle, size):
    """Lateral amplitudes (turns, q, section) and waves (section, exit angle) of one size."""
    height = islands.height_A * size
    phase = 4 * np.pi / surface.wavelength_A * np.sin(max(exit_angle.max(), 0.01)) * height
    nodes, weights = np.polynomial.legendre.leggauss(int(12 + 0.6 * phase))
    share, weights = (nodes + 1) / 2, weights * height / 2
    incident = surface.wave([np.radians(surface.incidence_deg)], share * height)[0]
    waves = surface.wave(exit_angle, share * height).T * (weights * incident)[:, None]
    if islands.shape == "box":
        turn = (np.arange(N_AZIMUTHS)[:, None, None] + 0.5) * np.pi / 4 / N_AZIMUTHS
        side = 2 * islands.radius_A * size
        x = q_A[:, None] * side / (2 * np.pi)
        lateral = side**2 * np.sinc(x * np.cos(turn)) * np.sinc(x * np.sin(turn))
        yield lateral, waves.sum(0, keepdims=True)
    elif islands.shape == "cylinder":
        lateral = disc_amplitude(q_A[:, None], islands.radius_A * size)
        yield lateral[None], waves.sum(0, keepdims=True)
    else:
        yield disc_amplitude(q_A[:, None], islands.section_radius(share) * size)[None], waves


def paracrystal_factor(q_A, distance_A, spread_A, domain_A):
    """Interference of islands with liquid-like order (one-dimensional paracrystal).

    Parameters
    ----------
    q_A : array-like
        In the plane.
    distance_A, spread_A : float
        Mean distance of neighbours and its standard deviation.
    domain_A : float
        Length over which the order is lost.

    Returns
    -------
    ndarray, shape of `q_A`
        Hosemann & Bagchi (1962): 1 + 2 Re(p / (1 - p)), p the neighbour's transform.
    """
    q = np.asarray(q_A, dtype=float)
    p = np.exp(-distance_A / domain_A - (q * spread_A) ** 2 / 2 + 1j * q * distance_A)
    return 1 + 2 * np.real(p / (1 - p))


def lattice_orders(lattice, largest):
    """Distances of a two-dimensional lattice's reciprocal points from the origin.

    Parameters
    ----------
    lattice : {"hexagonal", "square", "lines"}
    largest : float
        In units of the first.

    Returns
    -------
    orders, multiplicity : ndarray, shape (n,)
        In units of the first, rising.
    """
    limit = int(np.ceil(1.2 * largest)) + 1
    h, k = np.mgrid[-limit : limit + 1, -limit : limit + 1]
    mixed = {"hexagonal": h * k, "square": 0 * h}
    if lattice == "lines":
        squares = np.arange(1, limit + 1) ** 2
        squares = np.repeat(squares, 2)
    else:
        squares = (h**2 + k**2 + mixed[lattice]).ravel()
    squares = squares[(squares > 0) & (squares <= largest**2)]
    orders, multiplicity = np.unique(squares, return_counts=True)
    return np.sqrt(orders), multiplicity


def lattice_factor(q_A, lattice, distance_A, width_A, displacement_A):
    """Interference of islands on domains of a lattice that lie anyhow in the plane.

    Parameters
    ----------
    q_A : array-like
        In the plane.
    lattice : {"hexagonal", "square", "lines"}
    distance_A : float
        Of neighbouring rows: the first rods stand at 2 pi over it.
    width_A : float
        Half width of the rods, 1/angstrom.
    displacement_A : float
        Root mean square displacement of the islands along q.

    Returns
    -------
    ndarray, shape of `q_A`
        About 1 far from rods where the displacement is large.
    """
    q = np.maximum(np.asarray(q_A, dtype=float), width_A)
    first = 2 * np.pi / distance_A
    orders, multiplicity = lattice_orders(lattice, min(np.max(q) / first, 8) + 0.5)
    ordered = np.zeros(q.shape)
    for order, count in zip(orders, multiplicity, strict=True):
        rod = width_A / np.pi / ((q - order * first) ** 2 + width_A**2)
        ordered += count * rod * first / q
    keep = np.exp(-((q * displacement_A) ** 2))
    return keep * ordered * first / (2 if lattice == "lines" else 2 * np.pi) + 1 - keep


def island_pattern(surface, islands, structure, exit_angle, q_plane_A, n_q=320):
    """Scattering of islands in the decoupling approximation.

    Parameters
    ----------
    surface : Surface
    islands : Islands
    structure : ndarray, shape (rows, columns)
        Interference at each pixel; 1 for islands far apart.
    exit_angle, q_plane_A : ndarray, shape (rows, columns)
        Exit angle in radians and length of q in the plane, as `Camera.grazing` gives them.
    n_q : int
        Points of the table in q.

    Returns
    -------
    ndarray, shape (rows, columns)
        In angstrom^6 an island; zero below the horizon.
    """
    q = np.linspace(0, max(q_plane_A.max(), 1e-6), n_q)
    angles = np.linspace(max(exit_angle.min(), 0), max(exit_angle.max(), 1e-4), exit_angle.shape[0])
    mean, square = _moments(islands, surface, q, angles)
    place = [q_plane_A / q[1], (exit_angle - angles[0]) / (angles[1] - angles[0])]
    coherent = map_coordinates(np.abs(mean) ** 2, place, order=1, mode="nearest")
    everything = map_coordinates(square, place, order=1, mode="nearest")
    pattern = everything + coherent * (structure - 1)
    return np.where(exit_angle > 0, np.maximum(pattern, 0), 0)


def layered_rods(surface, layers, rod_q_A, width_A, exit_angle, q_plane_A):
    """Rods of a film that is ordered in layers, such as lying cylinders of a block copolymer.

    Parameters
    ----------
    surface : Surface
        With a film.
    layers : tuple of int, float and float
        Number, share of a lateral period by which neighbours are shifted (0 or 0.5), and
        disorder of their heights in angstrom.
    rod_q_A : array-like, shape (n,)
        Places of the rods in the plane, orders 1, 2, ... of one period.
    width_A : float
        Half width of a rod.
    exit_angle, q_plane_A : ndarray, shape (rows, columns)

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    n_layers, shift, disorder_A = layers
    height = (np.arange(n_layers) + 0.5) * surface.film_A / n_layers
    angles = np.linspace(0, max(exit_angle.max(), 1e-4), 2 * exit_angle.shape[0])
    incident = surface.wave([np.radians(surface.incidence_deg)], height)
    waves = surface.wave(angles, height) * incident
    damping = np.exp(-((2 * np.pi / surface.wavelength_A * angles * disorder_A) ** 2))
    pattern = np.zeros(exit_angle.shape)
    for order, place in enumerate(rod_q_A, 1):
        phases = np.exp(2j * np.pi * order * shift * np.arange(n_layers))
        along = np.abs(waves @ phases) ** 2 * damping + np.sum(np.abs(waves) ** 2, 1) * (
            1 - damping
        )
        rod = width_A**2 / ((q_plane_A - place) ** 2 + width_A**2) / order**2
        pattern += rod * np.interp(exit_angle, angles, along)
    return np.where(exit_angle > 0, pattern, 0)


def roughness_pattern(surface, correlation_A, hurst, exit_angle, q_plane_A):
    """Diffuse scattering of a rough surface: bright where the wave is strong, the Yoneda band.

    Parameters
    ----------
    surface : Surface
    correlation_A : float
        Lateral length of the roughness.
    hurst : float
        0 for jagged to 1 for smooth hills.
    exit_angle, q_plane_A : ndarray, shape (rows, columns)

    Returns
    -------
    ndarray, shape (rows, columns)
        Sinha et al. (1988), doi:10.1103/PhysRevB.38.2297, for small roughness; a film's two
        faces follow each other.
    """
    angles = np.linspace(0, max(exit_angle.max(), 1e-4), 4 * exit_angle.shape[0])
    heights = [0.0] if surface.film is None else [0.0, surface.film_A]
    incident = surface.wave([np.radians(surface.incidence_deg)], heights)
    along = np.abs(np.sum(surface.wave(angles, heights) * incident, axis=1)) ** 2
    lateral = (1 + (q_plane_A * correlation_A) ** 2) ** -(1 + hurst)
    return np.where(exit_angle > 0, lateral * np.interp(exit_angle, angles, along), 0)
