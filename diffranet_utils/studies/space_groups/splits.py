"""Honest splits of structures, and accuracy among the first k answers."""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.records.metrics import wilson_interval

OVERSHOOT = 0.01  # share by which the last family that is held out may exceed what was asked for


def random_split(labels, rng, test_share=0.2):
    """Split at random within each class: the paper's protocol.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Class of each structure.
    rng : numpy.random.Generator
        Source of the shuffle.
    test_share : float
        Share of each class that is held out.

    Returns
    -------
    train, test : ndarray of int
        Sorted row numbers.
    """
    labels = np.asarray(labels)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held_out[rows[: round(test_share * len(rows))]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def family_split(families, rng, test_share=0.2):
    """Hold out whole families, such as minerals or prototypes, so that none is on both sides.

    Parameters
    ----------
    families : sequence, length n
        Name of each structure's family.
    rng : numpy.random.Generator
        Source of the order in which families are held out.
    test_share : float
        Families are held out until this share of the structures is reached. One that would exceed
        it by more than `OVERSHOOT` stays in training, however it was drawn.

    Returns
    -------
    train, test : ndarray of int
        Sorted row numbers.

    Raises
    ------
    InputError
        If there is only one family, or each is larger than the share.
    """
    names, family = np.unique(np.asarray(families), return_inverse=True)
    require(len(names) > 1, "All structures are of one family. Give at least two to split them.")
    sizes = np.bincount(family)
    wanted, most = test_share * len(family), (test_share + OVERSHOOT) * len(family)
    chosen, n_held_out = [], 0
    for k in rng.permutation(len(names)):
        if n_held_out < wanted and n_held_out + sizes[k] <= most:
            chosen.append(k)
            n_held_out += sizes[k]
    require(
        n_held_out > 0,
        f"The smallest family holds {sizes.min()} of {len(family)} structures, more than the share "
        f"{test_share:g}. Hold out a larger share.",
    )
    held_out = np.isin(family, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def top_k_accuracy(probabilities, truth, k=1, confidence=0.95):
    """Share of structures whose class is among the k most probable.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
        Scores of the classes.
    truth : ndarray of int, shape (n,)
        Index of the right class.
    k : int
        How many answers count.
    confidence : float
        Of the interval.

    Returns
    -------
    share : float
        Between 0 and 1.
    interval : tuple of float
        Wilson's, lower and upper end.

    Raises
    ------
    InputError
        If there is nothing to count or k is out of range.
    """
    n, n_classes = np.shape(probabilities)
    require(
        n > 0 and 1 <= k <= n_classes,
        f"Top {k} of {n_classes} classes and {n} structures: give k within the classes.",
    )
    first = np.argsort(-np.asarray(probabilities), axis=1, kind="stable")[:, :k]
    right = int((first == np.asarray(truth)[:, None]).any(axis=1).sum())
    return right / n, wilson_interval(right, n, confidence)
