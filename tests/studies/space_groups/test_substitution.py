import gemmi
import numpy as np
import pytest

pytest.importorskip("spglib")

from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.structures import with_symmetry
from diffranet_utils.studies.space_groups.substitution import ion_families, substituted

FACE = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SALT = with_symmetry(
    "halite", CrystalStructure(5.64 * np.eye(3), np.vstack([FACE, FACE + 0.5]), [11] * 4 + [17] * 4)
)


def test_salt_stays_salt_with_ions_of_the_same_charge():
    rng = np.random.default_rng(0)
    isotypes = [substituted(SALT, rng) for _ in range(10)]
    assert all(e.prototype == SALT.prototype and e.group == 225 for e in isotypes if e)
    symbols = {gemmi.Element(int(z)).name for e in isotypes if e for z in e.crystal.atomic_numbers}
    assert symbols <= {"Li", "Cu", "Na", "Ag", "K", "Tl", "Rb", "Cs", "F", "Cl", "Br", "I"}
    assert len(symbols) > 4


def test_cell_follows_the_sum_of_the_radii():
    # NaCl to KBr: radii 1.02 + 1.81 to 1.38 + 1.96; measured edges 5.640 and 6.600 angstrom.
    rng = np.random.default_rng(1)
    edges = {}
    for _ in range(200):
        isotype = substituted(SALT, rng)
        if isotype:
            edges[tuple(np.unique(isotype.crystal.atomic_numbers))] = isotype.crystal.lattice_A[
                0, 0
            ]
    assert edges[(19, 35)] == pytest.approx(5.64 * (1.38 + 1.96) / (1.02 + 1.81))
    assert edges[(19, 35)] == pytest.approx(6.600, rel=0.02)


def test_sulphur_is_a_cation_beside_oxygen_and_an_anion_alone():
    assert all("O" not in family for family in ion_families("S", ["Ba", "S", "O"]))
    assert any("O" in family for family in ion_families("S", ["Zn", "S"]))
    assert ion_families("H", ["H", "O"]) == []
