"""Similarity search: the images whose features lie nearest, and how many of them are of the same
class.
"""

from importlib.util import find_spec

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from diffranet_utils.core.errors import MissingDataError, require


def nearest(features, queries, k=10):
    """The nearest rows of a table for each query, by Euclidean distance of standardised columns.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        Searched; its means and spreads standardise both tables.
    queries : ndarray, shape (m, n_features)
    k : int

    Returns
    -------
    ndarray, shape (m, k), int
        Rows of `features`, nearest first.

    Raises
    ------
    InputError
        If there are fewer than `k` rows.
    """
    require(
        len(features) >= k >= 1, f"{k} neighbours of {len(features)} images: search more images."
    )
    scaler = StandardScaler().fit(features)
    search = NearestNeighbors(n_neighbors=k).fit(scaler.transform(features))
    return search.kneighbors(scaler.transform(queries), return_distance=False)


def nearest_by_graph(features, queries, k=10, links=32, effort=64):
    """Approximately the nearest rows, found by walking a graph of neighbours instead of all rows.

    Hierarchical navigable small worlds (Malkov & Yashunin 2020, doi:10.1109/TPAMI.2018.2889473) of
    faiss, on the same standardised columns as `nearest`.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
    queries : ndarray, shape (m, n_features)
    k : int
    links : int
        Neighbours that each row is linked to.
    effort : int
        Candidates kept while a row is linked in and while it is looked for.

    Returns
    -------
    ndarray, shape (m, k), int
        Rows of `features`, nearest first.

    Raises
    ------
    InputError
        If there are fewer than `k` rows.
    MissingDataError
        If faiss is not installed.
    """
    require(
        len(features) >= k >= 1, f"{k} neighbours of {len(features)} images: search more images."
    )
    if not has_graph_search():
        raise MissingDataError("The search by a graph needs faiss: install faiss-cpu.")
    import faiss

    scaler = StandardScaler().fit(features)
    graph = faiss.IndexHNSWFlat(np.shape(features)[1], links)
    graph.hnsw.efConstruction = graph.hnsw.efSearch = max(effort, k)
    graph.add(np.ascontiguousarray(scaler.transform(features), np.float32))
    return graph.search(np.ascontiguousarray(scaler.transform(queries), np.float32), k)[1]


def has_graph_search():
    """Whether faiss, which `nearest_by_graph` needs, is installed."""
    return find_spec("faiss") is not None


def precision_at(rows, labels, query_labels):
    """Share of the rows found that are of the query's class.

    Parameters
    ----------
    rows : ndarray, shape (m, k), int
        From `nearest`.
    labels : ndarray, shape (n,), int
        Of the searched images.
    query_labels : ndarray, shape (m,), int

    Returns
    -------
    ndarray, shape (m,), float64
        Of each query.
    """
    return (np.asarray(labels)[rows] == np.asarray(query_labels)[:, None]).mean(axis=1)
