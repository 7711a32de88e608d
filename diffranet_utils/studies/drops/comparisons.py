"""Comparisons of chapter 81 that train networks of their own: label errors, resolution,
augmentation.
"""

from dataclasses import replace

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.records.tables import grouped

from . import label_errors as errors
from .label_noise import REVISITED, with_noise
from .labels import CLASSES, Label

#: What differs from the base: a name for tables, and the words for figures.
VARIANTS = {
    "base": "as in this chapter",
    "half_resolution": "half the pixels, no first convolution",
    "no_augmentation": "no augmentation",
}


def label_errors(run, bench, sets):
    """Confuse labels, look for the wrong ones out of fold, correct the worst and train again.

    Parameters
    ----------
    run : provenance.Run
    bench : bench.Bench
    sets : dict
        ``train`` and ``test``, each with a ``shelf``.

    Returns
    -------
    values, details : dict
    """
    asked, shelf = run.preset.network, sets["train"].shelf
    noisy = with_noise(np.random.default_rng([run.seed, 81]), shelf.labels, asked.label_noise)
    settings = asked.short_training(asked.fold_epochs)

    def judge(fold, training, held_out):
        trained = bench.train(
            f"fold_{fold}", shelf.part(training, noisy.given[training]), settings, run.seed
        )
        seen = bench.judge(trained, shelf.part(held_out))
        require(
            len(seen.numbers) == len(held_out),
            "A rendered picture cannot be read: delete the set and build it again.",
        )
        return seen.probabilities

    probabilities = errors.out_of_fold(noisy.given, asked.n_folds, run.seed, judge)
    values, worst = searched(probabilities, noisy)
    corrected = noisy.given.copy()
    corrected[worst] = noisy.true[worst]  # the expert, who is right here
    everything = np.arange(len(corrected))
    seen = {}
    for name, labels in (("before", noisy.given), ("after", corrected)):
        trained = bench.train(
            f"{name}_relabelling", shelf.part(everything, labels), settings, run.seed
        )
        seen[name] = bench.judge(trained, sets["test"].shelf)
        values[f"accuracy_{name}_relabelling"] = metrics.accuracy(
            seen[name].labels, seen[name].classes
        )
    right = [seen[name].classes == seen[name].labels for name in ("before", "after")]
    values["gain_of_relabelling"] = metrics.paired_gain(*right)
    out_of_fold = metrics.accuracy(noisy.true, probabilities.argmax(1))
    return values, {
        "label_errors": _label_details(noisy, probabilities, worst) | {"out_of_fold": out_of_fold}
    }


def searched(probabilities, noisy):
    """Score each way of finding label errors against the truth.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 4), float64
        Out of fold.
    noisy : label_noise.NoisyLabels

    Returns
    -------
    values : dict
        Record entries.
    worst : ndarray of int
        Places of the labels most in disagreement.
    """
    worst = errors.worst(probabilities, noisy.given)
    n_wrong = int(noisy.wrong.sum())
    values = {
        "label_errors": plain_value(n_wrong, f"of {len(noisy.given):,} labels"),
        # Where fewer labels are wrong than are looked at, no method can be right more often.
        "worst_5_percent_ceiling": metrics.proportion(min(n_wrong, len(worst)), len(worst)),
        "worst_5_percent_true_errors": errors.search_of(worst, noisy.wrong).precision,
    }
    if n_wrong:
        values["worst_5_percent_found"] = errors.search_of(worst, noisy.wrong).recall
    places = {
        "flagged": errors.flagged(probabilities, noisy.given),
        "confident": errors.flagged_by_confidence(probabilities, noisy.given),
        "cleanlab": errors.flagged_by_cleanlab(probabilities, noisy.given),
    }
    for name, flags in places.items():
        if flags is not None:
            found = errors.search_of(flags, noisy.wrong)
            values |= {f"{name}_true_errors": found.precision, f"{name}_found": found.recall}
    return values, worst


def _label_details(noisy, probabilities, worst):
    rows = [
        {
            "place": int(k),
            "given": CLASSES[noisy.given[k]],
            "true": CLASSES[noisy.true[k]],
            "disagreement": float(errors.disagreement(probabilities, noisy.given)[k]),
        }
        for k in worst
    ]
    return {
        "noise": metrics.confusion(noisy.true, noisy.given, Label),
        "fraction": REVISITED,
        "worst": rows,
    }


def variants(run, bench, sets):
    """Train with half the resolution and without augmentation, each with several seeds.

    Parameters
    ----------
    run : provenance.Run
    bench : bench.Bench
    sets : dict
        ``train`` and ``test``, each with a ``shelf``.

    Returns
    -------
    values, details : dict
        ``gain_of_double_resolution`` and ``gain_of_augmentation``, and a row for each variant and
        seed.
    """
    rows = [
        _variant(run, bench, sets, name, seed)
        for name in VARIANTS
        for seed in range(run.seed, run.seed + run.preset.network.study_seeds)
    ]
    found = {
        name: [row["accuracy"]["value"] for row in mine]
        for name, mine in grouped(rows, "variant").items()
    }
    gains = {"double_resolution": "half_resolution", "augmentation": "no_augmentation"}
    values = {
        f"gain_of_{name}": metrics.mean_interval(np.subtract(found["base"], found[without]))
        for name, without in gains.items()
    }
    return values, {"study": rows}


def _variant(run, bench, sets, name, seed):
    asked = run.preset.network
    settings, framing, shape = asked.short_training(asked.study_epochs), asked.framing, asked.shape
    if name == "no_augmentation":
        settings = replace(settings, distortion=None)
    if name == "half_resolution":
        framing, shape = framing.halved(), replace(shape, front=False)
    training, test = sets["train"].shelf, sets["test"].shelf
    if name == "half_resolution":
        training, test = (bench.shelf(shelf.entries, framing) for shelf in (training, test))
    few = training.part(range(min(asked.n_study, len(training.entries))))
    trained = bench.train(f"{name}_{seed}", few, settings, seed, shape=shape, framing=framing)
    seen = bench.judge(trained, test, framing)
    accuracy = metrics.accuracy(seen.labels, seen.classes)
    return {"variant": name, "title": VARIANTS[name], "seed": seed, "accuracy": accuracy}
