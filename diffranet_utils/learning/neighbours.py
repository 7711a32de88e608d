"""Similarity search: the images whose features lie nearest, and how many of them are of the same
class.
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from diffranet_utils.core.errors import require


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
