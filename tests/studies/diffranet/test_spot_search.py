"""The search over spot statistics: what its errors mean, on shots whose truth is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from diffranet_utils.instrument.detector import to_8bit
from diffranet_utils.records.provenance import start_run
from diffranet_utils.search.space import SPOT_SPACE, SPOT_STARTS
from diffranet_utils.search.tpe import Evaluator
from diffranet_utils.studies.diffranet import shots, spot_search
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.labels import Label
from diffranet_utils.studies.diffranet.study import STUDY
from tests.data.test_split import STATION, resized
from tests.search.test_tpe import make_split


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(8)
    return {
        name: make_split(rng, n) for name, n in (("train", 100), ("validation", 40), ("test", 40))
    }


@pytest.fixture
def run(tmp_path):
    made = start_run(STUDY, "smoke", 4, tmp_path / "data", tmp_path / "results")
    return replace(made, preset=resized(made.preset, "search", n_spot_evaluations=3))


def rows_of(split, n_visible=10**5):
    return pd.DataFrame({"n_visible": np.full(len(split.labels), n_visible)})


def test_plain_spots_are_told_apart_and_errors_named(splits, run):
    rows = rows_of(splits["test"])  # far from every border: none is exposed anew
    values, details = spot_search.spot_search(run, splits, rows, splits["test"].labels)
    assert set(details) == {"trials", "describe", *SPOT_SPACE.extractors}
    for kind in SPOT_SPACE.extractors:
        assert values[f"{kind}_test_accuracy"]["value"] > 0.7  # a fifth by chance
        n_wrong = round(40 * (1 - values[f"{kind}_test_accuracy"]["value"]))
        assert len(details[kind]["wrong"]) == n_wrong == details[kind]["mcnemar"]["second_only"]
        assert all(row["label"] != row["found"] for row in details[kind]["wrong"])
    assert [point["n"] for point in details["spots"]["learning_curve"]] == [100]
    assert details["spots"]["exposures"]["n_exposed"] == 0


def test_more_training_images_help(splits, run, monkeypatch):
    monkeypatch.setattr(spot_search, "SIZES", (6, 100))
    evaluator = Evaluator(splits["train"], splits["test"], run)
    few, many = spot_search.learning_curve(evaluator, SPOT_STARTS[0], run)
    assert (few["n"], many["n"]) == (6, 100) and len(few["accuracies"]) == spot_search.N_SEEDS
    assert few["interval"]["value"] < many["interval"]["value"]


def exposed(run, answer):
    """`exposures` of two shots near a border by a model that gives `answer(images)`."""
    station = run.preset.dataset.experiment
    test = SimpleNamespace(labels=np.array([Label.WEAK] * 2), ids=["test_000000", "test_000001"])
    rows = pd.DataFrame({"n_visible": [station.borders.weak, station.borders.weak + 1]})
    return spot_search.exposures(run, SimpleNamespace(predict=answer), test, rows)


def test_own_errors_and_noise_are_told_apart(run):
    run = replace(run, preset=resized(run.preset, "dataset", station=STATION))
    right = exposed(run, lambda images: np.full(len(images), Label.WEAK))
    assert (right["model_error"], right["noise_error"], right["agreement"]) == (0, 0, 1)
    always_wrong = exposed(run, lambda images: np.full(len(images), Label.GOOD))
    assert (always_wrong["model_error"], always_wrong["noise_error"]) == (1, 0)
    a_quarter = exposed(
        run, lambda images: np.where(np.arange(len(images)) % 4 == 0, Label.GOOD, Label.WEAK)
    )
    assert (a_quarter["model_error"], a_quarter["noise_error"]) == (0.25, 0.25)


def test_exposures_differ_by_noise_alone():
    shot = make_image(STATION, 3, "test", 1)
    expected, rng = shot.background + shot.bragg, np.random.default_rng(5)
    counts = np.stack([shots.expose(expected, STATION, rng) for _ in range(60)])
    assert np.array_equal(to_8bit(shot.counts), shot.image)
    assert np.ptp([image.sum() for image in counts]) > 0
    offset = shot.counts.mean() - expected.mean()  # that the read-out adds
    error = counts.std(axis=0).mean() / np.sqrt(counts.size)
    assert counts.mean() - expected.mean() == pytest.approx(
        offset, abs=shot.counts.std() / 50 + 5 * error
    )


def test_counter_errs_at_a_border_and_not_far_from_it():
    number = next(k for k in range(99) if make_image(STATION, 3, "test", k).truth["n_visible"] > 20)
    shot = make_image(STATION, 3, "test", number)
    n = shot.truth["n_visible"]
    at, beside, far = (
        spot_search.counter_error(shot, STATION, np.array([b])) for b in (n + 0.5, n + 3.0, 9e3)
    )
    assert at == 0.5 and 0 < beside < 0.5 and far < 1e-6
