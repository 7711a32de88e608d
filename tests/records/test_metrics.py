"""Intervals, matrices and tests against closed forms, SciPy and scikit-learn."""

from enum import IntEnum

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, precision_score, recall_score

from diffranet_utils.core.errors import InputError
from diffranet_utils.records import metrics

Five = IntEnum("Five", "A B C D E")


@pytest.mark.parametrize(("n_right", "n"), [(0, 10), (10, 10), (3, 7), (150, 200), (12411, 12599)])
def test_wilson_interval_matches_scipy_and_the_closed_form(n_right, n):
    low, high = metrics.wilson_interval(n_right, n)
    assert (low, high) == pytest.approx(
        binomtest(n_right, n).proportion_ci(0.95, "wilson"), abs=1e-12
    )
    z, p = 1.959963984540054, n_right / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    assert (low, high) == pytest.approx((max(centre - half, 0), min(centre + half, 1)), abs=1e-9)


@pytest.mark.parametrize(("n_right", "n"), [(1, 0), (5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(n_right, n):
    with pytest.raises(InputError, match=f"{n_right} of {n}"):
        metrics.wilson_interval(n_right, n)


def test_accuracy_counts_equal_labels():
    entry = metrics.accuracy([1, 2, 3, 4, 5], [1, 2, 3, 3, 5])
    assert entry["value"] == pytest.approx(0.8) and entry["n"] == 5
    assert entry["low"] < 0.8 < entry["high"]


def above_two(labels):
    return np.asarray(labels) > 2


def test_hit_accuracy_forgives_confusion_among_hits():
    assert metrics.hit_accuracy([1, 2, 3, 4, 5], [2, 1, 5, 3, 4], above_two)["value"] == 1.0
    assert metrics.hit_accuracy([2, 3], [3, 2], above_two)["value"] == 0.0


def test_labels_and_predictions_must_pair_up():
    with pytest.raises(InputError, match="give one each"):
        metrics.accuracy([1, 2, 3], [1, 2])


@pytest.fixture
def labelled(rng):
    truth = rng.integers(1, 6, 400)
    predicted = np.where(rng.random(400) < 0.8, truth, rng.integers(1, 6, 400))
    return truth, predicted


def test_confusion_counts_pairs(labelled):
    matrix = metrics.confusion(*labelled, Five)
    for (row, column), count in np.ndenumerate(matrix):
        assert count == sum(pair == (row + 1, column + 1) for pair in zip(*labelled, strict=True))


def test_confusion_wants_labels_that_occur():
    with pytest.raises(InputError, match="7, 8"):
        metrics.confusion([1, 2], [1, 2], [7, 8])


def test_per_class_matches_scikit_learn(labelled):
    table = metrics.per_class(metrics.confusion(*labelled, Five), list("abcde"))
    np.testing.assert_allclose(table["recall"], recall_score(*labelled, average=None))
    np.testing.assert_allclose(table["precision"], precision_score(*labelled, average=None))
    assert (
        (table["recall low"] < table["recall"]) & (table["recall"] < table["recall high"])
    ).all()


def test_an_absent_class_has_no_recall():
    table = metrics.per_class([[0, 0], [1, 3]], ["absent", "present"])
    assert np.isnan(table.loc["absent", "recall"]) and table.loc["absent", "n"] == 0
    assert table.loc["present", "recall"] == 0.75 and table.loc["absent", "precision"] == 0


def test_balanced_accuracy_matches_scikit_learn(labelled):
    entry = metrics.balanced_accuracy(*labelled)
    assert entry["value"] == pytest.approx(balanced_accuracy_score(*labelled))
    assert entry["low"] < entry["value"] < entry["high"]


def test_balanced_interval_of_perfect_recalls_still_admits_doubt():
    entry = metrics.balanced_accuracy([1, 1, 1, 2, 2], [1, 1, 1, 2, 2])
    lows = [binomtest(n, n).proportion_ci(0.95, "wilson")[0] for n in (3, 2)]
    assert (entry["value"], entry["high"]) == (1, pytest.approx(1))
    assert entry["low"] == pytest.approx(1 - np.hypot(1 - lows[0], 1 - lows[1]) / 2)


def test_balanced_interval_has_the_width_of_the_normal_one(labelled):
    truth, predicted = labelled
    entry = metrics.balanced_accuracy(truth, predicted)
    recalls = [(predicted[truth == k] == k).mean() for k in range(1, 6)]
    variance = sum(p * (1 - p) / (truth == k).sum() for k, p in enumerate(recalls, 1)) / 25
    assert entry["high"] - entry["low"] == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.1)


@pytest.mark.parametrize(("first_only", "second_only"), [(10, 2), (0, 6), (5, 5)])
def test_mcnemar_is_the_binomial_test(first_only, second_only):
    right, wrong = 1, 2
    truth = np.full(first_only + second_only + 20, right)
    first, second = truth.copy(), truth.copy()
    second[:first_only] = wrong
    first[first_only : first_only + second_only] = wrong
    first[-3:] = second[-3:] = wrong  # both wrong: says nothing about the difference
    result = metrics.mcnemar(truth, first, second)
    expected = binomtest(first_only, first_only + second_only).pvalue
    assert (result["first_only"], result["second_only"]) == (first_only, second_only)
    assert result["p"] == pytest.approx(expected)


def test_mcnemar_of_equal_models():
    assert metrics.mcnemar([1, 2], [1, 1], [1, 1])["p"] == 1.0


def test_mean_interval_by_hand():
    entry = metrics.mean_interval([0.8, 0.9, 1.0])
    assert entry["value"] == pytest.approx(0.9)
    half = 4.302652729911275 * 0.1 / np.sqrt(3)  # Student's t, 2 degrees of freedom
    assert (entry["low"], entry["high"]) == pytest.approx((0.9 - half, 0.9 + half))
    with pytest.raises(InputError, match="at least two"):
        metrics.mean_interval([0.5])


def test_seven_scores_against_sums_by_hand():
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    scores = metrics.seven_scores(truth, predicted, np.eye(3)[predicted])
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores["precision"] == pytest.approx((3 * 2 / 3 + 2 * 2 / 3 + 0) / 6)
    chance = (3 * 3 + 2 * 3 + 1 * 0) / 36
    assert scores["kappa"] == pytest.approx((4 / 6 - chance) / (1 - chance))
    covariance = 4 * 6 - (3 * 3 + 2 * 3 + 1 * 0)
    assert scores["mcc"] == pytest.approx(covariance / np.sqrt((36 - 18) * (36 - 14)))
    areas = (2 / 3 + 2 / 3) / 2, (1 + 3 / 4) / 2, (0 + 1) / 2
    assert scores["auc"] == pytest.approx(np.dot(areas, (3, 2, 1)) / 6)
    assert np.isnan(metrics.seven_scores([0, 1], [0, 1], np.eye(3)[:2])["auc"])
