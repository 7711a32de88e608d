"""The joint search over extractors and classifiers, and the models it ends with."""

import json

from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.learning.fitted import save_model
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import versions
from diffranet_utils.search.space import EXTRACTORS, PAPER_SPACE, describe
from diffranet_utils.search.tpe import TIMED_FROM, TIMEOUT_S, Evaluator
from diffranet_utils.search.trials import best_trial, run_search
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.labels import CLASS_NAMES, Label, is_hit


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
    timeout_s = TIMEOUT_S if len(train.labels) >= TIMED_FROM else None
    asked = run.preset.search
    space = PAPER_SPACE.part(asked.extractors, asked.classifiers)
    evaluator = Evaluator(
        train,
        validation,
        run,
        n_sift=asked.n_sift,
        timeout_s=timeout_s,
        n_classes=len(Label),
        is_hit=is_hit,
    )
    path = run.results_dir / f"32_hyperopt_search{run.mark}_trials.jsonl"
    trials = run_search(
        evaluator, asked.n_evaluations, run.seed, path, identity(evaluator), space=space
    )
    values, details, found = (
        {},
        {"trials": trials, "describe": [describe(t["config"]) for t in trials]},
        {},
    )
    for kind in space.classifiers:
        trial = best_trial(trials, "classifier", kind)
        model = evaluator.fit(trial["config"])
        found[kind] = model.predict(test.images)
        entries, details[kind] = score(kind, trial, test.labels, found[kind])
        save_model(
            model,
            run.models_dir / f"{kind}{run.mark}.skops",
            seed=run.seed,
            preset=run.preset.name,
            values=entries,
        )
        values |= entries
    for kind in (k for k in ("glcm", "lbp") if k in space.extractors):
        values[f"{kind}_validation_accuracy"] = validation_entry(
            best_trial(trials, "extractor", kind)
        )
    details["best_per_extractor"] = _best_per_extractor(trials)
    if len(found) == 2:
        details["mcnemar"] = metrics.mcnemar(test.labels, *found.values())
    return values, details


def identity(evaluator):
    """Images, labels, code and libraries that decide a trial's result."""
    images = [store.key for store in evaluator.stores]
    truth = [split.labels.tolist() for split in (evaluator.train, evaluator.validation)]
    return json.dumps([images, truth, code_fingerprint(__name__), versions()])


def score(kind, trial, truth, found):
    """Record entries and tables of one model on the test images.

    Parameters
    ----------
    kind : str
        What the entries' names begin with.
    trial : dict
        That the model was made from.
    truth, found : ndarray, shape (n,), int

    Returns
    -------
    values, details : dict
    """
    matrix = metrics.confusion(truth, found, Label)
    entries = {
        f"{kind}_validation_accuracy": validation_entry(trial),
        f"{kind}_test_accuracy": metrics.accuracy(truth, found),
        f"{kind}_hit_accuracy": metrics.hit_accuracy(truth, found, is_hit),
    }
    classes = metrics.per_class(matrix, CLASS_NAMES).reset_index().astype(object)
    classes = classes.where(classes.notna(), None).to_dict("records")
    return entries, {"config": trial["config"], "confusion": matrix, "per_class": classes}


def validation_entry(trial):
    """Record entry of a trial's accuracy on the validation images."""
    return metrics.proportion(round(trial["accuracy"] * trial["n"]), trial["n"])


def _best_per_extractor(trials):
    """Table 4 on our data: the best trial of each extractor, where one succeeded."""
    done = {trial["config"]["extractor"] for trial in trials if trial["status"] == "ok"}
    return {
        kind: {"describe": describe(trial["config"])} | validation_entry(trial)
        for kind in EXTRACTORS
        if kind in done
        for trial in [best_trial(trials, "extractor", kind)]
    }
