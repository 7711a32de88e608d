"""Wide-angle scattering: powder rings of crystals, texture, grains and the halo of what has no
order.

q is 1/angstrom with the 2 pi, lattice constants are angstrom.
"""

import numpy as np

from diffranet_utils.core.errors import require

CUBIC = {
    "CeO2": (5.4113, "fcc"),
    "Au": (4.0782, "fcc"),
    "Al": (4.0495, "fcc"),
    "Si": (5.4312, "diamond"),
    "LaB6": (4.1569, "primitive"),
    "Fe": (2.8665, "bcc"),
}
"""Lattice constant and kind of lattice of powders that every beamline has."""


def allowed(kind, h, k, l):
    """Whether reflections of a cubic lattice exist (extinction rules of its centring).

    Parameters
    ----------
    kind : {"primitive", "bcc", "fcc", "diamond"}
    h, k, l : ndarray of int

    Returns
    -------
    ndarray of bool
    """
    unmixed = (h % 2 == k % 2) & (k % 2 == l % 2)
    rules = {
        "primitive": np.ones(np.shape(h), bool),
        "bcc": (h + k + l) % 2 == 0,
        "fcc": unmixed,
        "diamond": unmixed & ((h % 2 == 1) | ((h + k + l) % 4 == 0)),
    }
    require(kind in rules, f"Unknown lattice {kind!r}: choose one of {', '.join(rules)}.")
    return rules[kind]


def powder_rings(name, largest_q_A):
    """Rings of a cubic powder.

    Parameters
    ----------
    name : str
        Key of `CUBIC`.
    largest_q_A : float

    Returns
    -------
    q_A, multiplicity : ndarray, shape (n,)
        Rising.
    """
    require(name in CUBIC, f"Unknown powder {name!r}: choose one of {', '.join(CUBIC)}.")
    edge, kind = CUBIC[name]
    limit = int(largest_q_A * edge / (2 * np.pi)) + 1
    h, k, l = np.mgrid[-limit : limit + 1, -limit : limit + 1, -limit : limit + 1]
    squares = (h**2 + k**2 + l**2)[allowed(kind, h, k, l)]
    squares, multiplicity = np.unique(squares[squares > 0], return_counts=True)
    q = 2 * np.pi / edge * np.sqrt(squares)
    return q[q <= largest_q_A], multiplicity[q <= largest_q_A]


def ring_pattern(q_A, chi, rings, width_A, texture=None):
    """Rings on a detector, of even brightness or gathered into arcs.

    Parameters
    ----------
    q_A, chi : ndarray, shape (rows, columns)
        As `Camera.transmission` gives them.
    rings : (ndarray, ndarray)
        Places in q and brightness of each.
    width_A : float
        Standard deviation of a ring, 1/angstrom.
    texture : (float, float), optional
        Azimuth (radians) of the arcs' middle and their order parameter kappa: brightness goes as
        exp(kappa cos 2(chi - middle)), normalised to a mean of 1 (von Mises, two-fold).

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    places, heights = (np.asarray(values, dtype=float) for values in rings)
    grid = np.linspace(q_A.min(), q_A.max(), 2048)
    profile = np.exp(-(((grid[:, None] - places) / width_A) ** 2) / 2) @ heights
    pattern = np.interp(q_A, grid, profile)
    if texture is not None:
        middle, kappa = texture
        pattern = pattern * np.exp(kappa * np.cos(2 * (chi - middle))) / np.i0(kappa)
    return pattern


def grainy(q_A, chi, n_grains, rng):
    """Factor by which few large grains make a ring spotty; mean 1.

    Parameters
    ----------
    q_A, chi : ndarray, shape (rows, columns)
    n_grains : float
        Grains that diffract into each cell of azimuth and q, about.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (rows, columns)
        Gamma distributed, as many exponential intensities add up.
    """
    cells = rng.gamma(n_grains, 1 / n_grains, (60, 720))
    row = np.minimum((q_A / q_A.max() * 60).astype(int), 59)
    column = np.minimum(((chi + np.pi) / (2 * np.pi) * 720).astype(int), 719)
    return cells[row, column]


def halo(q_A, centre_A, width_A):
    """Broad ring of neighbours in a liquid, glass or amorphous polymer; 1 at its top."""
    return np.exp(-(((np.asarray(q_A) - centre_A) / width_A) ** 2) / 2)
