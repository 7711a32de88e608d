"""Tables of structure factors: from Wilson statistics, an atomic model, an MTZ column or a text."""

import math
from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.crystals.cells import cell_vectors
from diffranet_utils.crystals.files import amplitudes, read_mtz, read_structure, read_text

MAX_TABLE = 2**25  # reflections; making a table takes about a hundred times as many bytes
COMPOSITION = {
    "C": 0.63,
    "N": 0.17,
    "O": 0.195,
    "S": 0.005,
}  # protein, by number of non-hydrogen atoms


@dataclass(frozen=True)
class StructureFactors:
    """Amplitudes F(hkl) in a dense table; reflections outside it are zero.

    Parameters
    ----------
    table : ndarray, shape (n_h, n_k, n_l), float32
        Amplitudes in electrons per cell.
    origin : tuple of int
        Miller index of the table's first element.
    """

    table: np.ndarray
    origin: tuple

    @classmethod
    def from_hkl(cls, hkl, f):
        """Table of the listed reflections as they stand: no symmetry and no Friedel mates are
        added.

        Parameters
        ----------
        hkl : array_like, shape (n, 3), int
        f : array_like, shape (n,), float
            Amplitudes, electrons.

        Raises
        ------
        InputError
            If the shapes disagree, an amplitude is negative or not finite, or the table would be
            too large.
        """
        hkl, f = np.asarray(hkl, dtype=np.int64), np.asarray(f, dtype=np.float32)
        require(
            hkl.ndim == 2 and hkl.shape == (f.size, 3) and f.size,
            f"hkl {hkl.shape} and f {f.shape} do not match.",
        )
        require(
            bool(np.all(np.isfinite(f) & (f >= 0))),
            "Structure factors must be finite and not negative.",
        )
        low = hkl.min(axis=0)
        shape = [int(n) for n in hkl.max(axis=0) - low + 1]
        large = f"A table of {' x '.join(map(str, shape))} structure factors is too large"
        require(
            math.prod(shape) <= MAX_TABLE,
            f"{large}: leave out the largest h k l, {MAX_TABLE} in all.",
        )
        table = np.zeros(shape, dtype=np.float32)
        table[tuple((hkl - low).T)] = f
        return cls(table, tuple(int(x) for x in low))

    @classmethod
    def from_text(cls, path):
        """Read lines of ``h k l F``; see `from_hkl`."""
        rows = read_text(path)
        return cls.from_hkl(rows[:, :3], rows[:, 3])

    @classmethod
    def wilson(cls, cell, space_group, d_min_A, n_atoms, b_factor_A2, rng):
        """Random amplitudes that obey Wilson's statistics and the space group (Wilson, 1942, 1949).

        ``<F^2> = sum f^2(s) exp(-2 B s^2) (1 - 0.8 exp(-200 s^2))^2``; the last factor is a flat
        bulk solvent. Acentric intensities are exponential, centric ones chi-square; systematic
        absences are zero, what is left of a centred lattice is the stronger for it, and symmetry
        and Friedel mates are equal.

        Parameters
        ----------
        cell : tuple of 6 float
            Edges (angstrom) and angles (degree).
        space_group : str
            Hermann-Mauguin symbol.
        d_min_A : float
            Finest spacing in the table.
        n_atoms : float
            Non-hydrogen atoms in the cell, of the mean composition of protein.
        b_factor_A2 : float
        rng : numpy.random.Generator
        """
        hkl, operations = _unique_reflections(cell, space_group, d_min_A)
        s2 = 0.25 * np.sum((hkl @ np.linalg.inv(cell_vectors(*cell)).T) ** 2, axis=1)
        mean = n_atoms * mean_square_form_factor(s2) * np.exp(-2 * b_factor_A2 * s2)
        mean *= (1 - 0.8 * np.exp(-200 * s2)) ** 2
        centric, epsilon, absent = _classify(hkl, operations)
        acentric_e2, normal = rng.exponential(size=s2.size), rng.standard_normal(s2.size)
        e2 = np.where(centric, normal**2, acentric_e2)
        f = np.where(absent, 0.0, np.sqrt(epsilon * mean * e2))
        return cls._expand(hkl, f, operations)

    @classmethod
    def from_model(cls, path, d_min_A, k_sol=0.35, b_sol_A2=46.0):
        """Structure factors of a PDB or mmCIF model with a flat bulk solvent, computed by gemmi.

        ``F = F_atoms + k_sol exp(-B_sol s^2) F_mask`` (Tronrud, 1997).

        Parameters
        ----------
        path : path-like
        d_min_A : float
            Finest spacing.
        k_sol, b_sol_A2 : float
            Density (electron per cubic angstrom; 0 for no solvent) and fall-off of the solvent.

        Raises
        ------
        InputError
            If the file has no atoms, unit cell or space group.
        """
        import gemmi

        structure = read_structure(path)
        density = gemmi.DensityCalculatorX()
        density.d_min, density.rate = d_min_A, 2.0
        density.set_refmac_compatible_blur(structure[0])
        density.grid.setup_from(structure)
        density.put_model_density_on_grid(structure[0])
        atoms = gemmi.transform_map_to_f_phi(density.grid).prepare_asu_data(
            dmin=d_min_A, unblur=density.blur
        )
        total = atoms.value_array.astype(complex)
        if k_sol:
            total += _solvent(structure, density.grid, d_min_A, k_sol, b_sol_A2)
        return cls._expand(
            atoms.miller_array, np.abs(total), structure.find_spacegroup().operations()
        )

    @classmethod
    def from_mtz(cls, path, column):
        """Amplitudes of one MTZ column, expanded by the file's space group.

        Raises
        ------
        InputError
            If the file is no MTZ, lacks the column, or the column holds no amplitudes.
        """
        mtz = read_mtz(path)
        return cls._expand(*amplitudes(mtz, column, path), mtz.spacegroup.operations())

    @classmethod
    def _expand(cls, hkl, f, operations):
        images = [_apply(op, hkl) for op in operations.sym_ops]
        mates = np.concatenate([sign * image for image in images for sign in (1, -1)])
        return cls.from_hkl(mates, np.tile(f, len(mates) // len(f)))

    def d_min_A(self, cell_vectors_A):
        """Finest spacing of a reflection in the table.

        Parameters
        ----------
        cell_vectors_A : ndarray, shape (3, 3), float64
            Rows a, b, c.

        Returns
        -------
        float
            Angstrom.
        """
        hkl = np.argwhere(self.table > 0) + np.array(self.origin)
        return 1 / float(np.linalg.norm(hkl @ np.linalg.inv(cell_vectors_A).T, axis=1).max())

    def __call__(self, hkl):
        """Amplitudes of the given reflections.

        Parameters
        ----------
        hkl : array_like, shape (n, 3), int

        Returns
        -------
        ndarray, shape (n,), float32
            Zero outside the table.
        """
        index = np.asarray(hkl, dtype=np.int64) - np.array(self.origin)
        inside = np.all((index >= 0) & (index < self.table.shape), axis=1)
        f = np.zeros(len(index), dtype=np.float32)
        f[inside] = self.table[tuple(index[inside].T)]
        return f


def _apply(operation, hkl):
    """Miller indices h' = h R of a symmetry operation."""
    return hkl @ (np.array(operation.rot) // operation.DEN)


def _unique_reflections(cell, space_group, d_min_A):
    import gemmi

    cell_vectors(*cell)  # raises the clear error for an impossible cell
    group = gemmi.find_spacegroup_by_name(space_group)
    require(
        group is not None, f"Unknown space group {space_group!r}: give a Hermann-Mauguin symbol."
    )
    return np.array(
        gemmi.make_miller_array(gemmi.UnitCell(*cell), group, d_min_A)
    ), group.operations()


def _classify(hkl, operations):
    """Centric flag, epsilon (with the multiplicity of a centred lattice) and systematic absence of
    each reflection.
    """
    centric, absent = np.zeros(len(hkl), bool), np.zeros(len(hkl), bool)
    epsilon = np.zeros(len(hkl))
    for op in operations.sym_ops:
        image = _apply(op, hkl)
        same = np.all(image == hkl, axis=1)
        epsilon += same
        centric |= np.all(image == -hkl, axis=1)
        absent |= same & ((hkl @ np.array(op.tran)) % op.DEN != 0)
    for shift in operations.cen_ops:
        absent |= (hkl @ np.array(shift)) % 24 != 0  # gemmi counts translations in twenty-fourths
    return centric, epsilon * len(operations.cen_ops), absent


def mean_square_form_factor(s2):
    """Mean f^2 of a protein atom, from the coefficients of the International Tables (C, 1992).

    Parameters
    ----------
    s2 : ndarray, float64
        (sin(theta)/lambda)^2, 1/angstrom^2.

    Returns
    -------
    ndarray, float64
        Electrons squared.
    """
    return sum(share * _form_factor(element, s2) ** 2 for element, share in COMPOSITION.items())


def mean_compton(s2):
    """Mean inelastic scattering of a protein atom, ``Z - f^2 / Z``; arguments as
    `mean_square_form_factor`.
    """
    charges = {"C": 6, "N": 7, "O": 8, "S": 16}
    return sum(
        share * (charges[e] - _form_factor(e, s2) ** 2 / charges[e])
        for e, share in COMPOSITION.items()
    )


def _form_factor(element, s2):
    import gemmi

    coefficients = gemmi.Element(element).it92
    return coefficients.c + sum(
        a * np.exp(-b * s2) for a, b in zip(coefficients.a, coefficients.b, strict=True)
    )


def _solvent(structure, like, d_min_A, k_sol, b_sol_A2):
    """Structure factors of the flat solvent, on the grid and reflections of the atoms."""
    import gemmi

    mask = gemmi.FloatGrid()
    mask.copy_metadata_from(like)
    mask.set_size(like.nu, like.nv, like.nw)
    gemmi.SolventMasker(gemmi.AtomicRadiiSet.Cctbx).put_mask_on_float_grid(mask, structure[0])
    data = gemmi.transform_map_to_f_phi(mask).prepare_asu_data(dmin=d_min_A)
    s2 = 0.25 * data.make_1_d2_array()
    return k_sol * np.exp(-b_sol_A2 * s2) * data.value_array
