"""Accuracy with its interval, confusion matrices and paired comparisons.

pandas, scikit-learn and statsmodels are imported where they are used: simulation workers
need none of them.
"""

import math
from statistics import NormalDist

import numpy as np

from diffranet_utils.core.errors import require


def wilson_interval(n_right, n, confidence=0.95):
    """Wilson score interval of a proportion (Wilson, 1927, doi:10.1080/01621459.1927.10502953).

    Parameters
    ----------
    n_right, n : int
        Successes and trials.
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    low, high : float

    Raises
    ------
    InputError
        If there are no trials or more successes than trials.
    """
    require(0 <= n_right <= n and n > 0, f"{n_right} of {n} is no proportion: check the counts.")
    # In closed form: statsmodels has it, and takes longer to load than a frame to judge.
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    centre = n_right + z2 / 2
    half = math.sqrt(z2 * (n_right * (n - n_right) / n + z2 / 4))
    return max(0.0, (centre - half) / (n + z2)), min(1.0, (centre + half) / (n + z2))


def proportion(n_right, n):
    """A proportion as a record holds it.

    Returns
    -------
    dict
        ``value``, ``n``, ``low``, ``high`` (95 % Wilson) and ``interval``, the name of the method.
    """
    low, high = wilson_interval(n_right, n)
    return {
        "value": int(n_right) / int(n),
        "n": int(n),
        "low": low,
        "high": high,
        "interval": "Wilson 95 %",
    }


def accuracy(truth, predicted):
    """Share of equal labels as a record entry; see `proportion`.

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int
        Labels.
    """
    truth, predicted = _pair(truth, predicted)
    return proportion(int((truth == predicted).sum()), truth.size)


def hit_accuracy(truth, predicted, is_hit):
    """Share of images put on the right side of hit and miss, as a record entry; see `proportion`.

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int
        Labels.
    is_hit : callable
        Takes an array of labels, returns a boolean for each.
    """
    return accuracy(is_hit(truth), is_hit(predicted))


def balanced_accuracy(truth, predicted):
    """Mean recall of the classes present, with an interval combined from those of the recalls.

    Each recall has its Wilson interval; their distances from the recalls add in squares, which
    keeps the interval honest where a recall is zero or one (Zou and Donner, 2008,
    doi:10.1002/sim.3095).

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int

    Returns
    -------
    dict
        A record entry like that of `proportion`.
    """
    truth, predicted = _pair(truth, predicted)
    groups = [predicted[truth == label] == label for label in np.unique(truth)]
    recalls = np.array([group.mean() for group in groups])
    lows, highs = np.array([wilson_interval(int(group.sum()), group.size) for group in groups]).T
    value, below, above = (
        recalls.mean(),
        np.hypot.reduce(recalls - lows),
        np.hypot.reduce(highs - recalls),
    )
    low, high = float(value - below / len(groups)), float(value + above / len(groups))
    return {
        "value": float(value),
        "n": int(truth.size),
        "low": low,
        "high": high,
        "interval": "combined Wilson 95 %",
    }


def confusion(truth, predicted, labels):
    """Confusion matrix of counts.

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int
    labels : iterable of int
        Row and column order, such as the study's classes.

    Returns
    -------
    ndarray, shape (n_labels, n_labels), int64
        Rows are the true class, columns the predicted one.

    Raises
    ------
    InputError
        If no image has one of the labels.
    """
    from sklearn.metrics import confusion_matrix

    truth, predicted = _pair(truth, predicted)
    labels = [int(label) for label in labels]
    require(np.isin(truth, labels).any(), f"No image has a label of {labels}: check the labels.")
    return confusion_matrix(truth, predicted, labels=labels)


def per_class(matrix, names):
    """Recall and precision of each class of a confusion matrix, with Wilson intervals.

    Parameters
    ----------
    matrix : array_like, shape (n, n), int
    names : sequence of str
        Of the classes, in the order of the rows.

    Returns
    -------
    DataFrame
        Index class; columns n, recall, recall low, recall high, precision (NaN where undefined).
    """
    import pandas as pd

    rows = []
    for k, row in enumerate(np.asarray(matrix)):
        n, column = int(row.sum()), int(np.asarray(matrix)[:, k].sum())
        low, high = wilson_interval(row[k], n) if n else (np.nan, np.nan)
        rows.append(
            (n, row[k] / n if n else np.nan, low, high, row[k] / column if column else np.nan)
        )
    columns = ["n", "recall", "recall low", "recall high", "precision"]
    return pd.DataFrame(rows, index=pd.Index(names, name="class"), columns=columns)


def mcnemar(truth, first, second):
    """Exact McNemar test of two classifiers on the same images (McNemar, 1947,
    doi:10.1007/BF02295996).

    Returns
    -------
    dict
        ``first_only`` and ``second_only``, the images that only one gets right, and the two-sided
        ``p``.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    truth, first = _pair(truth, first)
    truth, second = _pair(truth, second)
    a = int(((first == truth) & (second != truth)).sum())
    b = int(((first != truth) & (second == truth)).sum())
    # The diagonal, images on which both are right or both wrong, does not enter.
    p = exact_test([[0, a], [b, 0]], exact=True).pvalue
    return {"first_only": a, "second_only": b, "p": float(p)}


def paired_gain(first, second):
    """What a second classifier gains in accuracy on the same images, as a record entry.

    Parameters
    ----------
    first, second : array_like, shape (n,), bool
        Whether each got the image right.

    Returns
    -------
    dict
        With Wald's interval of a difference of paired proportions (Newcombe, 1998, method 1,
        doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C).
    """
    first, second = _pair(np.asarray(first, dtype=bool), np.asarray(second, dtype=bool))
    gaps = second.astype(float) - first
    half = 1.959964 * gaps.std() / np.sqrt(gaps.size)
    gain = float(gaps.mean())
    return {
        "value": gain,
        "n": gaps.size,
        "low": gain - half,
        "high": gain + half,
        "interval": "paired Wald 95 %",
    }


def mean_interval(values, confidence=0.95):
    """Mean of repeated runs with Student's t interval, as a record entry.

    Parameters
    ----------
    values : sequence of float
        One value per seed, at least two.
    """
    from scipy.stats import t

    values = np.asarray(values, dtype=float)
    require(values.size > 1, "An interval over seeds needs at least two runs.")
    half = t.ppf(0.5 + confidence / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    mean = float(values.mean())
    return {
        "value": mean,
        "n": values.size,
        "low": mean - half,
        "high": mean + half,
        "interval": "t 95 % over seeds",
    }


def _pair(truth, predicted):
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    require(
        truth.shape == predicted.shape,
        f"{truth.shape} labels, {predicted.shape} predictions: give one each.",
    )
    return truth, predicted


def seven_scores(truth, predicted, probabilities):
    """The seven metrics that a study of classifiers reports, defined as PyCaret does.

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int
        Classes from 0.
    probabilities : array_like, shape (n, n_classes)

    Returns
    -------
    dict
        ``accuracy``; ``auc``, one class against the rest, weighted by the classes' sizes (NaN if a
        class is absent); ``recall``, the classes' mean; ``precision`` and ``f1``, weighted by
        size; Cohen's ``kappa`` (doi:10.1177/001316446002000104); ``mcc``, Matthews' coefficient
        for several classes (doi:10.1016/j.compbiolchem.2004.09.006).
    """
    from sklearn import metrics as scores

    truth, predicted = _pair(truth, predicted)
    probabilities = np.asarray(probabilities, dtype=float)
    n_classes = probabilities.shape[1]
    # A class that nobody answers counts as precision 0, without a warning.
    weighted = {"average": "weighted", "zero_division": 0}
    auc = np.nan
    if len(np.unique(truth)) == n_classes:
        even = probabilities / probabilities.sum(axis=1, keepdims=True)
        auc = scores.roc_auc_score(truth, even, multi_class="ovr", average="weighted")
    found = {
        "accuracy": scores.accuracy_score(truth, predicted),
        "auc": auc,
        "recall": scores.recall_score(truth, predicted, average="macro", zero_division=0),
        "precision": scores.precision_score(truth, predicted, **weighted),
        "f1": scores.f1_score(truth, predicted, **weighted),
        "kappa": scores.cohen_kappa_score(truth, predicted),
        "mcc": scores.matthews_corrcoef(truth, predicted),
    }
    return {name: float(value) for name, value in found.items()}
