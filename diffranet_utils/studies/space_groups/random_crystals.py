"""Crystals that nobody has made: sites of a space group filled at random, packed like spheres.

Networks that see such crystals learn the symmetry itself and not the list of known structures
(Schopmans, Reiser & Friederich, 2023, Digital Discovery 2, 1414).
"""

from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np

from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.labels import crystal_system
from diffranet_utils.studies.space_groups.structures import with_symmetry

N_CANDIDATES = 8  # places tried for each site; the one that is furthest from all others is kept
SITE_DRAWS = 300
MOST_ATOMS = 160
EXACT = 1e-6
#: Atoms by how often they are drawn: anions, main-group and other metals.
ANIONS = ("O", "O", "O", "O", "S", "F", "Cl", "Se", "N", "Br", "Te", "I", "P", "C")
CATIONS = tuple(gemmi.Element(z).name for z in range(3, 93) if gemmi.Element(z).is_metal) + (
    "Si",
    "P",
    "B",
    "Ge",
    "As",
)


@dataclass(frozen=True)
class Site:
    """Points of a cell with one site symmetry: one kind of Wyckoff position.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        One of its points, fractional.
    directions : ndarray, shape (n_free, 3)
        Orthonormal directions in which it is free; none for a point.
    multiplicity : int
        Atoms of the cell that one atom here brings along.
    """

    origin: np.ndarray
    directions: np.ndarray
    multiplicity: int

    def draw(self, n, rng):
        """Points of the site, shape (n, 3), fractional, within one cell around its origin."""
        return (self.origin + rng.uniform(-1, 1, (n, len(self.directions))) @ self.directions) % 1.0


@lru_cache(maxsize=64)
def operations(group):
    """Rotations (n, 3, 3) and translations (n, 3) of a group in its first setting, with
    centring.
    """
    seitz = np.array(
        [op.float_seitz() for op in gemmi.find_spacegroup_by_number(group).operations()]
    )
    return seitz[:, :3, :3], seitz[:, :3, 3] % 1.0


@lru_cache(maxsize=64)
def sites(group):
    """Wyckoff positions of a group, found as common fixed points of its operations.

    Parameters
    ----------
    group : int
        Number in the International Tables.

    Returns
    -------
    tuple of Site
        The general position first; special ones may occur more than once at equivalent places.
    """
    rotations, shifts = operations(group)
    rng = np.random.default_rng(group)  # the same list in every run
    kinds = {}
    for draw in range(SITE_DRAWS):
        picked = rng.integers(len(rotations), size=draw % 4)
        equations = (np.eye(3) - rotations[picked]).reshape(-1, 3)
        wanted = (shifts[picked] + rng.integers(-1, 2, (len(picked), 3))).reshape(-1)
        site = _solved(equations, wanted, rotations, shifts)
        if site is not None:
            key = (
                site.multiplicity,
                tuple(np.round(site.directions.T @ site.directions, 3).ravel()),
            )
            kinds.setdefault((*key, tuple(np.round(site.origin % 1.0, 3) % 1.0)), site)
    return tuple(kinds.values())


def _solved(equations, wanted, rotations, shifts):
    """Site of all x with ``equations @ x = wanted``, or None where there is none."""
    if len(equations) == 0:
        return Site(np.zeros(3), np.eye(3), len(rotations))
    _, sizes, directions = np.linalg.svd(equations)
    free = directions[(sizes < EXACT).nonzero()[0]]
    origin = np.linalg.pinv(equations) @ wanted
    if np.abs(equations @ origin - wanted).max() > EXACT:
        return None
    probe = origin + np.array([0.137, 0.219, 0.083])[: len(free)] @ free
    apart = rotations @ probe + shifts - probe
    fixing = (np.abs(apart - np.round(apart)).max(axis=1) < EXACT).sum()
    return Site(origin, free, len(rotations) // int(fixing))


def random_lattice(group, rng):
    """Cell of volume 1 that the group allows.

    Parameters
    ----------
    group : int
        Number of the space group.
    rng : numpy.random.Generator
        Source of axes and angles.

    Returns
    -------
    ndarray, shape (3, 3)
        Cell vectors as rows; trigonal groups on hexagonal axes, monoclinic ones with b unique.
    """
    system = crystal_system(group)
    a, b, c = np.exp(rng.normal(0, 0.4, 3))
    alpha, beta, gamma = 90.0, 90.0, 90.0
    if system == "triclinic":
        alpha, beta, gamma = rng.uniform(70, 115, 3)
    elif system == "monoclinic":
        beta = rng.uniform(90, 122)
    elif system in ("trigonal", "hexagonal"):
        gamma = 120.0
    if system in ("tetragonal", "trigonal", "hexagonal", "cubic"):
        b = a
    if system == "cubic":
        c = a
    lattice = np.array(gemmi.UnitCell(a, b, c, alpha, beta, gamma).orth.mat.tolist()).T
    return lattice / np.linalg.det(lattice) ** (1 / 3)


def random_crystal(group, rng):
    """Fill sites of a group at random, and let the closest atoms touch.

    Parameters
    ----------
    group : int
        Number of the space group to ask for.
    rng : numpy.random.Generator
        Source of everything.

    Returns
    -------
    Entry or None
        Its group is what spglib finds, at times a higher one; None where the atoms pack badly.
    """
    lattice = random_lattice(group, rng)
    n_sites = 1 + rng.geometric(0.3)
    elements = _elements(rng)
    places, numbers = np.empty((0, 3)), []
    choices = sites(group)
    multiplicities = np.array([site.multiplicity for site in choices])
    for _ in range(n_sites):
        wanted = rng.choice(np.unique(multiplicities))
        if len(numbers) + wanted > MOST_ATOMS:
            continue
        site = choices[rng.choice(np.flatnonzero(multiplicities == wanted))]
        images = _roomiest(site, group, lattice, places, rng)
        if images is not None:
            places = np.vstack([places, images])
            numbers += [elements[rng.integers(len(elements))]] * len(images)
    return _packed(lattice, places, np.array(numbers), rng) if numbers else None


def _elements(rng):
    """One to three cations and none to two anions, as atomic numbers."""
    symbols = [CATIONS[k] for k in rng.integers(len(CATIONS), size=rng.integers(1, 4))]
    symbols += [ANIONS[k] for k in rng.integers(len(ANIONS), size=rng.integers(0, 3))]
    return [gemmi.Element(symbol).atomic_number for symbol in symbols]


def _roomiest(site, group, lattice, places, rng):
    """Images of that candidate whose nearest neighbour is furthest, or None where atoms fall
    together.
    """
    rotations, shifts = operations(group)
    candidates = site.draw(1 if len(site.directions) == 0 else N_CANDIDATES, rng)
    best, best_gap = None, 0.02
    for candidate in candidates:
        images = (rotations @ candidate + shifts) % 1.0
        distances = _distances(images, candidate, lattice)
        same = distances < EXACT
        if same.sum() * site.multiplicity != len(rotations):
            continue
        others = _distances(places, candidate, lattice)
        gap = min(distances[~same].min(initial=np.inf), others.min(initial=np.inf))
        if gap > best_gap:
            best, best_gap = images, gap
    return None if best is None else _distinct(best)


def _distances(places, point, lattice):
    apart = places - point
    return np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1)


def _distinct(images):
    apart = images[:, None] - images
    same = np.abs(apart - np.round(apart)).max(axis=-1) < 1e-5
    return images[np.unique(same.argmax(axis=1))]


def _packed(lattice, places, numbers, rng):
    """Scale the cell until the closest pair touches; None where that leaves it nearly empty."""
    radii_A = np.array([gemmi.Element(int(number)).covalent_r for number in numbers])
    apart = places[:, None] - places
    distances = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=-1)
    np.fill_diagonal(distances, np.linalg.norm(lattice, axis=1).min())
    scale = rng.uniform(0.9, 1.15) * ((radii_A[:, None] + radii_A) / distances).max()
    filled = (4 / 3 * np.pi * radii_A**3).sum() / scale**3
    if filled < rng.uniform(0.1, 0.3):
        return None
    return with_symmetry("random", CrystalStructure(lattice * scale, places, numbers))
