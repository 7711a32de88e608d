"""Powder rings of hexagonal ice, the commonest guest on frames of cooled or evaporating samples."""

from functools import lru_cache

import numpy as np

CELL_A, CELL_C = 4.497, 7.322  # angstrom, near 100 K (Fortes, 2018, doi:10.1107/S2052520618002159)
SPACE_GROUP = "P 63/m m c"
OXYGEN = (1 / 3, 2 / 3, 0.0622)  # the hydrogen scatters little and is disordered
B_FACTOR_A2 = 1.5
D_MIN_A = 1.0
RELATIVE_WIDTH = (
    0.004  # rms of a ring in sin(theta)/lambda: small crystallites and the beam's own spread
)
MOLECULES_IN_CELL = 4


@lru_cache(maxsize=1)
def rings():
    """Spacing and strength of the powder rings, from the structure of hexagonal ice.

    Returns
    -------
    spacing_A : ndarray, shape (n,), float64
        Descending.
    strength : ndarray, shape (n,), float64
        Multiplicity times F^2, electrons squared.
    """
    import gemmi

    ice = gemmi.SmallStructure()
    ice.cell.set(CELL_A, CELL_A, CELL_C, 90, 90, 120)
    ice.spacegroup = gemmi.find_spacegroup_by_name(SPACE_GROUP)
    atom = gemmi.SmallStructure.Site()
    atom.label, atom.element, atom.fract = "O", gemmi.Element("O"), gemmi.Fractional(*OXYGEN)
    atom.u_iso = B_FACTOR_A2 / (8 * np.pi**2)
    group = ice.spacegroup.operations()
    atom.occ = MOLECULES_IN_CELL / len(
        group
    )  # gemmi adds up all operations, which meet on a special position
    ice.add_site(atom)
    ice.setup_cell_images()
    calculator = gemmi.StructureFactorCalculatorX(ice.cell)
    hkl = gemmi.make_miller_array(ice.cell, ice.spacegroup, D_MIN_A)
    amplitude = calculator.calculate_sf_from_small_structure
    found = [(ice.cell.calculate_d(h), _mates(group, h) * abs(amplitude(ice, h)) ** 2) for h in hkl]
    kept = sorted((row for row in found if row[1] > 1), reverse=True)
    return tuple(np.array(column) for column in zip(*kept, strict=True))


def _mates(group, hkl):
    """How many lattice points share the ring: symmetry mates and their Friedel mates."""
    images = {tuple(op.apply_to_hkl(hkl)) for op in group.sym_ops}
    return len(images | {tuple(-x for x in image) for image in images})


def ice_f2(stol):
    """Squared effective amplitude of a molecule in powdered hexagonal ice.

    A ring at s0 scatters ``integral f2 s ds = m F^2 / (128 pi V s0)`` per molecule, V the cell's
    volume over (Warren, X-ray Diffraction, 1969, chapter 4, powder intensity, divided by the solid
    angle 8 pi lambda^2 s ds); each is a Gaussian.

    Parameters
    ----------
    stol : ndarray, float64
        Sin(theta)/lambda, 1/angstrom.

    Returns
    -------
    ndarray, float64
        Electrons squared.
    """
    spacing, strength = rings()
    volume = CELL_A**2 * CELL_C * np.sqrt(3) / 2
    centre = 0.5 / spacing[:, None]
    width = RELATIVE_WIDTH * centre
    shape = np.exp(-0.5 * ((np.asarray(stol)[None] - centre) / width) ** 2) / (
        width * np.sqrt(2 * np.pi)
    )
    return np.sum(strength[:, None] / (128 * np.pi * volume * centre**2) * shape, axis=0)
