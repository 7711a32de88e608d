"""Similarity search on points whose neighbours are known."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.learning.neighbours import nearest, nearest_by_graph, precision_at


def test_neighbours_on_a_line():
    table = np.arange(6.0)[:, None]
    rows = nearest(table, np.array([[0.1], [4.9]]), 2)
    assert rows.tolist() == [[0, 1], [5, 4]]
    with pytest.raises(InputError):
        nearest(table, table, 7)


def test_columns_count_alike_whatever_their_unit():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(50, 2))
    large = table * [1, 1000]
    assert np.array_equal(nearest(table, table, 5), nearest(large, large, 5))


def test_precision_is_the_share_of_the_own_class():
    rows = np.array([[0, 1], [2, 3]])
    assert precision_at(rows, [0, 0, 0, 1], [0, 1]).tolist() == [1.0, 0.5]


def test_a_graph_finds_nearly_all_true_neighbours():
    pytest.importorskip("faiss", reason="faiss is not installed")
    rng = np.random.default_rng(2)
    table, queries = rng.normal(size=(800, 12)), rng.normal(size=(50, 12))
    exact, graph = nearest(table, queries, 10), nearest_by_graph(table, queries, 10)
    shared = [len(set(a) & set(b)) for a, b in zip(exact, graph, strict=True)]
    assert np.mean(shared) > 9.5 and np.array_equal(graph[:, 0], exact[:, 0])
