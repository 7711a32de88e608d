"""Cells, orientations and structure factors against closed forms, gemmi and reference data."""

import gemmi
import numpy as np
import pytest
from scipy import stats

from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals import crystal, structure_factors
from diffranet_utils.crystals.crystal import Crystal, StructureFactors

ORTHORHOMBIC = (41.0, 53.0, 67.0, 90.0, 90.0, 90.0)
HKL = np.array([[1, 2, 3], [4, 0, 7], [-3, 5, 2], [6, 1, -4]])


@pytest.fixture(scope="module")
def table():
    return StructureFactors.wilson(
        ORTHORHOMBIC, "P 21 21 21", 2.0, 10_000, 20.0, np.random.default_rng(3)
    )


@pytest.mark.parametrize(
    "cell",
    [
        (50, 50, 50, 90, 90, 90), (50, 50, 70, 90, 90, 90), (40, 50, 60, 90, 90, 90),
        (50, 50, 50, 70, 70, 70),
        (50, 50, 80, 90, 90, 120), (40, 50, 60, 90, 104, 90), (40, 50, 60, 80, 95, 110),
    ],
)  # fmt: skip
def test_cells_of_all_seven_systems_agree_with_gemmi(cell):
    theirs = np.array(gemmi.UnitCell(*cell).orth.mat.tolist()).T
    assert np.allclose(crystal.cell_vectors(*cell), theirs)


@pytest.mark.parametrize(
    "cell", [(-5, 5, 5), (5, 5, 5, 90, 90, 200), (5, 5, 5, 30, 30, 120), (np.nan, 5, 5)]
)
def test_impossible_cells_are_refused(cell):
    with pytest.raises(InputError, match="unit cell"):
        crystal.cell_vectors(*cell)


def test_orientations_are_uniform(rng):
    turned = np.array([crystal.random_orientation(rng) for _ in range(2000)])
    assert np.allclose(turned @ turned.transpose(0, 2, 1), np.eye(3))
    # For a uniform rotation every matrix element is uniform on [-1, 1] (Archimedes).
    for element in (turned[:, 0, 0], turned[:, 1, 2], turned[:, 2, 1]):
        assert stats.kstest(element, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    # The angle's density is (1 - cos a) / pi.
    angle = np.arccos((np.trace(turned, axis1=1, axis2=2) - 1) / 2)
    assert stats.kstest(angle, lambda a: (a - np.sin(a)) / np.pi).pvalue > 1e-3


def test_mosaic_domains_start_unrotated_and_stay_within_the_spread(rng):
    domains = crystal.mosaic_domains(rng, 0.5, 400)
    angles = np.degrees(np.arccos(np.clip((np.trace(domains, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert np.array_equal(domains[0], np.eye(3))
    assert angles.max() <= 0.5 + 1e-6 and angles.max() > 0.49
    assert np.allclose(np.linalg.det(domains), 1)


def test_wilson_table_obeys_friedel_symmetry_and_absences(table):
    values = table(HKL)
    assert np.all(values > 0)
    for mate in (
        [-1, -1, -1],
        [-1, 1, 1],
        [1, -1, 1],
        [1, 1, -1],
        [-1, -1, 1],
    ):  # point group 222 and Friedel
        assert np.array_equal(table(HKL * mate), values)
    axis = np.zeros((10, 3), int)
    axis[:, 1] = np.arange(1, 11)  # 0 k 0: only even k in P212121
    assert np.array_equal(table(axis) > 0, axis[:, 1] % 2 == 0)


def normalised_intensities(cell, space_group, d_min):
    """Miller indices and F^2 over its mean, the mean by hand for 5000 atoms of protein with B = 10
    A^2.
    """
    factors = StructureFactors.wilson(
        cell, space_group, d_min, 5000, 10.0, np.random.default_rng(1)
    )
    hkl = np.argwhere(factors.table > 0) + np.array(factors.origin)
    s2 = gemmi.UnitCell(*cell).calculate_1_d2_array(hkl.astype(np.int32)) / 4
    shares = {"C": 0.63, "N": 0.17, "O": 0.195, "S": 0.005}
    f2 = sum(
        share * np.vectorize(gemmi.Element(e).it92.calculate_sf)(s2) ** 2
        for e, share in shares.items()
    )
    mean = 5000 * f2 * np.exp(-2 * 10 * s2) * (1 - 0.8 * np.exp(-200 * s2)) ** 2
    return hkl, factors(hkl).astype(float) ** 2 / mean


# <F^4> / <F^2>^2 is 3 for a real normal structure factor and 2 for a complex one (Wilson, 1949).
@pytest.mark.parametrize(("space_group", "ratio"), [("P -1", 3), ("P 1", 2)])
def test_wilson_intensities_follow_the_law_of_their_kind(space_group, ratio):
    _, e2 = normalised_intensities((40, 50, 60, 80, 95, 110), space_group, 2.0)
    assert e2.mean() == pytest.approx(1, abs=0.03) and np.mean(e2**2) == pytest.approx(
        ratio, rel=0.06
    )
    law = stats.chi2(1) if space_group == "P -1" else stats.expon
    assert stats.kstest(np.unique(e2), law.cdf).pvalue > 1e-3  # each value once, without its mate


def test_only_the_zones_across_the_axes_are_centric_in_an_orthorhombic_crystal():
    hkl, e2 = normalised_intensities((70, 80, 90, 90, 90, 90), "P 21 21 21", 2.0)
    zeros = (hkl == 0).sum(axis=1)
    for n, ratio, within in ((0, 2, 0.1), (1, 3, 0.5)):
        assert e2[zeros == n].mean() == pytest.approx(1, abs=0.1)
        assert np.mean(e2[zeros == n] ** 2) == pytest.approx(ratio, abs=within)
    coarse = np.sum((hkl / [70, 80, 90]) ** 2, axis=1) < 1 / 7**2  # where the solvent takes half
    assert e2[coarse].mean() == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(
    ("centred", "primitive", "cell", "d_min"),
    [
        ("C 2", "P 2", (60, 50, 70, 90, 104, 90), 3.0),
        ("I 2 2 2", "P 2 2 2", (50, 60, 70, 90, 90, 90), 2.6),
        ("F 4 3 2", "P 4 3 2", (70, 70, 70, 90, 90, 90), 1.8),
        ("R 3:H", "P 3", (70, 70, 80, 90, 90, 120), 2.4),
    ],
)  # fmt: skip
def test_centring_moves_the_scattering_to_fewer_reflections_and_loses_none(
    centred, primitive, cell, d_min
):
    def total(group):
        tables = (
            StructureFactors.wilson(cell, group, d_min, 5000, 10.0, np.random.default_rng(k))
            for k in range(4)
        )
        return np.mean([np.sum(factors.table.astype(float) ** 2) for factors in tables])

    # The same atoms in the same cell: the density's mean square, and so the sum of F^2, does not
    # depend on symmetry.
    assert total(centred) == pytest.approx(total(primitive), rel=0.08)


def test_f_square_at_zero_angle_without_solvent_counts_the_electrons():
    # sum of f(0)^2 over the composition, from the atomic numbers
    z2 = sum(
        share * gemmi.Element(e).atomic_number ** 2
        for e, share in structure_factors.COMPOSITION.items()
    )
    assert structure_factors.mean_square_form_factor(np.zeros(1))[0] == pytest.approx(z2, rel=1e-2)


def test_tables_are_zero_outside():
    factors = StructureFactors.from_hkl([[1, 0, 0], [2, 0, -3]], [5.0, 7.0])
    assert factors([[1, 0, 0], [2, 0, -3], [1, 0, -1], [9, 9, 9], [-1, 0, 0]]).tolist() == [
        5,
        7,
        0,
        0,
        0,
    ]


def test_text_tables_are_read_and_bad_ones_refused(tmp_path):
    path = tmp_path / "f.hkl"
    path.write_text("1 2 3 10.5\n-1 0 2 4\n")
    assert StructureFactors.from_text(path)([[1, 2, 3], [-1, 0, 2]]).tolist() == [10.5, 4]
    path.write_text("1 2 three 4\n")
    with pytest.raises(InputError, match="h k l F"):
        StructureFactors.from_text(path)


@pytest.mark.parametrize(("text", "word"), [("nonsense", "no atoms"), ("END\n", "no atoms")])
def test_models_without_atoms_are_refused(tmp_path, text, word):
    path = tmp_path / "bad.pdb"
    path.write_text(text)
    with pytest.raises(InputError, match=word):
        StructureFactors.from_model(path, 3.0)


def test_models_without_a_cell_are_refused(tmp_path):
    path = tmp_path / "atom.pdb"
    path.write_text(
        "ATOM      1  CA  ALA A   1      11.104   6.134  -6.504  1.00  0.00           C\nEND\n"
    )
    with pytest.raises(InputError, match="CRYST1"):
        StructureFactors.from_model(path, 3.0)


def test_crystals_refuse_what_is_no_crystal(table):
    vectors = crystal.cell_vectors(*ORTHORHOMBIC)
    with pytest.raises(InputError, match="right-handed"):
        Crystal(vectors[[1, 0, 2]], (2, 2, 2), table)
    with pytest.raises(InputError, match="n_cells"):
        Crystal(vectors, (0, 2, 2), table)
    with pytest.raises(InputError, match="rotation"):
        Crystal(vectors, (2, 2, 2), table).rotated(np.diag([1, 1, 1.1]))
    with pytest.raises(InputError, match="space group"):
        StructureFactors.wilson(ORTHORHOMBIC, "P 99", 4.0, 1000, 20.0, np.random.default_rng(0))
