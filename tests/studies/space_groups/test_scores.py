import numpy as np
import pytest

from diffranet_utils.studies.space_groups import scores
from diffranet_utils.studies.space_groups.labels import NUMBERS
from diffranet_utils.studies.space_groups.models import N_CLASSES
from diffranet_utils.studies.space_groups.splits import top_k_accuracy


def drawn(n=400, seed=3):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(N_CLASSES, 0.1), n)
    truth = np.array([rng.choice(N_CLASSES, p=row) for row in probabilities])
    return probabilities, truth


def test_ranks_by_hand():
    probabilities = [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.2, 0.6]]
    assert scores.ranks(probabilities, [1, 1, 0]).tolist() == [1, 3, 2]


@pytest.mark.parametrize("k", [1, 3, 6])
def test_top_entry_agrees_with_top_k_accuracy(k):
    probabilities, truth = drawn()
    share, interval = top_k_accuracy(probabilities, truth, k)
    entry = scores.top_entry(probabilities, truth, k)
    assert (entry["value"], entry["n"]) == (pytest.approx(share), 400)
    assert (entry["low"], entry["high"]) == pytest.approx(interval)


def test_accuracies_rise_and_groups_add_up():
    probabilities, truth = drawn()
    values = [entry["value"] for entry in scores.accuracies(probabilities, truth)]
    assert values == sorted(values)
    rows = scores.group_rows(probabilities, truth, truth)
    assert sum(row["n"] for row in rows) == len(truth)
    assert sum(row["n"] * row["right"] for row in rows) == pytest.approx(values[0] * len(truth))


def test_confusion_counts_every_structure_once():
    probabilities, truth = drawn()
    counts = scores.confusion_counts(probabilities, truth)
    assert counts.sum() == len(truth)
    assert np.trace(counts) == (probabilities.argmax(axis=1) == truth).sum()


def test_an_error_between_group_and_subgroup_is_related():
    counts = np.zeros((N_CLASSES, N_CLASSES), int)
    fm3m, f43m, p1 = (NUMBERS.index(number) for number in (225, 216, 2))
    counts[fm3m, f43m], counts[fm3m, p1] = 3, 1
    entry, expected = scores.related_share(counts)
    assert (entry["value"], entry["n"]) == (0.75, 4)
    assert expected == pytest.approx(0.75)  # its answers are all that there is to draw from


def test_a_teardrop_ranks_first():
    counts = np.eye(N_CLASSES, dtype=int)
    counts[:, NUMBERS.index(2)] = 1
    rows = {row["group"]: row for row in scores.teardrops(counts)}
    assert rows[2] == {"group": 2, "wrong": 44, "groups": 44, "rank": 1}
    assert rows[62]["wrong"] == 0


def test_honest_probabilities_need_no_temperature():
    probabilities, truth = drawn(4000)
    assert scores.best_temperature(probabilities, truth) == pytest.approx(1, abs=0.08)
    rows, error = scores.reliability(probabilities, truth)
    assert sum(row["n"] for row in rows) == 4000
    assert error < 0.03


def test_a_boastful_model_is_softened_back():
    probabilities, truth = drawn(4000)
    boastful = scores.softened(probabilities, 0.5)
    temperature = scores.best_temperature(boastful, truth)
    assert temperature == pytest.approx(2, rel=0.1)
    np.testing.assert_allclose(scores.softened(boastful, 2.0), probabilities, atol=1e-4)
