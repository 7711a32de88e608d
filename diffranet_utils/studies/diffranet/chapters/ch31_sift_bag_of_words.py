"""Chapter 31: accuracy against the size of the vocabulary."""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.features.sift import (
    N_DEFAULT,
    OPENCV_BLUR_PX,
    OPENCV_CONTRAST,
    PER_WORD,
    SiftBag,
    sift_descriptors,
    stored_descriptors,
)
from diffranet_utils.features.store import FeatureStore
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier
from diffranet_utils.records import metrics
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.labels import Label


def step(run):
    """Heavy step of chapter 31: accuracy against the number of words, for both classifiers.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`. Vocabularies that need more keypoints than there are get no
        row; ``rf_separate`` repeats a fault of the original code, a second vocabulary for the
        validation images.
    """
    asked, root = run.preset.words, ensure_dataset(run)
    untuned = {kind: UNTUNED[kind] for kind in asked.classifiers}
    train, validation = (load_split(root, split) for split in ("train", "validation"))
    y, truth = train.labels[: asked.n_train], validation.labels
    stores = [
        FeatureStore(x, root / "features", run.preset.n_workers)
        for x in (train.images[: len(y)], validation.images)
    ]
    (descriptors, counts), found = (stored_descriptors(store) for store in stores)
    rows = []
    for n_words in (n for n in asked.n_words if PER_WORD * n <= len(descriptors)):
        bag = SiftBag(n_words).fit_descriptors(descriptors, np.random.default_rng(run.seed))
        x, x_validation = bag.count_words(descriptors, counts), bag.count_words(*found)
        models = {
            kind: make_classifier(config, run.seed).fit(x, y) for kind, config in untuned.items()
        }
        scores = {
            kind: metrics.accuracy(truth, model.predict(x_validation))
            for kind, model in models.items()
        }
        if "rf" in models and PER_WORD * n_words <= len(found[0]):
            other = SiftBag(n_words).fit_descriptors(found[0], np.random.default_rng(run.seed))
            scores["rf_separate"] = metrics.accuracy(
                truth, models["rf"].predict(other.count_words(*found))
            )
        rows.append({"n_words": n_words} | scores)
    require(
        rows,
        f"{len(descriptors)} keypoints in {len(y)} training images make no vocabulary: use more "
        "images.",
    )
    guess = np.full_like(truth, np.bincount(y).argmax())
    values = {
        "sift_validation_accuracy": _best(rows, untuned),
        "majority_accuracy": metrics.accuracy(truth, guess),
    }
    if any("rf_separate" in row for row in rows):
        values["separate_vocabularies_accuracy"] = _best(rows, ["rf_separate"])
    counted = {
        "default": sift_descriptors(
            validation.images[:N_DEFAULT], 2, OPENCV_CONTRAST, OPENCV_BLUR_PX
        )[1]
    }
    keypoints = {
        name: _by_class(numbers, truth) for name, numbers in (counted | {"ours": found[1]}).items()
    }
    return values, {"n_train": len(y), "by_words": rows, "keypoints": keypoints}


def _best(rows, names):
    """The most accurate entry under any of the names."""
    return max(
        (row[name] for row in rows for name in names if name in row),
        key=lambda entry: entry["value"],
    )


def _by_class(counts, labels):
    """Images, median keypoints and share without any, for each class that occurs."""
    groups = {label: counts[labels[: len(counts)] == label] for label in Label}
    return {
        label.title: {
            "n": group.size,
            "median": float(np.median(group)),
            "without": float((group == 0).mean()),
        }
        for label, group in groups.items()
        if group.size
    }
