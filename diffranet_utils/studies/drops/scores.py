"""What a classifier of drops is worth: the paper's tables, its ROC curves, and the price of a
missed crystal.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.records import metrics

from .labels import Label

OPERATING_POINTS = {
    "crystals": ((0.19, 0.987), (0.016, 0.94)),
    "precipitate": ((0.25, 0.996), (0.034, 0.94)),
}
"""False-positive rate and recall that the paper quotes (Figure 3 of
doi:10.1371/journal.pone.0198883).
"""

PAPER_AUC = {"crystals": 0.988, "precipitate": 0.989}
"""Area below the same curves."""

TABLE_5 = {
    "crystals": {"crystals": 0.05, "precipitate": 0.04, "clear": 0.01, "other": 0.01},
    "precipitate": {"crystals": 0.02, "precipitate": 0.04, "clear": 0.01, "other": 0.02},
    "clear": {"crystals": 0.01, "precipitate": 0.03, "clear": 0.05, "other": 0.01},
    "other": {"crystals": 0.07, "precipitate": 0.15, "clear": 0.06, "other": 0.21},
}
"""Standard deviation of Table 4's entries over the institutions (Table 5 of the same paper)."""

TABLE_6 = {
    "DeepCrystal": {"precision": 0.4928, "recall": 0.4520, "accuracy": 0.7391},
    "MARCO": {"precision": 0.7777, "recall": 0.8663, "accuracy": 0.9018},
}
"""New pictures of one institution (Table 6 of the same paper): crystals or not, and the
accuracy.
"""

N_BOOTSTRAP = 1000


def row_fractions(matrix):
    """Fractions of each true class by predicted class; NaN for a class without a picture.

    Parameters
    ----------
    matrix : array_like, shape (n, n), int
        Counts; rows are the true class.

    Returns
    -------
    ndarray, shape (n, n), float64
    """
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)


def spread_over_groups(truth, predicted, groups):
    """Standard deviation of the confusion matrix's fractions over groups of pictures, such as
    imagers (Table 5).

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int
    groups : array_like, shape (n,)

    Returns
    -------
    ndarray, shape (4, 4), float64
        With n - 1 below the sum; NaN where fewer than two groups have the class.
    """
    truth, predicted, groups = map(np.asarray, (truth, predicted, groups))
    tables = np.stack(
        [
            row_fractions(metrics.confusion(truth[groups == g], predicted[groups == g], Label))
            for g in np.unique(groups)
        ]
    )
    n = (~np.isnan(tables)).sum(axis=0)
    gaps = np.nansum((tables - np.nansum(tables, axis=0) / np.maximum(n, 1)) ** 2, axis=0)
    return np.where(n > 1, np.sqrt(gaps / np.maximum(n - 1, 1)), np.nan)


def crystal_scores(truth, predicted):
    """Precision and recall of crystals and the accuracy of all classes, as Table 6 has them.

    Parameters
    ----------
    truth, predicted : array_like, shape (n,), int

    Returns
    -------
    dict
        ``precision``, ``recall`` and ``accuracy`` as record entries; precision or recall is None
        where nothing was called, or is, a crystal.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    there, called = truth == Label.CRYSTALS, predicted == Label.CRYSTALS
    both = int((there & called).sum())
    parts = {"precision": int(called.sum()), "recall": int(there.sum())}
    entries = {name: metrics.proportion(both, n) if n else None for name, n in parts.items()}
    return entries | {"accuracy": metrics.accuracy(truth, predicted)}


@dataclass(frozen=True)
class Roc:
    """Recall against the rate of false positives of one class as the threshold falls.

    Attributes
    ----------
    false_positive, recall, threshold : ndarray, shape (n,), float64
        From nothing accepted (a threshold of infinity) to all.
    n_positive, n_negative : int
    """

    false_positive: np.ndarray
    recall: np.ndarray
    threshold: np.ndarray
    n_positive: int
    n_negative: int

    def recall_at(self, false_positive):
        """Largest recall at no more than this rate of false positives, as a record entry
        (Wilson).
        """
        place = np.flatnonzero(self.false_positive <= false_positive)[-1]
        return metrics.proportion(round(self.recall[place] * self.n_positive), self.n_positive)

    def at_threshold(self, threshold):
        """Rate of false positives and recall of those whose score is at least `threshold`."""
        place = np.flatnonzero(self.threshold >= threshold)[-1]
        return float(self.false_positive[place]), float(self.recall[place])


def roc(positive, score):
    """ROC curve of a score.

    Parameters
    ----------
    positive : array_like, shape (n,), bool
    score : array_like, shape (n,), float

    Returns
    -------
    Roc

    Raises
    ------
    InputError
        If all pictures are positive, or none.
    """
    from sklearn.metrics import roc_curve

    positive = np.asarray(positive, dtype=bool)
    n = int(positive.sum())
    require(
        0 < n < positive.size,
        f"{n} of {positive.size} pictures are of the class: a ROC curve needs both kinds.",
    )
    return Roc(*roc_curve(positive, score, drop_intermediate=True), n, positive.size - n)


def auc_entry(positive, score, rng):
    """Area below the ROC curve with its bootstrap interval, as a record entry.

    Parameters
    ----------
    positive : array_like, shape (n,), bool
    score : array_like, shape (n,), float
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Positives and negatives are drawn apart, so that each draw has both.
    """
    from scipy.stats import rankdata

    positive, score = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    there, absent = score[positive], score[~positive]

    def area(a, b):
        # Mann and Whitney's U over the number of pairs; ties count one half.
        ranks = rankdata(np.concatenate([a, b]))[: len(a)]
        return (ranks.sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b))

    draws = [
        area(rng.choice(there, len(there)), rng.choice(absent, len(absent)))
        for _ in range(N_BOOTSTRAP)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    value = float(area(there, absent))
    return {
        "value": value,
        "n": int(positive.size),
        "low": float(low),
        "high": float(high),
        "interval": "bootstrap 95 %",
    }


def looks_per_thousand(false_positive, recall, crystal_rate, price):
    """Expected cost of screening a thousand drops, in looks by a person.

    Every drop that is called a crystal is looked at; each crystal that is not called costs `price`
    looks.

    Parameters
    ----------
    false_positive, recall : float or ndarray
        Of the classifier.
    crystal_rate : float
        Fraction of the drops that hold crystals.
    price : float
        Looks that a missed crystal is worth.

    Returns
    -------
    float or ndarray
    """
    looked = crystal_rate * recall + (1 - crystal_rate) * false_positive
    return 1000 * (looked + price * crystal_rate * (1 - recall))


def price_table(choosing, judging, rates=(0.01, 0.02, 0.05), prices=(10, 100, 1000)):
    """What screening costs with the threshold that is best for each crystal rate and price.

    Parameters
    ----------
    choosing, judging : Roc
        On which pictures the threshold is chosen, and on which it is judged.
    rates, prices : sequence of float

    Returns
    -------
    list of dict
        ``crystal_rate``, ``price``, ``threshold``; ``looks`` as in `looks_per_thousand`;
        ``look_at_all`` (1,000) and ``look_at_none``; ``false_positive`` and ``recall``.
    """
    rows = []
    for rate in rates:
        for price in prices:
            costs = looks_per_thousand(choosing.false_positive, choosing.recall, rate, price)
            threshold = float(choosing.threshold[np.argmin(costs)])
            false_positive, recall = judging.at_threshold(threshold)
            rows.append(
                {
                    "crystal_rate": rate,
                    "price": price,
                    "threshold": min(threshold, 1.0),  # infinity, which JSON has not, calls nothing
                    "looks": float(looks_per_thousand(false_positive, recall, rate, price)),
                    "look_at_all": 1000.0,
                    "look_at_none": 1000.0 * rate * price,
                    "false_positive": false_positive,
                    "recall": recall,
                }
            )
    return rows
