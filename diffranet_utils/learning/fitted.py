"""A trained classical model: extractor, classifier and what it needs, saved without pickle."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.pipeline import FeatureUnion

from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.core.files import atomic_path, read_json, write_json
from diffranet_utils.features.sift import SiftBag
from diffranet_utils.features.spots import SpotFeatures
from diffranet_utils.features.texture import GlcmFeatures, LbpFeatures
from diffranet_utils.records.provenance import origin

# skops names this type because a forged tree could point outside its own arrays: `_check_trees`
# looks.
TRUSTED = ["sklearn.tree._tree.Tree"]


@dataclass
class FittedModel:
    """From 8-bit images to classes.

    Parameters
    ----------
    config : dict
        ``extractor``, ``classifier`` and their parameters, see `search_space`.
    classifier : estimator
        Trained on the extractor's features.
    words : ndarray, shape (n_words, 128), or None
        Vocabulary of the SIFT extractor.
    temperature : float
        Scale between decision values of an SVM and log probabilities.
    n_workers : int
        Threads for extraction.
    n_classes : int, optional
        Labels count from 1 to this number; by default the classes that training saw.
    """

    config: dict
    classifier: object
    words: np.ndarray | None = None
    temperature: float = 1.0
    n_workers: int = 1
    n_classes: int | None = None

    def features(self, images):
        """Feature table of images, shape (n, rows, columns), uint8; one row per image."""
        return make_extractor(self.config, self.n_workers, self.words).transform(images)

    def predict(self, images):
        """Classes of images.

        Parameters
        ----------
        images : ndarray, shape (n, rows, columns), uint8

        Returns
        -------
        ndarray, shape (n,), int64
            From 1.
        """
        return self.predict_features(self.features(images))

    def predict_proba(self, images):
        """Probability of each class.

        A forest gives the share of its trees. An SVM's decision values are scaled by the one
        temperature that suits the validation split best, and go through a softmax.

        Returns
        -------
        ndarray, shape (n, n_classes), float64
            Columns in the order of the labels; a class that the training data lacked has zero.
        """
        return self.proba_features(self.features(images))

    def predict_features(self, x):
        """Classes of feature rows, shape (n, n_features)."""
        return np.asarray(self.classifier.predict(x), np.int64)

    def proba_features(self, x):
        """Probabilities of feature rows; see `predict_proba`."""
        if hasattr(self.classifier, "predict_proba"):
            found = self.classifier.predict_proba(x)
        else:
            found = softmax(_decisions(self.classifier, x) * self.temperature, axis=1)
        table = np.zeros((len(x), self.n_classes or int(self.classifier.classes_.max())))
        table[:, self.classifier.classes_.astype(int) - 1] = found
        return table


def make_extractor(config, n_workers=1, words=None):
    """Transformer that turns images into the features that a configuration names.

    Parameters
    ----------
    config : dict
    n_workers : int
    words : ndarray, optional
        Vocabulary, for SIFT.
    """
    kind = config["extractor"]
    if kind == "glcm":
        return GlcmFeatures(config["distances"], config["angles_deg"], n_workers)
    if kind == "lbp":
        return LbpFeatures(config["points"], config["radius"], n_workers)
    if kind == "spots":
        return SpotFeatures(n_workers)
    if kind == "spots_glcm":
        parts = [
            (name, make_extractor(config | {"extractor": name}, n_workers))
            for name in ("spots", "glcm")
        ]
        return FeatureUnion(parts)
    require(
        kind == "sift",
        f"Unknown extractor {kind!r}: choose one of glcm, lbp, sift, spots, spots_glcm.",
    )
    bag = SiftBag(config["n_words"], n_workers)
    bag.words_ = words
    return bag


def fit_temperature(classifier, x, labels):
    """Scale of decision values that makes a softmax of them the likeliest on held-out data.

    Parameters
    ----------
    classifier : estimator
        A forest needs none: 1 is returned.
    x : ndarray, shape (n, n_features)
        Features that the classifier was not trained on.
    labels : ndarray, shape (n,), int

    Returns
    -------
    float
    """
    if hasattr(classifier, "predict_proba"):
        return 1.0
    decisions, known = _decisions(classifier, x), np.isin(labels, classifier.classes_)
    right = np.searchsorted(classifier.classes_, labels[known])

    def cost(log_scale):
        return -log_softmax(decisions[known] * np.exp(log_scale), axis=1)[
            np.arange(len(right)), right
        ].mean()

    return float(np.exp(minimize_scalar(cost, bounds=(-5, 5), method="bounded").x))


def save_model(model, path, **facts):
    """Write a model as ``<path>.skops`` with a JSON beside it.

    Parameters
    ----------
    model : FittedModel
    path : path-like
        With suffix ``.skops``.
    **facts
        Anything JSON holds, such as accuracy or seed, for the JSON file.
    """
    dump_parts({"classifier": model.classifier, "words": model.words}, path)
    facts = {
        "config": model.config,
        "temperature": model.temperature,
        "n_classes": model.n_classes,
    } | facts
    write_json(Path(path).with_suffix(".json"), facts | origin())


def dump_parts(parts, path):
    """Write estimators and arrays as a ``.skops`` file; a dict of them, by name."""
    import skops.io

    with atomic_path(Path(path)) as temporary:
        skops.io.dump(parts, temporary, compression=zipfile.ZIP_DEFLATED)


def load_model(path, n_workers=1):
    """Read a model that `save_model` wrote; nothing is unpickled.

    Parameters
    ----------
    path : path-like
        The ``.skops`` file.
    n_workers : int
        Threads for extraction.

    Returns
    -------
    FittedModel

    Raises
    ------
    MissingDataError
        If a file is missing.
    DiffranetError
        If the file is damaged or holds types that a model has no use for.
    """
    parts, facts = load_parts(path, ("classifier", "words"), "diffranet run 32_hyperopt_search")
    settings = (facts["temperature"], n_workers, facts.get("n_classes"))
    return FittedModel(facts["config"], parts["classifier"], parts["words"], *settings)


def load_parts(path, names, remedy):
    """Read what `dump_parts` wrote, and the JSON beside it.

    Parameters
    ----------
    path : path-like
        The ``.skops`` file.
    names : sequence of str
        Parts that it must have.
    remedy : str
        Command that writes such a file, for messages.

    Returns
    -------
    parts, facts : dict

    Raises
    ------
    MissingDataError
        If a file is missing.
    DiffranetError
        If the file is damaged or holds types that a model has no use for.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"No model {path}. Run `{remedy}` first.")
    facts = read_json(path.with_suffix(".json"))
    try:
        found = skops.io.load(path, trusted=TRUSTED)
        parts = {name: found[name] for name in names}
    except UntrustedTypesFoundException as error:
        found = str(error).splitlines()[0]
        raise DiffranetError(f"Do not use {path}, it holds what no model needs. {found}") from error
    except Exception as error:  # skops raises whatever its zip, JSON or NumPy reader raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DiffranetError(f"Cannot read {path}: {reason}. Run `{remedy}` again.") from error
    for part in parts.values():
        _check_trees(part, path, remedy)
    return parts, facts


def _decisions(classifier, x):
    """Decision values, one column per class also where there are two."""
    values = classifier.decision_function(x)
    return values if values.ndim == 2 else np.stack([-values / 2, values / 2], axis=1)


def _check_trees(classifier, path, remedy):
    """Refuse a tree whose nodes point outside it: scikit-learn follows them without looking."""
    for tree in (estimator.tree_ for estimator in getattr(classifier, "estimators_", [])):
        inner = tree.children_left != -1
        children = np.concatenate([tree.children_left[inner], tree.children_right[inner]])
        parents = np.tile(np.flatnonzero(inner), 2)
        sound = (children > parents).all() and (children < tree.node_count).all()
        features = tree.feature[inner]
        sound = sound and (features >= 0).all() and (features < classifier.n_features_in_).all()
        if not sound:
            raise DiffranetError(f"{path} holds a damaged tree. Run `{remedy}` again.")
