"""One crystal structure: cell, atoms, and which atoms symmetry makes alike."""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require


@dataclass(frozen=True)
class CrystalStructure:
    """All atoms of one cell.

    Parameters
    ----------
    lattice_A : ndarray, shape (3, 3), float64
        Cell vectors as rows, angstrom.
    fractional : ndarray, shape (n_atoms, 3), float64
        Fractional coordinates.
    atomic_numbers : ndarray, shape (n_atoms,), int64
        Nuclear charges; they stand for the X-ray scattering factors.
    occupancy : ndarray, shape (n_atoms,), float64, optional
        Share of cells in which the site is filled; all 1 if left out.
    orbit : ndarray, shape (n_atoms,), int64, optional
        Atoms with one number are images of one another under the space group, so their
        neighbourhoods are equal; each atom its own if left out.
    """

    lattice_A: np.ndarray
    fractional: np.ndarray
    atomic_numbers: np.ndarray
    occupancy: np.ndarray | None = None
    orbit: np.ndarray | None = None

    def __post_init__(self):
        """Convert the fields to arrays and check them (raises `InputError`)."""
        n_atoms = len(self.atomic_numbers)
        defaults = {"occupancy": np.ones(n_atoms), "orbit": np.arange(n_atoms)}
        for name, kind in _FIELDS.items():
            value = getattr(self, name)
            value = defaults[name] if value is None else value
            object.__setattr__(self, name, np.ascontiguousarray(value, dtype=kind))
        _check(self)

    @property
    def volume_A3(self):
        """Volume of the cell, cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice_A)))


_FIELDS = {
    "lattice_A": float,
    "fractional": float,
    "atomic_numbers": np.int64,
    "occupancy": float,
    "orbit": np.int64,
}


def _check(crystal):
    n_atoms = len(crystal.atomic_numbers)
    require(n_atoms > 0, "The structure has no atoms. Leave it out.")
    require(
        crystal.lattice_A.shape == (3, 3) and crystal.fractional.shape == (n_atoms, 3),
        f"Lattice {crystal.lattice_A.shape} and coordinates {crystal.fractional.shape} do not fit "
        f"{n_atoms} atoms. Give 3 cell vectors and 3 coordinates an atom.",
    )
    require(
        all(np.isfinite(getattr(crystal, name)).all() for name in _FIELDS)
        and crystal.volume_A3 > 1.0,
        f"The cell of {crystal.volume_A3:.3g} cubic angstrom is flat or holds numbers that are not "
        "finite. Check lattice and coordinates.",
    )
    require(
        crystal.atomic_numbers.min() >= 1 and crystal.occupancy.min() > 0,
        "An atom has no charge or its site is empty. Leave that site out.",
    )
