import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score
from statsmodels.stats.proportion import proportion_confint

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.splits import family_split, random_split, top_k_accuracy


def test_random_split_takes_a_fifth_of_each_class():
    labels = np.repeat([2, 14, 225], [50, 100, 10])
    train, test = random_split(labels, np.random.default_rng(0))
    assert sorted([*train, *test]) == list(range(160))
    assert np.unique(labels[test], return_counts=True)[1].tolist() == [10, 20, 2]


def test_families_are_never_on_both_sides():
    families = np.random.default_rng(1).integers(0, 60, 1000).astype(str)
    train, test = family_split(families, np.random.default_rng(2))
    assert sorted([*train, *test]) == list(range(1000))
    assert not set(families[train]) & set(families[test])
    assert 190 <= len(test) <= 210


@pytest.mark.parametrize("seed", range(20))
def test_a_very_large_family_does_not_overshoot_the_share(seed):
    rng = np.random.default_rng(seed)
    families = np.array(["large"] * 900 + [f"mid {k % 9}" for k in range(270)] + list("abc") * 10)
    families = np.concatenate([families, rng.integers(0, 400, 800).astype(str)])
    _, test = family_split(families, rng)
    assert 0.19 <= len(test) / len(families) <= 0.21
    assert "large" not in families[test]


@pytest.mark.parametrize("families", [["a", "a"], ["a", "a", "b", "b"]])
def test_families_that_cannot_be_split_are_refused(families):
    with pytest.raises(InputError):
        family_split(families, np.random.default_rng(0))


@pytest.mark.parametrize("k", [1, 3, 6])
def test_top_k_agrees_with_other_libraries(k):
    rng = np.random.default_rng(3)
    scores, truth = rng.random((400, 9)), np.arange(400) % 9
    share, interval = top_k_accuracy(scores, truth, k)
    assert share == pytest.approx(top_k_accuracy_score(truth, scores, k=k))
    assert interval == pytest.approx(proportion_confint(round(share * 400), 400, method="wilson"))
    with pytest.raises(InputError):
        top_k_accuracy(scores, truth, 10)
