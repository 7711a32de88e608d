"""What a finished search means: seeds, where the errors lie, what peeking costs, and a baseline
that learns nothing.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from diffranet_utils.core.progress import progress
from diffranet_utils.data.split import load_manifest
from diffranet_utils.features.texture import glcm_names
from diffranet_utils.frames import peaks
from diffranet_utils.learning.classifiers import make_classifier
from diffranet_utils.records import metrics
from diffranet_utils.search.space import describe
from diffranet_utils.search.tpe import TIMED_FROM, Evaluator
from diffranet_utils.search.trials import best_trial
from diffranet_utils.studies.diffranet.chapters.ch30_texture_features import property_drops
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.joint_search import search_step
from diffranet_utils.studies.diffranet.labels import Label, is_hit
from diffranet_utils.studies.diffranet.spot_search import spot_search

# of a search on at least `search.TIMED_FROM` images; two of a smaller one, which shows the code
# only
N_SEEDS = 5
N_TOP = (
    10  # configurations whose test accuracy is looked at, to measure what peeking would have cost
)
N_SHUFFLED = 2000  # test images for the importance of features
# Borders of the bins of n_visible; those of the classes are added.
BINS = (0, 1, 10, 20, 35, 60, 80, 100, 200, 400, 600, 800, 1000, 1500, 2000, 3000, 4000, 10**6)


def step(run):
    """Heavy step of chapter 32: the search, and what it means.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    values, details = search_step(run)
    root = ensure_dataset(run)
    train, validation, test = (load_split(root, split) for split in ("train", "validation", "test"))
    on_test, found = Evaluator(train, test, run, n_sift=run.preset.search.n_sift), {}
    best = {
        kind: best_trial(details["trials"], "classifier", kind)["config"]
        for kind in run.preset.search.classifiers
    }
    details["seeds"] = {}
    for kind, config in best.items():
        scores, model, tables = over_seeds(on_test, config, run)
        details["seeds"][kind] = scores
        found[kind] = model.predict(tables[2])
        if kind == "rf" and config["extractor"] == "glcm":
            details["importance"] = importance(model, tables[2], test.labels, config, run)
    rows = load_manifest(root).query("split == 'test'")
    wrong = {kind: labels != test.labels for kind, labels in found.items()}
    details["by_visible"] = by_visible(
        rows.n_visible.to_numpy(), wrong, run.preset.dataset.experiment.borders
    )
    details["peeking"] = peeking(details["trials"], on_test)
    entries, details["spot_count"] = spot_count(validation, test, run.preset.n_workers)
    splits = {"train": train, "validation": validation, "test": test}
    on_spots, details["spots"] = spot_search(
        run, splits, rows, found["svm"] if "svm" in found else found["rf"]
    )
    return values | entries | on_spots, details


def over_seeds(evaluator, config, run):
    """Train a configuration with several seeds.

    Parameters
    ----------
    evaluator : search.Evaluator
        Of the training and the test split.
    config : dict
    run : provenance.Run

    Returns
    -------
    scores : dict
        ``accuracies``, one per seed, and their ``interval`` (mean, low, high). An SVM has no
        randomness.
    model : estimator
        Of the run's own seed.
    tables : tuple
        Training features, labels, test features.
    """
    x, y, x_test = evaluator.tables(config)
    truth = evaluator.validation.labels
    n_seeds = N_SEEDS if len(y) >= TIMED_FROM else 2
    models = {
        s: make_classifier(config, s, run.preset.n_workers)
        for s in range(run.seed, run.seed + n_seeds)
    }
    accuracies = [
        float((model.fit(x, y).predict(x_test) == truth).mean()) for model in models.values()
    ]
    spread = metrics.mean_interval(accuracies)
    return {"accuracies": accuracies, "interval": spread}, models[run.seed], (x, y, x_test)


def importance(model, x, truth, config, run):
    """Test accuracy that a forest loses when all columns of one Haralick feature are shuffled."""
    names = glcm_names(config["distances"], config["angles_deg"])
    rng = np.random.default_rng(run.seed)
    return property_drops(model, x[:N_SHUFFLED], truth[:N_SHUFFLED], rng, names)


def by_visible(n_visible, wrong, borders):
    """Share right against the number of visible spots, which is what makes an image easy or hard.

    Parameters
    ----------
    n_visible : ndarray, shape (n,), int
        Of each test image.
    wrong : dict
        Name of a classifier to ndarray, shape (n,), bool.
    borders : Borders
        Of the classes.

    Returns
    -------
    list of dict
        One per bin that has images: ``low``, ``high`` (not included), and a record entry per
        classifier.
    """
    rows, bins = [], sorted({*BINS, borders.weak, borders.good, borders.strong})
    for low, high in pairwise(bins):
        inside = (n_visible >= low) & (n_visible < high)
        n = int(inside.sum())
        if n:
            entries = {
                name: metrics.proportion(n - int(bad[inside].sum()), n)
                for name, bad in wrong.items()
            }
            rows.append({"low": low, "high": high} | entries)
    return rows


def peeking(trials, evaluator):
    """What choosing on test images would report: the best of the leading configurations by the
    wrong split.

    Parameters
    ----------
    trials : list of dict
    evaluator : search.Evaluator
        Of the training and the test split.

    Returns
    -------
    dict
        ``rows`` (settings, validation and test accuracy), ``honest`` and ``peeked``: test accuracy
        of the configuration that validation chooses, and of the one that the test images would
        choose.
    """
    done = {describe(t["config"]): t for t in trials if t["status"] == "ok"}
    top = sorted(done.values(), key=lambda t: -t["accuracy"])[:N_TOP]
    rows = [
        {
            "settings": describe(t["config"]),
            "validation": t["accuracy"],
            "test": evaluator(t["config"])["accuracy"],
        }
        for t in progress(top, title="test", unit="configuration")
    ]
    return {"rows": rows, "honest": rows[0]["test"], "peeked": max(row["test"] for row in rows)}


def spot_count(validation, test, n_workers=1):
    """Label test images by their number of spots and their mean grey value, with borders set on the
    validation split.

    Parameters
    ----------
    validation, test : dataset.Split
    n_workers : int
        Threads.

    Returns
    -------
    values, details : dict
        Accuracies over five classes and over hit or miss, as record entries; borders and confusion
        matrix.
    """
    x, x_test = (_spots_and_grey(split.images, n_workers) for split in (validation, test))
    # Five leaves on two numbers are four borders: what a person would set by eye.
    rule = DecisionTreeClassifier(max_leaf_nodes=len(Label), random_state=0).fit(
        x, validation.labels
    )
    found = rule.predict(x_test)
    values = {
        "spot_count_test_accuracy": metrics.accuracy(test.labels, found),
        "spot_count_hit_accuracy": metrics.hit_accuracy(test.labels, found, is_hit),
    }
    inner = rule.tree_.feature >= 0
    names = np.array(["spots", "mean grey"])[rule.tree_.feature[inner]]
    borders = [
        {"what": str(n), "border": float(b)}
        for n, b in zip(names, rule.tree_.threshold[inner], strict=True)
    ]
    return values, {"borders": borders, "confusion": metrics.confusion(test.labels, found, Label)}


def _spots_and_grey(images, n_workers):
    """Spots and mean grey value of each image, shape (n, 2)."""
    mask = np.ones(images.shape[1:], bool)

    def look(image):
        return len(peaks.find_peaks(np.square(image, dtype=np.float32), mask)), float(image.mean())

    with ThreadPoolExecutor(n_workers) as pool:
        return np.array(list(progress(pool.map(look, images), total=len(images), title="spots")))
