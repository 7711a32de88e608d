"""Tune and cross-validate ensembles of trees on a feature table, as an AutoML package does.

Every outer fold is scored by a model that has seen nothing of it: scaling, the reduction to a few
components and the search by Hyperopt's estimator all use the training folds alone.
"""

import logging
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diffranet_utils.core.errors import require
from diffranet_utils.learning.ensembles import ENSEMBLES, make_ensemble
from diffranet_utils.records.metrics import seven_scores

REDUCERS = ("pca", "ica", "none")
HELD_OUT = 0.25  # of a training fold, on which a trial's settings are scored


@dataclass(frozen=True)
class Protocol:
    """How feature tables are reduced, tuned on and scored.

    Parameters
    ----------
    n_evaluations : int
        Settings that Hyperopt tries in each outer fold.
    n_inner : int
        Random parts of the training folds on which each is scored.
    n_folds : int
        Of the outer cross-validation.
    n_components : int
        Features after the reduction; fewer if the table has fewer.
    reducer : str
        One of `REDUCERS`.
    seed : int
    """

    n_evaluations: int = 10
    n_inner: int = 3
    n_folds: int = 5
    n_components: int = 5
    reducer: str = "pca"
    seed: int = 0

    def __post_init__(self):
        """Refuse what cannot be run; raises InputError."""
        known = ", ".join(REDUCERS)
        require(self.reducer in REDUCERS, f"No reducer {self.reducer!r}: choose one of {known}.")
        counts = (self.n_evaluations, self.n_inner, self.n_components)
        require(min(counts) >= 1, "Evaluations, inner parts and components: give 1 or more each.")
        require(self.n_folds >= 2, f"n_folds is {self.n_folds}: give at least 2.")


@dataclass(frozen=True)
class CrossValidation:
    """Scores and out-of-fold answers of one kind of ensemble.

    Parameters
    ----------
    kind : str
    scores : list of dict
        One per fold, see `metrics.seven_scores`.
    predicted : ndarray, shape (n,), int
        Of each image by the model that has not seen it.
    settings : list of dict
        What the search chose in each fold.
    seconds : float
    """

    kind: str
    scores: list
    predicted: np.ndarray
    settings: list
    seconds: float


def make_reducer(reducer, n_components, n_columns, seed=0):
    """Standardise, then reduce to a few components.

    Parameters
    ----------
    reducer : str
        One of `REDUCERS`: principal components, independent components (Hyvarinen, 1999,
        doi:10.1109/72.761722), or standardised columns as they are.
    n_components, n_columns : int
        Wanted, and there.
    seed : int
        Of the rotation from which FastICA starts.

    Returns
    -------
    Pipeline
        Untrained.
    """
    steps = [StandardScaler()]
    n = min(n_components, n_columns)
    if reducer == "pca":
        steps.append(PCA(n, svd_solver="covariance_eigh"))
    elif reducer == "ica":
        steps.append(FastICA(n, whiten="unit-variance", max_iter=400, random_state=seed))
    return make_pipeline(*steps)


def reduce_table(reducer, x, x_other):
    """Fit a reducer on one table and apply it to both; FastICA may stop early without a word.

    Returns
    -------
    x, x_other : ndarray, shape (n, n_components) and (m, n_components)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return reducer.fit_transform(x), reducer.transform(x_other)


def tune(kind, x, y, protocol):
    """Settings of an ensemble that score best on held-out parts of a training set.

    The search is Hyperopt's tree of Parzen estimators (Bergstra et al., 2011) and tries the
    library's own defaults first.

    Parameters
    ----------
    kind : str
        Key of `ENSEMBLES`.
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n,), int
        From 0, without a gap.
    protocol : Protocol

    Returns
    -------
    dict
    """
    ensemble = ENSEMBLES[kind]
    if protocol.n_evaluations == 1:
        return dict(ensemble.start)
    from hyperopt import fmin, hp, tpe

    parts = StratifiedShuffleSplit(protocol.n_inner, test_size=HELD_OUT, random_state=protocol.seed)
    parts = list(parts.split(x, y))

    def settings_of(indices):
        return {name: v[round(float(indices[name]))] for name, v in ensemble.values.items()}

    def loss(indices):
        model = make_ensemble(kind, settings_of(indices), protocol.seed)
        return -np.mean([np.mean(_fitted(model, x[a], y[a])(x[b]) == y[b]) for a, b in parts])

    # Half a step more at both ends: rounding would else make the end values half as likely.
    space = {
        name: hp.quniform(name, -0.49, len(v) - 0.51, 1) for name, v in ensemble.values.items()
    }
    first = {name: v.index(ensemble.start[name]) for name, v in ensemble.values.items()}
    logging.getLogger("hyperopt").setLevel(logging.ERROR)
    best = fmin(
        loss,
        space,
        algo=tpe.suggest,
        max_evals=protocol.n_evaluations,
        points_to_evaluate=[first],
        rstate=np.random.default_rng(protocol.seed),
        show_progressbar=False,
        verbose=False,
    )
    return settings_of(best)


def _fitted(model, x, y):
    """Train and give the function that answers: plain labels, whatever shape the library has."""
    model.fit(x, y)
    return lambda rows: np.asarray(model.predict(rows)).ravel()


def cross_validate(kinds, x, y, protocol, groups=None):
    """Tuned ensembles, scored on folds that they have not seen.

    Parameters
    ----------
    kinds : sequence of str
        Keys of `ENSEMBLES`.
    x : ndarray, shape (n, n_columns)
    y : ndarray, shape (n,), int
        Classes from 0.
    protocol : Protocol
    groups : ndarray, shape (n,), int, optional
        Images of one group are kept in one fold; by default folds are drawn at random.

    Yields
    ------
    CrossValidation
        One for each kind, as soon as it is done.

    Raises
    ------
    InputError
        If a class has fewer images, or groups, than there are folds.
    """
    folds = outer_folds(y, protocol, groups)
    tables = []
    for train, test in folds:
        reducer = make_reducer(protocol.reducer, protocol.n_components, x.shape[1], protocol.seed)
        tables.append(reduce_table(reducer, x[train], x[test]))
    for kind in kinds:
        yield _one_kind(kind, y, protocol, folds, tables)


def outer_folds(y, protocol, groups=None):
    """Rows to train and to score on, see `cross_validate`.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
    """
    n, shuffle = protocol.n_folds, {"shuffle": True, "random_state": protocol.seed}
    units = np.arange(len(y)) if groups is None else groups
    fewest = min(len(np.unique(units[y == label])) for label in np.unique(y))
    what = "images" if groups is None else "groups"
    require(fewest >= n, f"A class has {fewest} {what} for {n} folds: make more, or fewer folds.")
    if groups is None:
        return list(StratifiedKFold(n, **shuffle).split(y, y))
    return list(StratifiedGroupKFold(n, **shuffle).split(y, y, groups))


def _one_kind(kind, y, protocol, folds, tables):
    start, predicted = time.perf_counter(), np.empty(len(y), int)
    scores, chosen = [], []
    for (train, test), (x, x_test) in zip(folds, tables, strict=True):
        settings = tune(kind, x, y[train], protocol)
        model = make_ensemble(kind, settings, protocol.seed)
        predicted[test] = _fitted(model, x, y[train])(x_test)
        scores.append(seven_scores(y[test], predicted[test], model.predict_proba(x_test)))
        chosen.append(settings)
    return CrossValidation(kind, scores, predicted, chosen, time.perf_counter() - start)
