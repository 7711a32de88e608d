"""A crystal in the beam: cell, orientation, number of cells and structure factors."""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.crystals.cells import cell_vectors, mosaic_domains, random_orientation
from diffranet_utils.crystals.structure_factors import StructureFactors

__all__ = ["Crystal", "StructureFactors", "cell_vectors", "mosaic_domains", "random_orientation"]


@dataclass(frozen=True)
class Crystal:
    """A perfect block of unit cells, as it stands in the laboratory.

    Parameters
    ----------
    cell_vectors_A : ndarray, shape (3, 3), float64
        Rows a, b, c in the laboratory frame, orientation applied.
    n_cells : tuple of 3 int
        Cells along a, b, c of one mosaic domain.
    factors : StructureFactors

    Raises
    ------
    InputError
        If the vectors are not a right-handed cell or a number of cells is below one.
    """

    cell_vectors_A: np.ndarray
    n_cells: tuple
    factors: StructureFactors

    def __post_init__(self):
        vectors = np.asarray(self.cell_vectors_A, dtype=np.float64)
        require(
            vectors.shape == (3, 3), f"cell_vectors_A has shape {vectors.shape}: give rows a, b, c."
        )
        require(
            bool(np.linalg.det(vectors) > 0),
            "cell_vectors_A must be a right-handed cell of non-zero volume.",
        )
        require(
            min(self.n_cells) >= 1,
            f"n_cells is {tuple(self.n_cells)}: give at least one cell along each axis.",
        )
        object.__setattr__(self, "cell_vectors_A", vectors)

    @property
    def volume_A3(self):
        """Volume of the unit cell, cubic angstrom."""
        return float(np.linalg.det(self.cell_vectors_A))

    def rotated(self, rotation):
        """The same crystal turned by a rotation matrix.

        Parameters
        ----------
        rotation : ndarray, shape (3, 3), float64

        Raises
        ------
        InputError
            If the matrix is not a proper rotation.
        """
        rotation = np.asarray(rotation, dtype=np.float64)
        proper = rotation.shape == (3, 3) and np.allclose(
            rotation @ rotation.T, np.eye(3), atol=1e-6
        )
        require(
            proper and np.linalg.det(rotation) > 0,
            "The orientation is no rotation: its rows must be orthonormal.",
        )
        return Crystal(self.cell_vectors_A @ rotation.T, self.n_cells, self.factors)
