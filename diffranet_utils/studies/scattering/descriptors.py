"""Featurisations without a network: histogram, co-occurrence and local binary patterns.

Histogram features and co-occurrence are the study's two classic ones (Ushizima et al. 2021, section
3.1.1); local binary patterns are those of the diffraction study, for comparison.
"""

import numpy as np

from diffranet_utils.features.histogram import histogram_features
from diffranet_utils.features.texture import (
    ANGLES_DEG,
    glcm_features,
    glcm_names,
    lbp_features,
    pair_offset,
)

GLCM_DISTANCES = tuple(range(1, 11))  # the study tried these and found 1 the best
LEVELS = 256


def cooccurrence(images, distance=1, n_workers=1):
    """The study's six co-occurrence features, each a mean over four directions.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    distance : int
        Pixels.
    n_workers : int
        Threads.

    Returns
    -------
    ndarray, shape (n, 6), float64
        Contrast, homogeneity, angular second moment, energy, correlation and entropy (bits).
    """
    table = glcm_features(images, (distance,), ANGLES_DEG, n_workers)
    kept = np.array([not name.startswith("dissimilarity") for name in glcm_names((distance,))])
    means = table[:, kept].reshape(len(table), 5, len(ANGLES_DEG)).mean(axis=2)
    offsets = [pair_offset(distance, angle) for angle in ANGLES_DEG]
    entropies = [np.mean([pair_entropy(image, *offset) for offset in offsets]) for image in images]
    return np.column_stack([means, entropies])


def pair_entropy(image, down, across):
    """Entropy of the pairs of grey values at an offset, counted in both directions.

    Parameters
    ----------
    image : ndarray, shape (rows, columns), uint8
    down, across : int
        See `texture.pair_offset`; `down` is not negative.

    Returns
    -------
    float
        Bits.
    """
    rows, columns = image.shape
    left, right = max(0, -across), columns - max(0, across)
    first = image[: rows - down, left:right].astype(np.int64)
    second = image[down:, left + across : right + across]
    pairs = np.bincount((first * LEVELS + second).ravel(), minlength=LEVELS**2)
    matrix = pairs.reshape(LEVELS, LEVELS)
    share = (matrix + matrix.T)[matrix + matrix.T > 0] / (2 * pairs.sum())
    return float(-(share @ np.log2(share)))


#: Name -> function of images (n, rows, columns) and a number of threads.
DESCRIPTORS = {
    "histogram": lambda images, n_workers=1: histogram_features(images),
    "glcm": lambda images, n_workers=1: cooccurrence(images, 1, n_workers),
    "lbp": lambda images, n_workers=1: lbp_features(images, 24, 3, n_workers),
}
