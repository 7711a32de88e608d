"""Five ensembles of trees with the settings that a search may choose: what an AutoML package tries.

Random forest (Breiman, 2001), extra trees (Geurts et al., 2006), LightGBM (Ke et al., 2017),
XGBoost (Chen & Guestrin, 2016) and CatBoost (Prokhorenkova et al., 2018), each behind the same two
calls.
"""

from collections.abc import Callable
from dataclasses import dataclass

from diffranet_utils.core.errors import require


@dataclass(frozen=True)
class Ensemble:
    """One kind of ensemble.

    Parameters
    ----------
    title : str
    make : callable
        Takes the settings (a dict), a seed and a number of threads; gives an untrained estimator.
    values : dict
        Setting to its values, in an order in which neighbours behave alike.
    start : dict
        Settings near the library's own defaults, which a search tries first.
    """

    title: str
    make: Callable
    values: dict
    start: dict


def _forest(settings, seed, n_workers):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**settings, random_state=seed, n_jobs=n_workers)


def _extra_trees(settings, seed, n_workers):
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(**settings, random_state=seed, n_jobs=n_workers)


def _lightgbm(settings, seed, n_workers):
    from lightgbm import LGBMClassifier

    fixed = {"deterministic": True, "verbose": -1}
    return LGBMClassifier(**settings, **fixed, random_state=seed, n_jobs=n_workers)


def _xgboost(settings, seed, n_workers):
    from xgboost import XGBClassifier

    return XGBClassifier(**settings, random_state=seed, n_jobs=n_workers, tree_method="hist")


def _catboost(settings, seed, n_workers):
    from catboost import CatBoostClassifier

    quiet = {"verbose": False, "allow_writing_files": False}
    return CatBoostClassifier(**settings, **quiet, random_seed=seed, thread_count=n_workers)


TREES = {
    "n_estimators": (50, 100, 200, 400),
    "max_depth": (4, 8, 16, None),
    "max_features": ("sqrt", 0.6, 1.0),
    "min_samples_leaf": (1, 2, 4),
}
TREES_START = {
    "n_estimators": 100,
    "max_depth": None,
    "max_features": "sqrt",
    "min_samples_leaf": 1,
}
ROUNDS, RATES = (50, 100, 200, 400), (0.03, 0.1, 0.3)

#: Name -> `Ensemble`, in the order of the study's list of models.
ENSEMBLES = {
    "rf": Ensemble("random forest", _forest, TREES, TREES_START),
    "lightgbm": Ensemble(
        "LightGBM",
        _lightgbm,
        {
            "n_estimators": ROUNDS,
            "learning_rate": RATES,
            "num_leaves": (7, 15, 31, 63),
            "min_child_samples": (5, 10, 20, 40),
        },
        {"n_estimators": 100, "learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20},
    ),
    "xgboost": Ensemble(
        "XGBoost",
        _xgboost,
        {
            "n_estimators": ROUNDS,
            "learning_rate": RATES,
            "max_depth": (2, 4, 6, 8),
            "subsample": (0.5, 0.75, 1.0),
        },
        {"n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "subsample": 1.0},
    ),
    "et": Ensemble("extra trees", _extra_trees, TREES, TREES_START),
    "catboost": Ensemble(
        "CatBoost",
        _catboost,
        {
            "iterations": ROUNDS,
            "learning_rate": RATES,
            "depth": (3, 4, 6, 8),
            "l2_leaf_reg": (1.0, 3.0, 10.0),
        },
        {"iterations": 100, "learning_rate": 0.1, "depth": 6, "l2_leaf_reg": 3.0},
    ),
}


def make_ensemble(kind, settings=None, seed=0, n_workers=1):
    """Build an untrained ensemble.

    Parameters
    ----------
    kind : str
        Key of `ENSEMBLES`.
    settings : dict, optional
        By default the kind's ``start``.
    seed, n_workers : int
        Of the trees; threads.

    Returns
    -------
    estimator
        With scikit-learn's ``fit``, ``predict`` and ``predict_proba``; labels count from 0.

    Raises
    ------
    InputError
        If the kind or a setting is unknown.
    """
    require(kind in ENSEMBLES, f"No ensemble {kind!r}: choose one of {', '.join(ENSEMBLES)}.")
    ensemble = ENSEMBLES[kind]
    settings = ensemble.start if settings is None else settings
    unknown = sorted(set(settings) - set(ensemble.values))
    known = ", ".join(ensemble.values)
    require(
        not unknown, f"{ensemble.title} has no setting {', '.join(unknown)}: choose of {known}."
    )
    return ensemble.make(settings, seed, n_workers)
