"""The judge of whole frames: its trees against scikit-learn, its file, and plain cases."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.screening import judge as judging
from diffranet_utils.screening.evidence import DIRECTIONS, NAMES, gather
from diffranet_utils.screening.screener import Screener


@pytest.fixture(scope="module")
def boosting():
    x = np.random.default_rng(5).normal(size=(300, len(NAMES)))
    return HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(
        x, x[:, 2] + x[:, 5] > 0
    ), x


def test_trees_give_what_scikit_learn_gives(boosting, tmp_path):
    fitted, x = boosting
    judging.save(judging.from_boosting(fitted, {"hit": 0.9, "miss": 0.1}), tmp_path / "j.json")
    judge = judging.load(tmp_path / "j.json")
    wanted = fitted.predict_proba(x[:40])[:, 1]
    np.testing.assert_allclose([judge.probability(row) for row in x[:40]], wanted, atol=1e-6)


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match="none.json"):
        judging.load(tmp_path / "none.json")
    for text in ("{", "[]", '{"features": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=r"bad\.json"):
            judging.load(tmp_path / "bad.json")


def test_more_evidence_never_speaks_against_diffraction():
    judge, rng = judging.load(), np.random.default_rng(3)
    for name, direction in DIRECTIONS.items():
        rows = np.tile(rng.uniform(0, 2, len(NAMES)), (20, 1))
        rows[:, NAMES.index(name)] = np.linspace(0, 6, 20)
        chances = np.array([judge.probability(row) for row in rows])
        assert (direction * np.diff(chances) >= -1e-9).all()


@pytest.mark.parametrize("level", [0.01, 3.0, 2000.0])
def test_a_blank_array_is_a_miss(level, rng):
    record = Screener(judging.load()).screen(rng.poisson(level, (600, 500)).astype(np.uint16))
    assert record["verdict"] == "miss" and record["n_spots"] < judging.FEW


def test_evidence_does_not_change_with_the_type(rng):
    counts = rng.poisson(4, (300, 300)).astype(np.uint16)
    for slow, fast in rng.integers(10, 290, (30, 2)):
        counts[slow : slow + 3, fast : fast + 3] += 40
    features = [gather(counts.astype(kind)).features for kind in ("uint16", "int32", "uint32")]
    np.testing.assert_allclose(features[1:], [features[0]] * 2)
    assert gather(counts).n_spots >= 25
