from dataclasses import replace

import numpy as np
import pytest

from diffranet_utils.studies.space_groups import curve_features
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import PairSettings, normalised, pair_curve

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
R_A = PairSettings().r_A


def nickel(edge_A=3.524):
    crystal = CrystalStructure(edge_A * np.eye(3), FCC, [28] * 4)
    return pair_curve(replace(crystal, orbit=np.zeros(4)))


@pytest.mark.parametrize("edge_A", [3.524, 4.05])
def test_first_distance_of_an_fcc_metal(edge_A):
    x = normalised(nickel(edge_A))[None]
    (found_A,) = curve_features.first_distances(x - np.median(x), R_A)
    assert found_A == pytest.approx(edge_A / np.sqrt(2), abs=0.02)


def test_structure_function_peaks_where_the_planes_of_nickel_reflect():
    q = curve_features.Q_PER_A
    reduced = curve_features.structure_functions(nickel()[None], R_A)[0]
    for indices in ([1, 1, 1], [2, 2, 0]):
        expected = 2 * np.pi * np.linalg.norm(indices) / 3.524
        near = np.abs(q - expected) < 0.25
        assert q[near][reduced[near].argmax()] == pytest.approx(expected, abs=0.1)


def test_a_larger_cell_is_alike_in_units_of_its_first_distance():
    small, large = curve_features.curve_features(normalised([nickel(3.5), nickel(3.7)]))
    points, scaled = slice(0, 209), slice(209 + 160, 209 + 160 + 180)
    assert np.corrcoef(small[scaled], large[scaled])[0, 1] > 0.8
    assert (
        np.corrcoef(small[scaled], large[scaled])[0, 1]
        > np.corrcoef(small[points], large[points])[0, 1]
    )
    assert len(small) == 209 + 341 and np.isfinite(small).all()


def test_a_curve_without_peaks_has_a_first_distance_all_the_same():
    rising = np.linspace(-1, 1, 209)[None]
    assert np.isfinite(curve_features.first_distances(rising, R_A)).all()
