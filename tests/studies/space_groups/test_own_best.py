import warnings

import numpy as np
import pytest

from diffranet_utils.studies.space_groups import own_best
from diffranet_utils.studies.space_groups.collection import Collection
from diffranet_utils.studies.space_groups.models import (
    N_CLASSES,
    ResidualPairNetwork,
    ResidualSettings,
    logistic_regression,
)

SMALL = ResidualSettings(widths=(4,), hidden=8)


def curves(n=60):
    rng = np.random.default_rng(1)
    labels = np.arange(n) % 3
    x = rng.random((n, 209)) * 0.2
    x[np.arange(n), 20 + 15 * labels] = 1
    text = np.array(["a"] * n)
    return Collection(x.astype(np.float32), labels, text, text, np.full(n, -1))


def test_network_and_trees_count_alike():
    train = curves()
    trees = own_best.featured_trees(train, 20, 0)
    model = own_best.OwnModel(ResidualPairNetwork(SMALL).eval(), trees)
    answers = model.answers(train.x)
    assert answers.shape == (60, N_CLASSES)
    assert answers.sum(axis=1) == pytest.approx(1)
    of_network = 2 * answers - model.of_trees(train.x)
    np.testing.assert_allclose(of_network, model.of_network(train.x), atol=1e-9)
    assert (model.of_trees(train.x).argmax(axis=1) == train.labels).all()


def test_linear_models_stop_after_their_passes_without_a_word():
    train = curves()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = logistic_regression(passes=5).fit(train.x, train.labels)
    assert model[-1].n_iter_ == 5
    assert model.score(train.x, train.labels) > 0.9
