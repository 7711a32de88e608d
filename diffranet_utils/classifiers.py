"""The two classical classifiers, a random forest and a support vector machine, built from plain settings."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from .errors import require
from .labels import Label

# Table 8's defaults, but 100 trees instead of 10: what a classifier is before any search.
UNTUNED = {
    "rf": {"classifier": "rf", "n_trees": 100, "max_features": "sqrt", "max_depth": None, "class_weight": None},
    "svm": {"classifier": "svm", "C": 1.0, "gamma": 0.0, "class_weight": None},
}


def make_classifier(config, seed=0, n_workers=1):
    """Build an untrained classifier.

    Parameters
    ----------
    config : dict
        ``classifier`` is ``"rf"`` (with ``n_trees``, ``max_features``, ``max_depth``) or ``"svm"`` (with ``C``
        and ``gamma``; 0 means scikit-learn's default ``"scale"``, which after standardising is one over the
        number of features, as its older default ``"auto"`` was). ``class_weight`` is None, ``"balanced"`` or one
        weight per class from blank to strong. Other entries are ignored.
    seed : int
        Of the forest.
    n_workers : int
        Threads of the forest.

    Returns
    -------
    estimator
        For the SVM a Pipeline that standardises each feature first, with means and widths of the training data.

    Raises
    ------
    InputError
        If the classifier is unknown.
    """
    kind = config["classifier"]
    require(kind in ("rf", "svm"), f"Unknown classifier {kind!r}: choose rf or svm.")
    if kind == "rf":
        return RandomForestClassifier(
            config["n_trees"],
            max_features=config["max_features"],
            max_depth=config["max_depth"],
            class_weight=_weights(config["class_weight"]),
            random_state=seed,
            n_jobs=n_workers,
        )
    # break_ties: the class is the one of the largest decision value, so probabilities made from them agree.
    machine = SVC(
        C=config["C"],
        gamma=config["gamma"] or "scale",
        class_weight=_weights(config["class_weight"]),
        break_ties=True,
        cache_size=1000,
    )
    return make_pipeline(StandardScaler(), machine)


def _weights(weights):
    if weights is None or isinstance(weights, str):
        return weights
    return {int(label): float(weight) for label, weight in zip(Label, weights, strict=True)}
