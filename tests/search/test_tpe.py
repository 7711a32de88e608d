"""The joint search: its space, its repeatability, its resume, and models that load without
pickle.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from hyperopt import Trials, rand
from hyperopt.base import Domain
from sklearn.svm import SVC

from diffranet_utils.core.errors import DiffranetError, MissingDataError
from diffranet_utils.data.split import Split
from diffranet_utils.figures import search as plots_search
from diffranet_utils.learning import fitted
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier
from diffranet_utils.records.provenance import start_run
from diffranet_utils.search import space as search_space
from diffranet_utils.search import tpe as search
from diffranet_utils.search import trials
from diffranet_utils.studies.diffranet import joint_search
from diffranet_utils.studies.diffranet.labels import is_hit
from diffranet_utils.studies.diffranet.study import STUDY
from tests.data.test_split import resized

FOREST = search_space.PAPER_BEST[0] | {"n_trees": 20}
MACHINE = search_space.PAPER_BEST[1] | {"gamma": 0.0}
ONE_OF_EACH = [
    UNTUNED["rf"] | {"extractor": kind} | {name: values[0] for name, values in settings.items()}
    for kind, settings in (search_space.EXTRACTORS | search_space.SPOT_EXTRACTORS).items()
]


def make_split(rng, n, size=48):
    """Images whose classes differ in level (blank) and in number of spots."""
    labels = 1 + np.arange(n) % 5
    y, x = np.mgrid[:size, :size]
    images = []
    for label in labels:
        mean = np.full((size, size), 8.0 if label == 1 else 400.0)
        for row, column in rng.uniform(4, size - 4, ((0, 0, 0, 3, 10, 40)[label], 2)):
            mean += 8000 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 3)
        images.append(np.sqrt(rng.poisson(mean)))
    return Split(np.clip(images, 0, 255).astype(np.uint8), labels, [str(k) for k in range(n)])


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(2)
    return {
        name: make_split(rng, n) for name, n in (("train", 60), ("validation", 30), ("test", 30))
    }


@pytest.fixture
def run(tmp_path):
    made = start_run(STUDY, "smoke", 4, tmp_path / "data", tmp_path / "results")
    return replace(made, preset=resized(made.preset, "search", n_evaluations=6, n_sift=None))


def toy(config):
    """An accuracy that LBP and a large C raise; no fit."""
    value = 0.5 + 0.3 * (config["extractor"] == "lbp")
    return {"accuracy": value + 0.001 * min(config.get("C", 0), 100), "n": 10}


def test_space_is_table_8():
    sizes = {
        f"{kind}_{name}": len(values)
        for group in (search_space.EXTRACTORS, search_space.CLASSIFIERS)
        for kind in group
        for name, values in group[kind].items()
    }
    assert sizes == {
        "glcm_distances": 2**5 - 1, "glcm_angles_deg": 2**4 - 1, "lbp_points": 4, "lbp_radius": 4,
        "sift_n_words": 8,
        "rf_n_trees": 3, "rf_max_features": 4, "rf_max_depth": 7, "rf_class_weight": 5,
        "svm_C": 12, "svm_gamma": 11, "svm_class_weight": 5,
    }  # fmt: skip
    ladder = search_space.CLASSIFIERS["svm"]["C"]
    assert list(ladder) == sorted(ladder)
    assert {1.0, 2**-5, 2**15} <= set(ladder)


def test_points_and_settings_convert_both_ways():
    domain = Domain(None, search_space.PAPER_SPACE.dimensions())
    drawn = [
        document["misc"]["vals"] for document in rand.suggest(list(range(600)), domain, Trials(), 5)
    ]
    configs = [
        search_space.PAPER_SPACE.decode({k: v[0] for k, v in values.items() if len(v)})
        for values in drawn
    ]
    for config in configs:
        assert json.loads(json.dumps(config)) == config
        assert search_space.PAPER_SPACE.decode(search_space.PAPER_SPACE.encode(config)) == config
        assert set(search_space.PAPER_SPACE.encode(config)) <= set(
            search_space.PAPER_SPACE.labels()
        )
    assert {(c["extractor"], c["classifier"]) for c in configs} == {
        (e, c) for e in search_space.EXTRACTORS for c in search_space.CLASSIFIERS
    }
    # The ends of a ladder are as likely as its middle: 12 values of C, about 300 draws.
    values = [c["C"] for c in configs if c["classifier"] == "svm"]
    for end in (2**-5, 2**15):
        assert values.count(end) / len(values) == pytest.approx(1 / 12, abs=0.05)


def test_search_starts_with_the_papers_settings_and_repeats(tmp_path):
    first, again = (trials.run_search(toy, 24, 3, tmp_path / name) for name in ("a", "b"))
    assert tuple(trial["config"] for trial in first[:4]) == search_space.PAPER_BEST
    assert [t["config"] for t in first] == [t["config"] for t in again]
    other = trials.run_search(toy, 8, 4, tmp_path / "c")
    assert [t["config"] for t in first[:8]] != [t["config"] for t in other]
    shorter = trials.run_search(toy, 12, 3, tmp_path / "d")
    assert [t["config"] for t in first[:12]] == [t["config"] for t in shorter]


def test_search_learns(tmp_path):
    found = trials.run_search(toy, 50, 3, tmp_path / "t", starts=())
    late = [trial["config"]["extractor"] for trial in found[30:]]
    assert late.count("lbp") / len(late) > 0.5  # a third by chance


def test_search_resumes_after_a_kill(tmp_path):
    whole = trials.run_search(toy, 28, 9, tmp_path / "whole")
    calls = []

    def killed(config):
        if len(calls) == 24:
            raise KeyboardInterrupt
        calls.append(config)
        return toy(config)

    path = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        trials.run_search(killed, 28, 9, path)
    with path.open("a") as file:
        file.write('{"trial": 24, "con')  # cut short while writing
    fresh = []
    resumed = trials.run_search(lambda config: fresh.append(config) or toy(config), 28, 9, path)
    assert len(fresh) == 4
    assert [t["config"] for t in resumed] == [t["config"] for t in whole]
    assert len(path.read_text().splitlines()) == 29
    again = trials.run_search(lambda config: pytest.fail("fitted again"), 28, 9, path)
    assert again == resumed


def test_failed_evaluations_are_recorded(tmp_path):
    def fails(config):
        if config["extractor"] == "sift":
            raise ValueError("no keypoints\nand a second line")
        return toy(config)

    found = trials.run_search(fails, 30, 1, tmp_path / "t")
    failed = [trial for trial in found if trial["status"] == "failed"]
    assert len(found) == 30
    assert failed
    assert {trial["config"]["extractor"] for trial in failed} == {"sift"}
    assert failed[0]["reason"] == "no keypoints"
    with pytest.raises(DiffranetError, match="No sift trial succeeded"):
        trials.best_trial(found, "extractor", "sift")
    table = trials.trial_table(found)
    assert table.status.eq("failed").sum() == len(failed)
    assert trials.run_search(fails, 30, 1, tmp_path / "t") == found


def test_trials_of_other_data_are_set_aside(tmp_path):
    path = tmp_path / "t"
    trials.run_search(toy, 3, 1, path, identity="old images")
    calls = []
    trials.run_search(
        lambda config: calls.append(1) or toy(config), 3, 1, path, identity="new images"
    )
    assert len(calls) == 3
    assert (tmp_path / "t.old").exists()


def test_forged_trials_are_noticed(tmp_path):
    path = tmp_path / "t"
    trials.run_search(toy, 6, 1, path)
    lines = path.read_text().splitlines()
    trial = json.loads(lines[5])
    trial["config"]["class_weight"] = "something else"
    path.write_text("\n".join([*lines[:5], json.dumps(trial), ""]))
    with pytest.raises(DiffranetError, match="trial 4"):
        trials.run_search(toy, 6, 1, path)


def test_best_trial_is_the_first_of_equals():
    found = [
        {"trial": k, "status": "ok", "accuracy": value, "config": {"classifier": kind}}
        for k, (kind, value) in enumerate([("rf", 0.5), ("svm", 0.9), ("rf", 0.8), ("rf", 0.8)])
    ]
    assert trials.best_trial(found, "classifier", "rf")["trial"] == 2


def test_gamma_zero_means_one_over_the_number_of_features(rng):
    x, y = rng.normal(3, 7, (60, 4)), rng.integers(1, 4, 60)
    model = make_classifier(MACHINE | {"class_weight": None}).fit(x, y)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    by_hand = SVC(C=32, gamma=1 / 4).fit(scaled, y)
    np.testing.assert_allclose(
        model.decision_function(x), by_hand.decision_function(scaled), atol=1e-8
    )


def test_class_weights_follow_the_classes(rng):
    x, y = rng.normal(size=(400, 2)), np.where(rng.random(400) < 0.5, 1, 5)
    model = make_classifier(
        FOREST | {"classifier": "rf", "max_depth": 2, "class_weight": [0.35, 0.35, 0.1, 0.1, 0.1]}
    )
    share = model.fit(x, y).predict_proba(x)[:, 0].mean()
    assert share == pytest.approx(0.35 / 0.45, abs=0.06)  # no information: the weighted prior


def test_evaluator_reads_columns_and_scores_validation(splits, run):
    evaluator = search.Evaluator(splits["train"], splits["validation"], run, is_hit=is_hit)
    for config in (FOREST, MACHINE, *search_space.PAPER_BEST[2:], *ONE_OF_EACH):
        result = evaluator(config)
        model = evaluator.fit(config)
        right = (model.predict(splits["validation"].images) == splits["validation"].labels).mean()
        assert result["accuracy"] == pytest.approx(right)
        assert result["hit_accuracy"] >= result["accuracy"]
    assert (
        len(list((run.data_dir / "features").glob("glcm-*.npy"))) == 2
    )  # one table for each split, no more


def test_every_extractor_has_a_name_and_a_colour():
    assert (
        set(search_space.EXTRACTORS)
        == set(plots_search.EXTRACTOR_COLORS)
        <= set(plots_search.NAMES)
    )


def test_slow_fit_is_stopped(splits, run, tmp_path):
    evaluator = search.Evaluator(splits["train"], splits["validation"], run, timeout_s=1e-3)
    (trial,) = trials.run_search(evaluator, 1, 0, tmp_path / "t")
    assert (trial["status"], trial["reason"]) == ("failed", "TimeoutError")


@pytest.mark.parametrize(
    "config", [FOREST, MACHINE, search_space.PAPER_BEST[3]], ids=["rf", "svm", "sift"]
)
def test_models_survive_saving(splits, run, config):
    images = splits["test"].images
    model = search.Evaluator(splits["train"], splits["validation"], run).fit(config)
    path = run.models_dir / "model.skops"
    fitted.save_model(model, path, seed=4)
    loaded = fitted.load_model(path)
    labels, shares = loaded.predict(images), loaded.predict_proba(images)
    np.testing.assert_array_equal(labels, model.predict(images))
    np.testing.assert_allclose(shares, model.predict_proba(images))
    assert set(labels) <= {1, 2, 3, 4, 5}
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    if config is not search_space.PAPER_BEST[3]:
        np.testing.assert_array_equal(shares.argmax(axis=1) + 1, labels)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["config"] == config
    assert facts["seed"] == 4


def test_temperature_is_the_likeliest(splits, run):
    evaluator = search.Evaluator(splits["train"], splits["validation"], run)
    model = evaluator.fit(MACHINE)
    x, truth = model.features(splits["validation"].images), splits["validation"].labels

    def log_loss(temperature):
        model.temperature = temperature
        return -np.log(model.proba_features(x)[np.arange(len(truth)), truth - 1]).mean()

    best = model.temperature
    assert 0.01 < best < 140
    assert log_loss(best) <= min(log_loss(best * 1.2), log_loss(best / 1.2))


def test_two_classes_get_five_columns(rng):
    x, y = rng.normal(size=(40, 3)), np.repeat([2, 4], 20)
    x[y == 4] += 3
    classifier = make_classifier(MACHINE | {"class_weight": "balanced"}).fit(x, y)
    model = fitted.FittedModel(
        MACHINE, classifier, temperature=fitted.fit_temperature(classifier, x, y), n_classes=5
    )
    shares = model.proba_features(x)
    np.testing.assert_array_equal(shares[:, [0, 2, 4]], 0)
    np.testing.assert_array_equal(np.where(shares[:, 3] > 0.5, 4, 2), model.predict_features(x))


def test_damaged_models_are_refused(splits, run):
    model = search.Evaluator(splits["train"], splits["validation"], run).fit(FOREST)
    path = run.models_dir / "rf.skops"
    with pytest.raises(MissingDataError, match="rf.skops"):
        fitted.load_model(path)
    fitted.save_model(model, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DiffranetError, match="Cannot read"):
        fitted.load_model(path)
    tree = model.classifier.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = 10**9
    tree.__setstate__(state)
    fitted.save_model(model, path)
    with pytest.raises(DiffranetError, match="damaged tree"):
        fitted.load_model(path)


def test_foreign_types_are_refused(run):
    model = fitted.FittedModel(FOREST, Split(None, None, []))
    path = run.models_dir / "odd.skops"
    fitted.save_model(model, path)
    with pytest.raises(DiffranetError, match=r"diffranet_utils\.data\.split\.Split"):
        fitted.load_model(path)


def test_search_step(splits, run, monkeypatch):
    monkeypatch.setattr(joint_search, "ensure_dataset", lambda run: run.data_dir)
    monkeypatch.setattr(joint_search, "load_split", lambda root, split: splits[split])
    values, details = joint_search.search_step(run)
    assert len(details["trials"]) == 6
    for kind in ("rf", "svm"):
        loaded = fitted.load_model(run.models_dir / f"{kind}.skops")
        right = (loaded.predict(splits["test"].images) == splits["test"].labels).mean()
        assert values[f"{kind}_test_accuracy"]["value"] == pytest.approx(right)
        assert np.sum(details[kind]["confusion"]) == 30
        assert values[f"{kind}_validation_accuracy"]["value"] >= 0.5
    assert {"glcm_validation_accuracy", "lbp_validation_accuracy", "rf_hit_accuracy"} <= set(values)
    assert set(details["best_per_extractor"]) == {"glcm", "lbp", "sift"}


def test_more_classifiers_join_the_space_on_request(tmp_path, splits, run):
    wide = trials.run_search(toy, 40, 5, tmp_path / "wide", space=search_space.WIDE_SPACE)
    kinds = {trial["config"]["classifier"] for trial in wide}
    assert kinds == {"rf", "svm", "et", "boosting"}
    narrow = trials.run_search(toy, 40, 5, tmp_path / "narrow")
    assert {trial["config"]["classifier"] for trial in narrow} == {"rf", "svm"}
    lbp = {"extractor": "lbp", "points": 8, "radius": 1, "class_weight": "balanced"}
    evaluator = search.Evaluator(splits["train"], splits["validation"], run)
    for config in (
        {"classifier": "et", "n_trees": 30, "max_features": "sqrt", "max_depth": None},
        {"classifier": "boosting", "n_rounds": 20, "learning_rate": 0.3, "max_leaf_nodes": 7},
    ):
        assert evaluator(lbp | config)["accuracy"] > 0.5  # a fifth by chance
        assert (
            search_space.WIDE_SPACE.decode(
                search_space.WIDE_SPACE.encode(lbp | config | {"n_trees": 10, "n_rounds": 50})
            )
            is not None
        )


def test_table_of_trials_keeps_up(tmp_path):
    trials.run_search(toy, 5, 1, tmp_path / "t.jsonl")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 6 and lines[0].startswith("trial,")
