"""Tables, curves and prices, against counts by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import scores
from diffranet_utils.studies.drops.labels import Label


def test_rows_of_the_confusion_sum_to_one_where_there_are_pictures():
    fractions = scores.row_fractions([[3, 1], [0, 0]])
    assert fractions[0].tolist() == [0.75, 0.25] and np.isnan(fractions[1]).all()


def test_spread_is_the_standard_deviation_over_groups():
    truth = np.full(8, Label.CLEAR)
    predicted = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    spread = scores.spread_over_groups(truth, predicted, ["a"] * 4 + ["b"] * 4)
    assert spread[0, 0] == pytest.approx(np.std([1, 0.5], ddof=1))
    assert np.isnan(spread[1]).all()


def test_precision_and_recall_of_crystals_as_scikit_learn_has_them():
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, 4, (2, 300))
    found = scores.crystal_scores(truth, predicted)
    crystals = truth == Label.CRYSTALS, predicted == Label.CRYSTALS
    assert found["precision"]["value"] == pytest.approx(precision_score(*crystals))
    assert found["recall"]["value"] == pytest.approx(recall_score(*crystals))
    assert scores.crystal_scores([0, 0], [0, 2])["precision"] is None


def test_auc_as_scikit_learn_has_it_and_an_interval_around_it():
    rng = np.random.default_rng(2)
    positive = rng.random(400) < 0.2
    score = np.round(positive + rng.normal(0, 1, 400), 1)  # with ties
    entry = scores.auc_entry(positive, score, rng)
    assert entry["value"] == pytest.approx(roc_auc_score(positive, score))
    assert entry["low"] < entry["value"] < entry["high"]


def test_recall_at_a_rate_of_false_positives_counted_by_hand():
    positive = np.array([1, 1, 0, 1, 0, 0, 0, 0], dtype=bool)
    curve = scores.roc(positive, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert curve.recall_at(0)["value"] == pytest.approx(2 / 3)
    assert curve.recall_at(0.2)["value"] == 1
    assert curve.at_threshold(0.6) == (0.2, 1.0)
    with pytest.raises(InputError):
        scores.roc(np.ones(3, dtype=bool), [1, 2, 3])


def test_price_of_perfect_blind_and_lazy_screening():
    assert scores.looks_per_thousand(0, 1, 0.02, 100) == pytest.approx(20)
    assert scores.looks_per_thousand(1, 1, 0.02, 100) == pytest.approx(1000)
    assert scores.looks_per_thousand(0, 0, 0.02, 100) == pytest.approx(2000)


def test_the_best_threshold_costs_no_more_than_looking_at_all():
    rng = np.random.default_rng(3)
    positive = rng.random(500) < 0.3
    curve = scores.roc(positive, 2 * positive + rng.normal(0, 1, 500))
    for row in scores.price_table(curve, curve):
        assert row["looks"] <= min(row["look_at_all"], row["look_at_none"]) + 1e-9
