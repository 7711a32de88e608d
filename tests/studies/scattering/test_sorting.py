"""Representations, Algorithm 1 and its kept results, on the smallest collection."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.search.ensembles import Protocol
from diffranet_utils.studies.scattering import collection as collections
from diffranet_utils.studies.scattering import sorting
from diffranet_utils.studies.scattering.kept_features import (
    Halves,
    features_of_half,
    network_of,
)
from diffranet_utils.studies.scattering.labels import TECHNIQUES, TRAIN_COUNTS
from diffranet_utils.studies.scattering.representations import (
    ALGORITHM_1,
    BY_NAME,
    NetworkSizes,
    missing_reason,
    training_set,
)

SIZES = NetworkSizes(image_size=32, width=0.125, epochs=1, fine_epochs=1, seed=4)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    counts = dict.fromkeys(TECHNIQUES, 8)
    small = collections.make_collection(counts, n_sessions=4, seed=5, size=32)
    rows = collections.split_rows(small, np.random.default_rng(1))
    return Halves(small, *rows, "random", tmp_path_factory.mktemp("features"))


def test_the_25_of_the_paper():
    names = [one.name for one in ALGORITHM_1]
    assert len(set(names)) == 25
    trainings = [one.training for one in ALGORITHM_1]
    counts = [trainings.count(t) for t in dict.fromkeys(trainings)]
    assert counts == [2, 6, 6, 6, 5]


def test_training_sets_have_the_shares_of_table_1(half):
    rng = np.random.default_rng(0)
    n = {name: len(training_set(half.collection, half.train, name, rng))
         for name in ("unbalanced", "balanced", "augmented")}  # fmt: skip
    fewest = min(TRAIN_COUNTS["UB"].values())
    assert TRAIN_COUNTS["BL"]["WAXS"] == fewest and TRAIN_COUNTS["BLA"]["WAXS"] == 4 * fewest
    assert n["augmented"] == 4 * n["balanced"] == 4 * n["unbalanced"]


def test_weights_that_nobody_has_are_named(half):
    reason = missing_reason(BY_NAME["vgg16/pre_trained"], SIZES)
    assert "vgg16.safetensors" in reason
    assert missing_reason(BY_NAME["vgg16/balanced"], SIZES) is None


def test_features_of_a_trained_network_are_kept_and_repeated(half):
    one = BY_NAME["lenet/balanced"]
    first = features_of_half(one, half, SIZES)
    again = features_of_half(one, half, SIZES)
    assert first.table.shape == (len(half.test), 192) and first.start == "scratch"
    assert first.train_s > 0 and np.array_equal(first.table, again.table)
    network, to_input = network_of(one, half, SIZES)
    found = network.features(to_input(half.collection.images[half.test]))
    assert np.allclose(found.detach().numpy(), first.table, atol=1e-5)


def test_algorithm_1_goes_on_where_it_was_stopped(half, tmp_path, monkeypatch):
    labels = half.collection.labels[half.test]
    table = features_of_half(BY_NAME["histogram"], half, SIZES).table
    protocol = Protocol(n_evaluations=1, n_inner=1, n_folds=2)
    tasks = [sorting.Task(n, table, labels, None, ("rf",), protocol) for n in ("a", "b")]
    first = sorting.sort_tables(tasks[:1], tmp_path)
    asked = []
    kernel = sorting.dask_kernel
    monkeypatch.setattr(sorting, "dask_kernel", lambda t: asked.append(t.name) or kernel(t))
    both = sorting.sort_tables(tasks, tmp_path)
    assert asked == ["b"] and both["a"] == first["a"]
    (row,) = both["b"]
    assert row["mean"]["accuracy"] == pytest.approx(np.mean(row["predicted"] == labels))
    assert set(row["mean"]) == {"accuracy", "auc", "recall", "precision", "f1", "kappa", "mcc"}


def test_the_order_of_tasks_is_kept_and_a_changed_table_is_another_task(half):
    labels = half.collection.labels[half.test]
    table = features_of_half(BY_NAME["histogram"], half, SIZES).table
    protocol = Protocol(n_evaluations=1, n_inner=1, n_folds=2)
    one = sorting.Task("a", table, labels, None, ("rf",), protocol)
    assert one.key == sorting.Task("a", table.copy(), labels, None, ("rf",), protocol).key
    assert one.key != sorting.Task("a", table + 1, labels, None, ("rf",), protocol).key


def test_unknown_training_sets_are_refused(half):
    with pytest.raises(InputError):
        training_set(half.collection, half.train, "all", np.random.default_rng(0))
