"""More structures from known ones: other elements of the same charge on the sites of a prototype.

Two compounds are isotypic if the same sites are filled by other elements (Lima-de-Faria et al.,
1990, Acta Cryst. A46, 1). The group stays, the distances and the scattering powers change.
"""

from dataclasses import replace

import gemmi
import numpy as np

from diffranet_utils.studies.space_groups.structures import with_symmetry

#: Charge: radius of each ion, angstrom, mostly six-coordinate (Shannon, 1976, Acta Cryst. A32,
#: 751).
IONIC_RADII_A = {
    1: {
        "Li": 0.76, "Cu": 0.77, "Na": 1.02, "Ag": 1.15, "K": 1.38, "Tl": 1.5, "Rb": 1.52, "Cs":
        1.67,
    },
    2: {
        "Be": 0.45, "Ni": 0.69, "Mg": 0.72, "Cu": 0.73, "Zn": 0.74, "Co": 0.745, "Fe": 0.78, "Mn":
        0.83, "Cd": 0.95, "Ca": 1.0, "Hg": 1.02, "Eu": 1.17, "Sr": 1.18, "Pb": 1.19, "Ba": 1.35,
    },
    3: {
        "B": 0.27, "Al": 0.535, "As": 0.58, "Co": 0.61, "Cr": 0.615, "Ga": 0.62, "V": 0.64, "Mn":
        0.645, "Fe": 0.645, "Ti": 0.67, "Sc": 0.745, "Sb": 0.76, "In": 0.8, "Lu": 0.861, "Yb":
        0.868, "Tm": 0.88, "Er": 0.89, "Y": 0.9, "Ho": 0.901, "Dy": 0.912, "Tb": 0.923, "Gd": 0.938,
        "Sm": 0.958, "Nd": 0.983, "Pr": 0.99, "Ce": 1.01, "Bi": 1.03, "La": 1.032,
    },
    4: {
        "C": 0.16, "Si": 0.4, "Mn": 0.53, "Ge": 0.53, "V": 0.58, "Ti": 0.605, "Sn": 0.69, "Hf":
        0.71, "Zr": 0.72, "Pb": 0.775, "Ce": 0.87, "U": 0.89, "Th": 0.94,
    },
    5: {"P": 0.38, "As": 0.46, "V": 0.54, "Sb": 0.6, "Nb": 0.64, "Ta": 0.64, "Bi": 0.76},
    6: {"S": 0.29, "Se": 0.42, "Cr": 0.44, "Te": 0.56, "Mo": 0.59, "W": 0.6, "U": 0.73},
    -1: {"F": 1.33, "Cl": 1.81, "Br": 1.96, "I": 2.2},
    -2: {"O": 1.4, "S": 1.84, "Se": 1.98, "Te": 2.21},
}  # fmt: skip
#: Most electronegative first: an element is an anion only if none of an earlier row is there.
ANIONS = (("F", "O"), ("Cl", "Br", "I"), ("S", "Se", "Te"))
MOST_TRIES = 5
SCALES = (0.8, 1.3)  # beyond these the new ions no longer fit the old sites


def substituted(entry, rng):
    """Replace the elements of a structure by others of the same charge, and scale its cell.

    In compounds with anions each element gives way to an ion of its charge; in alloys each metal to
    another metal. Elements without a partner, such as hydrogen, stay. Different elements stay
    different. The cell grows or shrinks with the mean radius of its atoms.

    Parameters
    ----------
    entry : Entry
        The prototype.
    rng : numpy.random.Generator
        Source of the choices.

    Returns
    -------
    Entry or None
        Same name, group and Wyckoff letters, confirmed by spglib; None where `MOST_TRIES` draws
        fail.
    """
    for _ in range(MOST_TRIES):
        swaps, scale = _swaps(entry.crystal, rng)
        if not SCALES[0] <= scale <= SCALES[1]:
            continue
        numbers = np.array([swaps[number] for number in entry.crystal.atomic_numbers.tolist()])
        crystal = replace(
            entry.crystal,
            atomic_numbers=numbers,
            lattice_A=entry.crystal.lattice_A * scale,
            orbit=None,
        )
        isotype = with_symmetry(entry.name, crystal)
        if isotype and isotype.prototype == entry.prototype:
            return isotype
    return None


def ion_families(symbol, symbols):
    """Families of ions to which an element may belong in a compound.

    Parameters
    ----------
    symbol : str
        The element.
    symbols : collection of str
        All elements of the compound.

    Returns
    -------
    list of dict
        Radii in angstrom by element, a family for each charge; empty where the element has no
        partner.
    """
    anions = next((row for row in ANIONS if set(row) & set(symbols)), ())
    sign = -1 if symbol in anions else 1
    return [
        radii for charge, radii in IONIC_RADII_A.items() if charge * sign > 0 and symbol in radii
    ]


def _swaps(crystal, rng):
    """New element for each old one, and the factor of all lengths."""
    numbers, inverse = np.unique(crystal.atomic_numbers, return_inverse=True)
    amounts = np.bincount(inverse, crystal.occupancy)
    symbols = [gemmi.Element(int(number)).name for number in numbers]
    swaps, old_A, new_A = {}, 0.0, 0.0
    for number, symbol, amount in zip(numbers.tolist(), symbols, amounts, strict=True):
        families = ion_families(symbol, symbols) or [_neutral_family(symbol, symbols)]
        radii = families[rng.integers(len(families))]
        free = [name for name in radii if gemmi.Element(name).atomic_number not in swaps.values()]
        partner = free[rng.integers(len(free))] if free else symbol
        swaps[number] = gemmi.Element(partner).atomic_number
        old_A, new_A = old_A + amount * radii[symbol], new_A + amount * radii[partner]
    return swaps, new_A / old_A


def _neutral_family(symbol, symbols):
    """All metals for a metal of an alloy; otherwise the element alone."""
    alloy = not any(set(row) & set(symbols) for row in ANIONS)
    if not (alloy and gemmi.Element(symbol).is_metal and gemmi.Element(symbol).atomic_number < 97):
        return {symbol: gemmi.Element(symbol).covalent_r}
    metals = (gemmi.Element(number) for number in range(3, 97))
    return {metal.name: metal.covalent_r for metal in metals if metal.is_metal}
