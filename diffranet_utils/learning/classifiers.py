"""The classical classifiers, forests of trees and a support vector machine, built from plain
settings.
"""

from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from diffranet_utils.core.errors import require

KINDS = {
    "rf": RandomForestClassifier, "et": ExtraTreesClassifier,
    "boosting": HistGradientBoostingClassifier, "svm": SVC
}  # fmt: skip
# Table 8's defaults, but 100 trees instead of 10: what a classifier is before any search.
UNTUNED = {
    "rf": {
        "classifier": "rf",
        "n_trees": 100,
        "max_features": "sqrt",
        "max_depth": None,
        "class_weight": None,
    },
    "svm": {"classifier": "svm", "C": 1.0, "gamma": 0.0, "class_weight": None},
}


def make_classifier(config, seed=0, n_workers=1):
    """Build an untrained classifier.

    Parameters
    ----------
    config : dict
        ``classifier`` is ``"rf"`` or ``"et"`` (random forest or extra trees; with ``n_trees``,
        ``max_features``, ``max_depth``), ``"boosting"`` (with ``n_rounds``, ``learning_rate``,
        ``max_leaf_nodes``) or ``"svm"`` (with ``C`` and ``gamma``; 0 means scikit-learn's default
        ``"scale"``, which after standardising is one over the number of features, as its older
        default ``"auto"`` was). ``class_weight`` is None, ``"balanced"`` or one weight per class,
        for labels that count from 1. Other entries are ignored.
    seed : int
        Of trees and boosting.
    n_workers : int
        Threads of the forests.

    Returns
    -------
    estimator
        For the SVM a Pipeline that standardises each feature first, with means and widths of the
        training data.

    Raises
    ------
    InputError
        If the classifier is unknown.
    """
    kind = config["classifier"]
    require(kind in KINDS, f"Unknown classifier {kind!r}: choose one of {', '.join(KINDS)}.")
    weights = _weights(config["class_weight"])
    if kind in ("rf", "et"):
        return KINDS[kind](
            config["n_trees"], max_features=config["max_features"], max_depth=config["max_depth"],
            class_weight=weights, random_state=seed, n_jobs=n_workers,
        )  # fmt: skip
    if kind == "boosting":
        return HistGradientBoostingClassifier(
            max_iter=config["n_rounds"], learning_rate=config["learning_rate"],
            max_leaf_nodes=config["max_leaf_nodes"], class_weight=weights, random_state=seed,
        )  # fmt: skip
    # break_ties: the class is the one of the largest decision value, so probabilities made from
    # them agree.
    machine = SVC(
        C=config["C"],
        gamma=config["gamma"] or "scale",
        class_weight=weights,
        break_ties=True,
        cache_size=1000,
    )
    return make_pipeline(StandardScaler(), machine)


def _weights(weights):
    if weights is None or isinstance(weights, str):
        return weights
    return {label: float(weight) for label, weight in enumerate(weights, 1)}
