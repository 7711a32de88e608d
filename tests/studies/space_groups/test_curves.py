import json
from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import (
    STEP_A,
    PairSettings,
    distance_histogram,
    normalised,
    pair_curve,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "pdf"
CELLS = {cell["name"]: cell for cell in json.loads((GOLDEN / "cells.json").read_text())}


def crystal(name, **changes):
    cell = {**CELLS[name], **changes}
    return CrystalStructure(
        cell["lattice"], np.array(cell["frac"]), cell["z"], orbit=cell.get("orbit")
    )


@pytest.mark.parametrize("column, name", list(enumerate(CELLS, start=1)))
def test_agrees_with_pdffit2(column, name):
    table = np.loadtxt(GOLDEN / "golden_curves.csv", delimiter=",", skiprows=1)
    curve = pair_curve(crystal(name), PairSettings(q_min=0), table[:, 0])
    theirs = table[:, column]
    assert np.corrcoef(curve, theirs)[0, 1] > 0.9997
    assert curve @ theirs / (theirs @ theirs) == pytest.approx(1, abs=2e-3)


def test_curve_has_the_209_points_of_the_paper_and_is_normalised():
    x = normalised(pair_curve(crystal("rutile")))
    assert x.shape == (209,)
    assert (x.min(), x.max()) == (0, 1)


def test_nickel_has_12_neighbours_at_a_over_root_2():
    histogram = distance_histogram(crystal("Ni"), 3.0)
    distances = STEP_A * np.arange(len(histogram))
    assert histogram.sum() == pytest.approx(12)
    assert histogram @ distances / 12 == pytest.approx(3.524 / np.sqrt(2))


def test_radial_distribution_integrates_to_12_neighbours():
    settings = PairSettings(q_min=0, q_damp=0, q_broad=0)
    r = np.arange(2.1, 2.9, 0.002)
    density = 4 / 3.524**3
    radial = r * pair_curve(crystal("Ni"), settings, r) + 4 * np.pi * density * r**2
    assert radial.sum() * 0.002 == pytest.approx(12, rel=0.01)


def test_slope_below_the_first_neighbour_is_the_density():
    settings = PairSettings(q_min=0, q_damp=0)
    r = np.arange(0.2, 1.6, 0.02)
    slope = np.polyfit(r, pair_curve(crystal("Ni"), settings, r), 1)[0]
    assert slope == pytest.approx(-4 * np.pi * 4 / 3.524**3, rel=0.02)


def test_peaks_of_rock_salt_are_where_its_distances_are():
    r = np.arange(2.0, 9.0, 0.005)
    curve = pair_curve(crystal("NaCl"), r_A=r)
    for squares in (1, 2, 4, 5, 6, 8, 9):
        expected = 5.6402 / 2 * np.sqrt(squares)
        near = np.abs(r - expected) < 0.15
        assert r[near][curve[near].argmax()] == pytest.approx(expected, abs=0.02)


def test_origin_setting_and_supercell_do_not_matter():
    plain = pair_curve(crystal("triclinic"))
    lattice, frac = np.array(CELLS["triclinic"]["lattice"]), np.array(CELLS["triclinic"]["frac"])
    shifted = crystal("triclinic", frac=frac + [0.31, 0.77, -0.2])
    setting = np.array([[0, 1, 0], [1, 0, 1], [0, 0, -1]])
    other = crystal("triclinic", lattice=setting @ lattice, frac=frac @ np.linalg.inv(setting))
    twice = crystal(
        "triclinic",
        lattice=lattice * [[2], [1], [1]],
        frac=np.vstack([(frac + [k, 0, 0]) / [2, 1, 1] for k in (0, 1)]),
        z=CELLS["triclinic"]["z"] * 2,
    )
    for changed in (shifted, other, twice):
        np.testing.assert_allclose(pair_curve(changed), plain, atol=1e-8)


def test_one_centre_an_orbit_gives_the_same_curve():
    np.testing.assert_allclose(
        pair_curve(crystal("rutile", orbit=[0, 0, 2, 2, 2, 2])),
        pair_curve(crystal("rutile")),
        atol=1e-8,
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"frac": np.zeros((4, 2))},
        {"z": [0, 28, 28, 28]},
        {"lattice": np.ones((3, 3))},
        {"z": [], "frac": []},
    ],
)
def test_impossible_structures_are_refused(bad):
    with pytest.raises(InputError):
        crystal("Ni", **bad)


def test_impossible_settings_and_flat_curves_are_refused():
    with pytest.raises(InputError):
        PairSettings(q_min=23.0, q_max=0.5)
    with pytest.raises(InputError):
        PairSettings(q_damp=-1)
    with pytest.raises(InputError):
        normalised(np.ones(209))
