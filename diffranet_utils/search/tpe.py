"""Hyperopt's search over extractors and classifiers together, and the models it ends with."""

import joblib
import numpy as np

from diffranet_utils.core.workers import processes
from diffranet_utils.features.sift import SiftBag, stored_descriptors
from diffranet_utils.features.store import FeatureStore
from diffranet_utils.learning.classifiers import make_classifier
from diffranet_utils.learning.fitted import FittedModel, fit_temperature
from diffranet_utils.records import metrics

TIMEOUT_S = (
    240.0  # 150 evaluations of a minute or two each: a search of an evening's length at most
)
TIMED_FROM = 1000  # training images; fewer fit in seconds, and starting a process would take longer


class Evaluator:
    """One evaluation: features from the store, a fit on train, accuracy on validation.

    Parameters
    ----------
    train, validation : dataset.Split
    run : provenance.Run
        Seed, threads, and the folder where extracted features are kept.
    n_sift : int, optional
        Training images that SIFT sees; by default all.
    timeout_s : float, optional
        A fit that takes longer is stopped and counts as failed; None fits in this process, without
        limit.
    n_classes : int, optional
        Labels count from 1 to this number; by default the classes in the training split.
    is_hit : callable, optional
        Tells which labels are hits; with it a trial also has an accuracy over hit or miss.
    """

    def __init__(
        self, train, validation, run, *, n_sift=None, timeout_s=None, n_classes=None, is_hit=None
    ):
        self.train, self.validation = train, validation
        self.seed, self.n_workers, self.timeout_s = run.seed, run.preset.n_workers, timeout_s
        few = train.images[:n_sift]
        self.stores = [
            FeatureStore(images, run.data_dir / "features", self.n_workers)
            for images in (train.images, validation.images, few)
        ]
        self._bags, self.is_hit = {}, is_hit
        self.n_classes = n_classes or int(train.labels.max())

    def __call__(self, config):
        """Validation accuracy of a configuration."""
        x, y, x_validation = self.tables(config)
        found = fit_predict(
            make_classifier(config, self.seed, self.n_workers), x, y, x_validation, self.timeout_s
        )
        truth = self.validation.labels
        accuracy = metrics.accuracy(truth, found)
        scores = {"accuracy": accuracy["value"]}
        if self.is_hit is not None:
            scores["hit_accuracy"] = metrics.hit_accuracy(truth, found, self.is_hit)["value"]
        return scores | {"n": accuracy["n"]}

    def tables(self, config):
        """Features and labels to train on, and features of the validation images."""
        train, validation, few = self.stores
        x = self.table(config, few if config["extractor"] == "sift" else train)
        return x, self.train.labels[: len(x)], self.table(config, validation)

    def table(self, config, store):
        """Features of the images of one store, as a configuration names them."""
        kind = config["extractor"]
        if kind == "glcm":
            return store.glcm(config["distances"], config["angles_deg"])
        if kind == "spots":
            return store.spots()
        if kind == "spots_glcm":
            return np.hstack([store.spots(), store.glcm(config["distances"], config["angles_deg"])])
        if kind == "lbp":
            return store.lbp(config["points"], config["radius"])
        return self.bag(config["n_words"]).count_words(*stored_descriptors(store))

    def bag(self, n_words):
        """Vocabulary of the training images, fitted once for each size."""
        if n_words not in self._bags:
            descriptors, _ = stored_descriptors(self.stores[2])
            self._bags[n_words] = SiftBag(n_words).fit_descriptors(
                descriptors, np.random.default_rng(self.seed)
            )
        return self._bags[n_words]

    def fit(self, config):
        """Train a model that takes images.

        Returns
        -------
        FittedModel
        """
        x, y, x_validation = self.tables(config)
        classifier = make_classifier(config, self.seed, self.n_workers).fit(x, y)
        temperature = fit_temperature(classifier, x_validation, self.validation.labels)
        words = self.bag(config["n_words"]).words_ if config["extractor"] == "sift" else None
        return FittedModel(config, classifier, words, temperature, self.n_workers, self.n_classes)


def fit_predict(classifier, x, y, x_validation, timeout_s=None):
    """Predictions of a classifier trained on `x` and `y`; with a limit, in a process (or on Dask)
    that it stops.

    Raises
    ------
    TimeoutError
        If it takes longer than `timeout_s`.
    """
    if timeout_s is None:
        return classifier.fit(x, y).predict(x_validation)
    # With two jobs joblib uses processes, which alone can be stopped in the middle of a fit.
    parallel = processes(2, timeout=timeout_s)
    return parallel([joblib.delayed(fit_predict)(classifier, x, y, x_validation)])[0]
