import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.augment import Variety, varied_curve
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import PairSettings, pair_curve

POLONIUM = CrystalStructure(np.eye(3) * 3.35, np.zeros((1, 3)), [84])
NONE = {
    "u_iso_A2": (0.008,) * 2,
    "q_max": (23.0,) * 2,
    "q_damp": (0.04,) * 2,
    "shift_A": 0,
    "strain": 0,
    "noise": 0,
}


def test_no_variety_leaves_the_curve():
    curve = varied_curve(POLONIUM, Variety(**NONE), np.random.default_rng(0))
    np.testing.assert_allclose(curve, pair_curve(POLONIUM))


@pytest.mark.parametrize("name", NONE)
def test_each_kind_changes_the_curve_and_keeps_its_length(name):
    variety = Variety(**{**NONE, name: getattr(Variety(), name)})
    curves = [varied_curve(POLONIUM, variety, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(curves[0], curves[1])
    assert np.abs(curves[0] - curves[2]).max() > 1e-4
    assert curves[0].shape == PairSettings().r_A.shape


@pytest.mark.parametrize("bad", [{"q_max": (28, 18)}, {"noise": -1}, {"strain": 0.9}])
def test_impossible_ranges_are_refused(bad):
    with pytest.raises(InputError):
        Variety(**bad)
