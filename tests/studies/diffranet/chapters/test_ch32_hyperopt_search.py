"""What a search means: seeds, bins of visible spots, peeking, and the baseline of counted spots."""

from dataclasses import replace

import numpy as np
import pytest

from diffranet_utils.records.provenance import start_run
from diffranet_utils.search import tpe as search
from diffranet_utils.studies.diffranet.chapters import ch32_hyperopt_search as search_analysis
from diffranet_utils.studies.diffranet.experiment import Borders
from diffranet_utils.studies.diffranet.study import STUDY
from tests.data.test_split import resized
from tests.search.test_tpe import FOREST, MACHINE, make_split


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(5)
    return {
        name: make_split(rng, n) for name, n in (("train", 60), ("validation", 40), ("test", 40))
    }


@pytest.fixture
def run(tmp_path):
    made = start_run(STUDY, "smoke", 4, tmp_path / "data", tmp_path / "results")
    return replace(made, preset=resized(made.preset, "search", n_evaluations=6, n_sift=None))


def test_a_machine_has_no_seed_and_a_forest_has(splits, run):
    evaluator = search.Evaluator(splits["train"], splits["test"], run)
    machine, _, _ = search_analysis.over_seeds(evaluator, MACHINE, run)
    assert len(machine["accuracies"]) == 2 and np.ptp(machine["accuracies"]) == 0
    small = FOREST | {"n_trees": 3}
    forest, model, (x, y, x_test) = search_analysis.over_seeds(evaluator, small, run)
    assert np.ptp(forest["accuracies"]) > 0
    assert forest["interval"]["low"] < np.mean(forest["accuracies"]) < forest["interval"]["high"]
    again = search_analysis.make_classifier(small, run.seed).fit(x, y)
    assert np.array_equal(model.predict(x_test), again.predict(x_test))
    drops = search_analysis.importance(model, x_test, splits["test"].labels, small, run)
    assert set(drops) == {
        "contrast",
        "dissimilarity",
        "homogeneity",
        "ASM",
        "energy",
        "correlation",
    }


def test_bins_hold_every_image_once():
    n_visible, wrong = (
        np.array([0, 0, 5, 49, 50, 699, 700, 9999]),
        np.array([1, 0, 0, 1, 0, 0, 0, 1], bool),
    )
    rows = search_analysis.by_visible(n_visible, {"rf": wrong}, Borders(50, 700, 2500))
    assert sum(row["rf"]["n"] for row in rows) == 8
    first = rows[0]
    assert (first["low"], first["high"], first["rf"]["value"], first["rf"]["n"]) == (0, 1, 0.5, 2)
    assert {row["low"] for row in rows} == {0, 1, 35, 50, 600, 700, 4000}


def test_peeking_flatters(splits, run):
    evaluator = search.Evaluator(splits["train"], splits["test"], run)
    ladder = [MACHINE | {"C": c} for c in (0.03125, 2.0, 32.0)]
    trials = [
        {"status": "ok", "config": c, "accuracy": a}
        for c, a in zip(ladder, (0.9, 0.7, 0.8), strict=True)
    ]
    found = search_analysis.peeking([*trials, {"status": "failed", "config": FOREST}], evaluator)
    assert (
        found["honest"] == evaluator(ladder[0])["accuracy"] and found["peeked"] >= found["honest"]
    )
    assert [row["validation"] for row in found["rows"]] == [0.9, 0.8, 0.7]


def test_spots_alone_tell_plain_classes_apart(splits):
    values, details = search_analysis.spot_count(splits["validation"], splits["test"])
    assert (
        values["spot_count_test_accuracy"]["value"] > 0.7
    )  # a fifth by chance; spots of these images are plain
    assert 1 <= len(details["borders"]) <= 4
    assert {row["what"] for row in details["borders"]} <= {"spots", "mean grey"}
    assert np.sum(details["confusion"]) == 40
