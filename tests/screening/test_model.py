"""The shipped screener: its limits by hand, its files, and what it says of plain cases."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.features.spots import NAMES
from diffranet_utils.learning.fitted import FittedModel, save_model
from diffranet_utils.screening import model as screener_model
from diffranet_utils.screening import screener as screening
from diffranet_utils.screening.model import ScreenerModel
from diffranet_utils.studies.diffranet import crop_tables, screener_training
from diffranet_utils.studies.diffranet.study import STUDY


@pytest.fixture
def tiny(rng):
    x = np.vstack([rng.normal(k, 0.3, (30, len(NAMES))) for k in range(3)])
    labels = np.repeat([2, 3, 5], 30)
    forest = RandomForestClassifier(10, random_state=1).fit(x, labels)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    limits = {"hit": 0.3, "miss": 0.4, "distance": 20.0}
    return ScreenerModel(forest, centre, scale, ((x - centre) / scale).astype(np.float32), limits)


@pytest.fixture(scope="module")
def shipped():
    return screener_model.load()


def test_classes_missing_from_training_have_no_chance(tiny, rng):
    table = tiny.proba_features(rng.normal(1, 1, (4, len(NAMES))))
    assert table.shape == (4, 5) and not table[:, [0, 3]].any()
    np.testing.assert_allclose(table.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("chance", "distance", "answer"),
    [(0.9, 1, "hit"), (0.75, 1, "hit"), (0.1, 1, "miss"), (0.4, 1, "miss"), (0.5, 1, "unsure"), (0.9, 21, "unsure")],
)
def test_answers_by_hand(tiny, chance, distance, answer):
    assert tiny.answer(chance, distance) == answer


def test_both_answers_possible_is_unsure(tiny):
    tiny.limits = {"hit": 0.8, "miss": 0.8, "distance": 20.0}
    assert [tiny.answer(c, 0) for c in (0.1, 0.5, 0.9)] == ["miss", "unsure", "hit"]


def test_distance_by_hand(tiny):
    tiny.centre, tiny.scale = np.zeros(len(NAMES)), np.full(len(NAMES), 2.0)
    tiny.rows = np.zeros((6, len(NAMES)), np.float32)
    tiny.rows[:, 0] = [0, 1, 2, 3, 4, 50]
    x = np.zeros((1, len(NAMES)))
    assert tiny.distance(x) == pytest.approx([4])  # the fifth nearest
    x[0, 1] = 6
    assert tiny.distance(x) == pytest.approx([5])


def test_conformal_limit_covers(rng):
    # Of exchangeable doubts the limit covers 1 - alpha: checked where the answer is known, on uniform ones.
    limits = [screener_training._conformal_limit(rng.random(400)) for _ in range(200)]
    assert np.mean(limits) >= 1 - screener_training.ALPHA
    assert np.mean(limits) == pytest.approx(1 - screener_training.ALPHA, abs=0.01)
    assert screener_training._conformal_limit(np.array([0.1, 0.4])) == 0.4


def test_round_trip(tiny, tmp_path, rng):
    screener_model.save(tiny, tmp_path / "screener.skops", n=90)
    again, x = screener_model.load(tmp_path / "screener.skops"), rng.normal(1, 1, (9, len(NAMES)))
    np.testing.assert_array_equal(again.proba_features(x), tiny.proba_features(x))
    np.testing.assert_array_equal(again.distance(x), tiny.distance(x))
    assert again.limits == tiny.limits
    assert screening.load_screener(STUDY, tmp_path / "screener.skops").name == "screener.skops"


def test_a_damaged_or_foreign_file_is_refused(tiny, tmp_path, monkeypatch):
    path = tmp_path / "screener.skops"
    with pytest.raises(MissingDataError, match="train-screener"):
        screener_model.load(path)
    screener_model.save(tiny, path)
    monkeypatch.setattr(screener_model, "NAMES", ("another",))
    with pytest.raises(InputError, match="other features"):
        screener_model.load(path)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DiffranetError, match="Cannot read"):
        screener_model.load(path)


def test_a_model_works_under_any_name(tiny, tmp_path):
    screener_model.save(tiny, tmp_path / "my.skops", n=90)
    assert isinstance(screening.load_screener(STUDY, tmp_path / "my.skops").model, ScreenerModel)
    screener_model.save(tiny, tmp_path / "screener.skops", n=90)
    assert screening.load_screener(STUDY, tmp_path).name == "screener.skops"
    forest = FittedModel({"extractor": "glcm", "distances": [1], "angles_deg": [0]}, tiny.forest)
    save_model(forest, tmp_path / "forest.skops")
    assert isinstance(screening.load_screener(STUDY, tmp_path / "forest.skops").model, FittedModel)


@pytest.mark.parametrize(
    ("beside", "said"),
    [(None, "my.json beside it"), ("{", "damaged"), ("[1]", "damaged"), ("{}", "describes no model"),
     ('{"limits": {}}', "other features"), (json.dumps({"limits": {"hit": 1}, "features": NAMES}), "lacks limits"),
     (json.dumps({"limits": dict.fromkeys(screener_model.LIMITS, 0.1), "features": NAMES}), "--out .*my.skops")],
)  # fmt: skip
def test_half_a_model_gives_one_right_line(tmp_path, beside, said):
    (tmp_path / "my.skops").write_bytes(b"junk")
    if beside is not None:
        (tmp_path / "my.json").write_text(beside)
    with pytest.raises(DiffranetError, match=said) as caught:
        screening.load_screener(STUDY, tmp_path / "my.skops")
    message = str(caught.value)
    assert "elete" not in message and "32_hyperopt" not in message and "\n" not in message


def test_too_few_crops_are_refused():
    with pytest.raises(InputError, match="at least 40"):
        screener_training.train(10, 1)


def test_tables_do_not_depend_on_workers():
    one, two = (crop_tables.draw_table(22, [5, 1], n_workers=n) for n in (1, 2))
    np.testing.assert_array_equal(np.stack(one[0]), np.stack(two[0]))
    np.testing.assert_array_equal(one[1], two[1])


def test_the_shipped_model_is_small_and_knows_where_it_comes_from(shipped):
    files = [screener_model.SHIPPED, screener_model.SHIPPED.with_suffix(".json")]
    assert sum(path.stat().st_size for path in files) < 6e6
    from diffranet_utils.core.files import read_json

    facts = read_json(files[1])
    assert set(facts["scores"]) == {"random stations", *crop_tables.HELD_OUT} and len(facts["commit"]) >= 7
    for score in facts["scores"].values():
        of_kind = {kind: sum(answers.values()) for kind, answers in score["answers"].items()}
        assert sum(of_kind.values()) == screener_training.N_HELD_OUT
        assert of_kind["hit"] + of_kind["miss"] == score["accuracy"]["n"]
    assert 0 < shipped.limits["hit"] < 1 and 0 < shipped.limits["miss"] < 1


@pytest.mark.parametrize("station", list(crop_tables.HELD_OUT))
def test_the_shipped_model_is_right_on_stations_it_has_not_met(shipped, station):
    x, labels, clear = crop_tables.draw_table(24, [987, 3], station=station)
    hits = labels[clear] >= 3
    chance = shipped.proba_features(np.stack(x)[clear])[:, 2:].sum(axis=1)
    assert ((chance > 0.5) == hits).mean() >= 0.9
    answers = [shipped.answer(c, d) for c, d in zip(chance, shipped.distance(np.stack(x)[clear]), strict=True)]
    assert not any(a == "miss" for a, hit in zip(answers, hits, strict=True) if hit)


def test_what_is_no_diffraction_at_all_gets_no_hit(shipped, rng):
    images = np.stack([
        rng.integers(0, 256, (512, 512)), np.tile(np.arange(512) % 2 * 200, (512, 1)), np.zeros((512, 512))
    ]).astype(np.uint8)  # fmt: skip
    x = shipped.features(images)
    chance = shipped.proba_features(x)[:, 2:].sum(axis=1)
    answers = [shipped.answer(c, d) for c, d in zip(chance, shipped.distance(x), strict=True)]
    assert "hit" not in answers


def test_limits_are_kept_apart(tiny):
    assert dataclasses.replace(tiny, limits={"hit": 0, "miss": 0, "distance": 1}).answer(0.5, 0) == "unsure"
