"""The simple rival: texture features of the grey picture and a random forest."""

import cv2
import numpy as np

from diffranet_utils.features.texture import DISTANCES, glcm_features, lbp_features
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier

from .preprocess import centre_crop

POINTS, RADIUS = 24, 3
BATCH = 64  # squares in memory at once


def texture_table(shelf, crop, n_workers=1):
    """Co-occurrence and local-binary-pattern features of the centre of every picture.

    Parameters
    ----------
    shelf : crops.Shelf
    crop : int
        Side of the square, pixels: what the network sees at test time.
    n_workers : int
        Threads.

    Returns
    -------
    places : ndarray, shape (n,), int64
        Of the pictures of use.
    table : ndarray, shape (n, n_features), float64
    """
    places, tables = [], []
    for first in range(0, len(shelf.entries), BATCH):
        pictures = {
            k: shelf.picture(k) for k in range(first, min(first + BATCH, len(shelf.entries)))
        }
        squares = {k: _grey(centre_crop(p, crop)) for k, p in pictures.items() if p is not None}
        if squares:
            places += squares
            tables.append(_features(np.stack(list(squares.values())), n_workers))
    return np.array(places, dtype=np.int64), np.concatenate(tables)


def forest(table, labels, seed, n_workers=1):
    """Fit a random forest of 100 trees with scikit-learn's own settings, as chapter 30 does before
    any search.
    """
    return make_classifier(UNTUNED["rf"], seed, n_workers).fit(table, labels)


def _grey(square):
    return cv2.cvtColor(np.ascontiguousarray(square), cv2.COLOR_RGB2GRAY)


def _features(squares, n_workers):
    glcm = glcm_features(squares, DISTANCES, n_workers=n_workers)
    return np.concatenate([glcm, lbp_features(squares, POINTS, RADIUS, n_workers)], axis=1)
