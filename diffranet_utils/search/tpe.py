"""Hyperopt's search over extractors and classifiers together, and the models it ends with."""

import json

import joblib
import numpy as np

from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.data.split import ensure_dataset, load_split
from diffranet_utils.features.sift import SiftBag, stored_descriptors
from diffranet_utils.features.texture import FeatureStore
from diffranet_utils.learning.classifiers import make_classifier
from diffranet_utils.learning.fitted import FittedModel, fit_temperature, load_model, save_model
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import versions
from diffranet_utils.search.space import CLASSIFIERS, EXTRACTORS, describe
from diffranet_utils.search.trials import best_trial, run_search, trial_table
from diffranet_utils.studies.diffranet.labels import CLASS_NAMES, Label, is_hit

__all__ = [
    "Evaluator", "FittedModel", "best_trial", "load_model", "run_search", "save_model", "search_step", "trial_table",
]  # fmt: skip

TIMEOUT_S = 240.0  # 150 evaluations of a minute or two each: a search of an evening's length at most
TIMED_FROM = 1000  # training images; fewer fit in seconds, and starting a process would take longer


class Evaluator:
    """One evaluation: features from the store, a fit on train, accuracy on validation.

    Parameters
    ----------
    train, validation : dataset.Split
    run : provenance.Run
        Seed, threads, training images for SIFT, and the folder where extracted features are kept.
    timeout_s : float, optional
        A fit that takes longer is stopped and counts as failed; None fits in this process, without limit.
    """

    def __init__(self, train, validation, run, timeout_s=None):
        self.train, self.validation = train, validation
        self.seed, self.n_workers, self.timeout_s = run.seed, run.preset.n_workers, timeout_s
        few = train.images[: run.preset.n_sift]
        self.stores = [
            FeatureStore(images, run.data_dir / "features", self.n_workers)
            for images in (train.images, validation.images, few)
        ]
        self._bags = {}

    def __call__(self, config):
        """Validation accuracy of a configuration, over five classes and over hit or miss."""
        x, y, x_validation = self.tables(config)
        found = fit_predict(make_classifier(config, self.seed, self.n_workers), x, y, x_validation, self.timeout_s)
        truth = self.validation.labels
        accuracy, hits = metrics.accuracy(truth, found), metrics.hit_accuracy(truth, found, is_hit)
        return {"accuracy": accuracy["value"], "hit_accuracy": hits["value"], "n": accuracy["n"]}

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
        if kind == "lbp":
            return store.lbp(config["points"], config["radius"])
        return self.bag(config["n_words"]).count_words(*stored_descriptors(store))

    def bag(self, n_words):
        """Vocabulary of the training images, fitted once for each size."""
        if n_words not in self._bags:
            descriptors, _ = stored_descriptors(self.stores[2])
            self._bags[n_words] = SiftBag(n_words).fit_descriptors(descriptors, np.random.default_rng(self.seed))
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
        return FittedModel(config, classifier, words, temperature, self.n_workers)


def search_step(run):
    """Heavy step of chapter 32: search on train and validation, then one look at the test images.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    root = ensure_dataset(run)
    train, validation, test = (load_split(root, split) for split in ("train", "validation", "test"))
    evaluator = Evaluator(train, validation, run, TIMEOUT_S if len(train.labels) >= TIMED_FROM else None)
    path = run.results_dir / "32_hyperopt_search_trials.jsonl"
    trials = run_search(evaluator, run.preset.n_evaluations, run.seed, path, _identity(evaluator))
    values, details, found = {}, {"trials": trials, "describe": [describe(t["config"]) for t in trials]}, {}
    for kind in CLASSIFIERS:
        trial = best_trial(trials, "classifier", kind)
        model = evaluator.fit(trial["config"])
        found[kind] = model.predict(test.images)
        entries, details[kind] = _score(kind, trial, test.labels, found[kind])
        save_model(model, run.models_dir / f"{kind}.skops", seed=run.seed, preset=run.preset.name, values=entries)
        values |= entries
    for kind in ("glcm", "lbp"):
        values[f"{kind}_validation_accuracy"] = _validation_entry(best_trial(trials, "extractor", kind))
    details["best_per_extractor"] = _best_per_extractor(trials)
    details["mcnemar"] = metrics.mcnemar(test.labels, found["rf"], found["svm"])
    return values, details


def fit_predict(classifier, x, y, x_validation, timeout_s=None):
    """Predictions of a classifier trained on `x` and `y`; with a limit, in a process (or on Dask) that it stops.

    Raises
    ------
    TimeoutError
        If it takes longer than `timeout_s`.
    """
    if timeout_s is None:
        return classifier.fit(x, y).predict(x_validation)
    # With two jobs joblib uses processes, which alone can be stopped in the middle of a fit.
    parallel = joblib.Parallel(n_jobs=2, timeout=timeout_s)
    return parallel([joblib.delayed(fit_predict)(classifier, x, y, x_validation)])[0]


def _identity(evaluator):
    """Images, labels, code and libraries that decide a trial's result."""
    images = [store.key for store in evaluator.stores]
    truth = [split.labels.tolist() for split in (evaluator.train, evaluator.validation)]
    return json.dumps([images, truth, code_fingerprint(__name__), versions()])


def _score(kind, trial, truth, found):
    """Record entries and tables of one classifier on the test images."""
    matrix = metrics.confusion(truth, found, Label)
    entries = {
        f"{kind}_validation_accuracy": _validation_entry(trial),
        f"{kind}_test_accuracy": metrics.accuracy(truth, found),
        f"{kind}_hit_accuracy": metrics.hit_accuracy(truth, found, is_hit),
    }
    classes = metrics.per_class(matrix, CLASS_NAMES).reset_index().astype(object)
    classes = classes.where(classes.notna(), None).to_dict("records")
    return entries, {"config": trial["config"], "confusion": matrix, "per_class": classes}


def _validation_entry(trial):
    return metrics.proportion(round(trial["accuracy"] * trial["n"]), trial["n"])


def _best_per_extractor(trials):
    """Table 4 on our data: the best trial of each extractor, where one succeeded."""
    done = {trial["config"]["extractor"] for trial in trials if trial["status"] == "ok"}
    return {
        kind: {"describe": describe(trial["config"])} | _validation_entry(trial)
        for kind in EXTRACTORS
        if kind in done
        for trial in [best_trial(trials, "extractor", kind)]
    }
