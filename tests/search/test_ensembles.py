"""Ensembles of trees: tuned on training folds, scored on folds that they have not seen."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from diffranet_utils.core.errors import InputError
from diffranet_utils.learning.ensembles import ENSEMBLES, make_ensemble
from diffranet_utils.search.ensembles import (
    Protocol,
    cross_validate,
    make_reducer,
    outer_folds,
    reduce_table,
    tune,
)

QUICK = Protocol(n_evaluations=2, n_inner=1, n_folds=3, seed=1)


@pytest.fixture(scope="module")
def blobs():
    """Three classes, six columns of which two tell them apart, and groups of five rows."""
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], 30)
    x = rng.normal(size=(90, 6))
    x[:, 0] += 6 * (y == 1)
    x[:, 1] += 6 * (y == 2)
    return x, y, np.repeat(np.arange(18), 5)


def test_start_settings_lie_in_the_space():
    for ensemble in ENSEMBLES.values():
        assert set(ensemble.start) == set(ensemble.values)
        assert all(ensemble.start[name] in values for name, values in ensemble.values.items())


def test_each_kind_learns_what_can_be_learned(blobs):
    x, y, _ = blobs
    for result in cross_validate(ENSEMBLES, x, y, QUICK):
        assert len(result.scores) == len(result.settings) == 3
        right = np.mean(result.predicted == y)
        assert right > 0.8
        assert np.mean([fold["accuracy"] for fold in result.scores]) == pytest.approx(right)


def test_nothing_is_learned_from_noise(blobs):
    """With labels drawn anew no protocol without leakage can be better than chance."""
    x, y, _ = blobs
    y = np.random.default_rng(8).permutation(y)
    (result,) = cross_validate(["et"], x, y, QUICK)
    assert np.mean(result.predicted == y) < 1 / 3 + 3 * np.sqrt(2 / 9 / len(y))


def test_same_seed_same_answers(blobs):
    x, y, _ = blobs
    assert tune("lightgbm", x, y, QUICK) == tune("lightgbm", x, y, QUICK)


def test_principal_components_are_those_of_the_training_rows(blobs):
    x, _, _ = blobs
    ours, theirs = reduce_table(make_reducer("pca", 5, 6), x[:60], x[60:])
    scaler = StandardScaler().fit(x[:60])
    own = PCA(5, svd_solver="full").fit(scaler.transform(x[:60]))
    assert ours.shape == (60, 5)
    assert np.allclose(np.abs(theirs), np.abs(own.transform(scaler.transform(x[60:]))))


def test_independent_components_have_unit_variance_and_find_sources():
    rng = np.random.default_rng(0)
    sources = rng.uniform(-1, 1, (2000, 2))
    mixed = sources @ np.array([[1.0, 0.6], [-0.4, 1.2]])
    found, _ = reduce_table(make_reducer("ica", 5, 2), mixed, mixed[:5])
    assert np.allclose(found.var(axis=0), 1)
    likeness = np.abs(np.corrcoef(found.T, sources.T))[:2, 2:]
    assert (likeness.max(axis=1) > 0.99).all()


def test_groups_stay_together(blobs):
    _, y, groups = blobs
    for train, test in outer_folds(y, QUICK, groups):
        assert not set(groups[train]) & set(groups[test])
        assert set(y[test]) == {0, 1, 2}
    with pytest.raises(InputError):
        outer_folds(y, Protocol(n_folds=10), groups)


def test_bad_input_is_refused():
    with pytest.raises(InputError):
        make_ensemble("svm")
    with pytest.raises(InputError):
        make_ensemble("rf", {"depth": 3})
    with pytest.raises(InputError):
        Protocol(reducer="umap")
