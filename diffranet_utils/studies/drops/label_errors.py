"""Find wrong labels by what networks say that have not seen them, and compare with the truth."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from diffranet_utils.core.errors import require
from diffranet_utils.records import metrics

from .label_noise import REVISITED, noise_matrix


def disagreement(probabilities, given):
    """How strongly a classifier contradicts the labels: 1 minus the probability of the label.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes), float64
        Of networks that were not trained on the picture.
    given : ndarray, shape (n,), int
        Labels.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    return 1 - probabilities[np.arange(len(given)), given]


def worst(probabilities, given, fraction=REVISITED):
    """Pictures most in disagreement, as the paper chose those that an expert labelled again.

    Returns
    -------
    ndarray, shape (ceil(fraction * n),), int64
        Places in the set, the worst first.
    """
    n = int(np.ceil(fraction * len(given)))
    return np.argsort(-disagreement(probabilities, given), kind="stable")[:n]


def tempered(probabilities, given):
    """Probabilities at the temperature at which they fit the labels best (Guo et al., 2017,
    arXiv:1706.04599).

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes), float64
    given : ndarray, shape (n,), int

    Returns
    -------
    ndarray, shape (n, n_classes), float64
    """
    logs = np.log(np.clip(probabilities, 1e-12, None))

    def at(temperature):
        powers = np.exp((logs - logs.max(1, keepdims=True)) / temperature)
        return powers / powers.sum(1, keepdims=True)

    def loss(log_temperature):
        chosen = at(np.exp(log_temperature))[np.arange(len(given)), given]
        return -np.log(np.clip(chosen, 1e-12, None)).mean()

    return at(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def confident_joint(probabilities, given):
    """Counts of pictures by label (row) and the class that they confidently are (column).

    A picture confidently is of a class if its probability reaches the mean one of the pictures with
    that label; where several do, the most probable counts (Northcutt, Jiang and Chuang, 2021,
    doi:10.1613/jair.1.12125, equation 1).

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes), float64
    given : ndarray, shape (n,), int

    Returns
    -------
    joint : ndarray, shape (n_classes, n_classes), int64
    classes : ndarray, shape (n,), int64
        The class that each picture confidently is, or -1.
    """
    k = probabilities.shape[1]
    # No probability reaches a threshold of 2: a class without a label is nobody's.
    means = np.array(
        [probabilities[given == j, j].mean() if (given == j).any() else 2.0 for j in range(k)]
    )
    reached = np.where(probabilities >= means - 1e-6, probabilities, -1)
    classes = np.where(reached.max(1) >= 0, reached.argmax(1), -1)
    joint = np.zeros((k, k), dtype=np.int64)
    np.add.at(joint, (given[classes >= 0], classes[classes >= 0]), 1)
    return joint, classes


def error_probability(probabilities, given, noise=None):
    """Probability that each label is wrong, by Bayes' rule.

    What the networks say, tempered, is the prior of a picture's class; the noise is what people are
    known to do. A weak network, whose word is little better than the class fractions, therefore
    leaves most labels alone.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 4), float64
    given : ndarray, shape (n,), int
    noise : ndarray, shape (4, 4), float64, optional
        Chance that a picture of class i (row) is labelled j (column); by default as the paper found
        it, see `label_noise.noise_matrix`.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    noise = noise_matrix() if noise is None else noise
    weights = tempered(probabilities, given) * noise.T[given]  # (n, class)
    return disagreement(weights / weights.sum(1, keepdims=True), given)


def flagged(probabilities, given):
    """Labels that are more probably wrong than right, see `error_probability`; places in the set,
    int64.
    """
    return np.flatnonzero(error_probability(probabilities, given) > 0.5)


def flagged_by_confidence(probabilities, given):
    """Labels off the diagonal of the `confident_joint`; places in the set, int64."""
    _, classes = confident_joint(probabilities, given)
    return np.flatnonzero((classes >= 0) & (classes != given))


def flagged_by_cleanlab(probabilities, given):
    """Labels that cleanlab finds by its own default, or None where that package is not
    installed.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    return np.flatnonzero(find_label_issues(labels=given, pred_probs=probabilities, n_jobs=1))


def out_of_fold(given, n_folds, seed, judge):
    """Probabilities of every picture by a network that was trained on the other folds.

    Parameters
    ----------
    given : ndarray, shape (n,), int
        Labels; each fold has all classes in proportion where they are frequent enough.
    n_folds, seed : int
    judge : callable
        ``judge(fold, training, held_out)`` takes the number of the fold and places in the set, and
        returns the probabilities of the held-out pictures, shape (n_held_out, n_classes).

    Returns
    -------
    ndarray, shape (n, n_classes), float64

    Raises
    ------
    InputError
        If a class has fewer labels than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    fewest = int(np.bincount(given)[np.unique(given)].min())
    require(
        fewest >= n_folds,
        f"A class has {fewest} labels for {n_folds} folds: take fewer folds or more pictures.",
    )
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(given, given)
    places, rows = [], []
    for fold, (training, held_out) in enumerate(parts):
        places.append(held_out)
        rows.append(judge(fold, training, held_out))
    return np.concatenate(rows)[np.argsort(np.concatenate(places))]


@dataclass(frozen=True)
class Search:
    """Labels that a method calls wrong, beside the truth.

    Attributes
    ----------
    n_flagged, n_right : int
        Labels that were called wrong, and those of them that are.
    n_wrong : int
        All wrong labels.
    """

    n_flagged: int
    n_right: int
    n_wrong: int

    @property
    def precision(self):
        """Fraction of the flagged labels that are wrong, as a record entry; without a value if none
        was flagged.
        """
        if not self.n_flagged:
            return {"value": None, "n": 0}
        return metrics.proportion(self.n_right, self.n_flagged)

    @property
    def recall(self):
        """Fraction of the wrong labels that were flagged, as a record entry; without a value if
        none is wrong.
        """
        return (
            metrics.proportion(self.n_right, self.n_wrong)
            if self.n_wrong
            else {"value": None, "n": 0}
        )


def search_of(places, wrong):
    """Score flagged labels.

    Parameters
    ----------
    places : ndarray of int
        Flagged.
    wrong : ndarray, shape (n,), bool

    Returns
    -------
    Search
    """
    return Search(len(places), int(wrong[places].sum()), int(wrong.sum()))
