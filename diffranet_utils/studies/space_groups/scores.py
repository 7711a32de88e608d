"""Scores of ranked space groups, in the form of a record."""

import numpy as np

from diffranet_utils.records.metrics import proportion
from diffranet_utils.studies.space_groups.labels import NUMBERS, crystal_system
from diffranet_utils.studies.space_groups.models import N_CLASSES
from diffranet_utils.studies.space_groups.relations import relation_matrix

MOST_RANKS = 6
TEARDROPS = (2, 14, 62)  # groups into whose columns the paper's network put many others
N_BINS = 10


def ranks(probabilities, truth):
    """Rank of the right class, 1 for the most probable.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
    truth : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
        Equal probabilities are ranked in the order of the classes.
    """
    order = np.argsort(-np.asarray(probabilities), axis=1, kind="stable")
    return 1 + (order == np.asarray(truth)[:, None]).argmax(axis=1)


def top_entry(probabilities, truth, k):
    """Record entry of the fraction whose right class is among the k most probable."""
    found = ranks(probabilities, truth)
    return proportion(int((found <= k).sum()), len(found))


def both_tops(name, probabilities, truth):
    """Record entries ``<name>_top1`` and ``<name>_top6``."""
    return {f"{name}_top{k}": top_entry(probabilities, truth, k) for k in (1, MOST_RANKS)}


def accuracies(probabilities, truth):
    """A_1 to A_6 of the paper's Figure 2, a list of record entries."""
    return [top_entry(probabilities, truth, k) for k in range(1, MOST_RANKS + 1)]


def group_rows(probabilities, truth, train_labels):
    """Ratio right for every group that was tested: the paper's Figure 3.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 45)
    truth, train_labels : ndarray of int
        Classes of the test and the training structures.

    Returns
    -------
    list of dict
        ``group``, ``system``, ``n_train``, ``n``, ``right`` and ``right_top6`` (fractions).
    """
    found = ranks(probabilities, truth)
    return [
        {
            "group": number,
            "system": crystal_system(number),
            "n_train": int((train_labels == k).sum()),
            "n": int((truth == k).sum()),
            "right": float((found[truth == k] == 1).mean()),
            "right_top6": float((found[truth == k] <= MOST_RANKS).mean()),
        }
        for k, number in enumerate(NUMBERS)
        if (truth == k).any()
    ]


def confusion_counts(probabilities, truth):
    """Counts, shape (45, 45): rows are the right group, columns the most probable one."""
    counts = np.zeros((N_CLASSES, N_CLASSES), int)
    np.add.at(counts, (truth, np.argmax(probabilities, axis=1)), 1)
    return counts


def related_share(counts):
    """How many confusions join related groups, against what chance would give.

    Parameters
    ----------
    counts : ndarray, shape (45, 45)
        From `confusion_counts`.

    Returns
    -------
    entry : dict
        Fraction of the wrong answers that are a maximal subgroup or supergroup of the right group.
    expected : float
        The same if each wrong answer fell on other groups as often as these are answered.
    """
    related = np.isin(relation_matrix(), ("subgroup", "supergroup"))
    wrong = counts * ~np.eye(N_CLASSES, dtype=bool)
    answered = np.tile(counts.sum(axis=0), (N_CLASSES, 1)) * ~np.eye(N_CLASSES, dtype=bool)
    chance = (answered * related).sum(axis=1) / np.maximum(answered.sum(axis=1), 1)
    expected = float(wrong.sum(axis=1) @ chance / max(wrong.sum(), 1))
    return proportion(int(wrong[related].sum()), max(int(wrong.sum()), 1)), expected


def teardrops(counts):
    """Columns of P-1, P2_1/c and Pnma: how many groups, and how many structures, fall into them.

    Parameters
    ----------
    counts : ndarray, shape (45, 45)

    Returns
    -------
    list of dict
        ``group``, ``wrong`` structures and ``groups`` they belong to, and the rank of the column
        by that number of groups, 1 for the most.
    """
    wrong = counts * ~np.eye(N_CLASSES, dtype=bool)
    groups = (wrong > 0).sum(axis=0)
    return [
        {
            "group": number,
            "wrong": int(wrong[:, k].sum()),
            "groups": int(groups[k]),
            "rank": int(1 + (groups > groups[k]).sum()),
        }
        for k, number in ((NUMBERS.index(number), number) for number in TEARDROPS)
    ]


def reliability(probabilities, truth):
    """How often an answer of so much probability is right.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
    truth : ndarray of int, shape (n,)

    Returns
    -------
    rows : list of dict
        ``probability``, ``right`` and ``n`` of each tenth that has answers.
    error : float
        Mean distance of the two, weighted by n (expected calibration error).
    """
    top = np.max(probabilities, axis=1)
    right = np.argmax(probabilities, axis=1) == truth
    tenth = np.minimum((top * N_BINS).astype(int), N_BINS - 1)
    rows = [
        {
            "probability": float(top[here].mean()),
            "right": float(right[here].mean()),
            "n": int(here.sum()),
        }
        for here in (tenth == k for k in range(N_BINS))
        if here.any()
    ]
    error = sum(row["n"] * abs(row["probability"] - row["right"]) for row in rows) / len(top)
    return rows, float(error)


def softened(probabilities, temperature):
    """Probabilities whose logarithms are divided by a temperature (Guo et al., 2017, PMLR 70,
    1321).
    """
    scores = np.log(np.maximum(probabilities, 1e-12)) / temperature
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def best_temperature(probabilities, truth, candidates=None):
    """Temperature that makes held-out answers most likely.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
        Of structures that the model has not learnt.
    truth : ndarray of int, shape (n,)
    candidates : sequence of float, optional
        0.5 to 4 by default.

    Returns
    -------
    float
    """
    candidates = np.geomspace(0.5, 4, 43) if candidates is None else candidates
    rows = np.arange(len(truth))
    losses = [
        -np.log(np.maximum(softened(probabilities, t)[rows, truth], 1e-12)).mean()
        for t in candidates
    ]
    return float(candidates[int(np.argmin(losses))])
