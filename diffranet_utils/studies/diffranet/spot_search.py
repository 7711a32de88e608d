"""What ten lines of physics reach: a search over statistics of spots, and the limit that counting
noise sets.
"""

from itertools import combinations

import numpy as np
from scipy import ndimage, stats

from diffranet_utils.core.progress import progress
from diffranet_utils.data.build import image_number
from diffranet_utils.instrument.detector import spread, to_8bit
from diffranet_utils.learning.classifiers import make_classifier
from diffranet_utils.records import metrics
from diffranet_utils.search.space import SPOT_SPACE, SPOT_STARTS, describe
from diffranet_utils.search.tpe import Evaluator
from diffranet_utils.search.trials import best_trial, run_search
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.joint_search import identity, score
from diffranet_utils.studies.diffranet.labelling import N_SIGMA, noise_variance
from diffranet_utils.studies.diffranet.labels import Label, is_hit
from diffranet_utils.studies.diffranet.shots import expose

SIZES = (100, 300, 1000, 3000, 10_000)  # training images of the learning curve
N_SEEDS = 5
NEAR = 0.2  # an image lies near a border if its number of visible spots is within this share of it
N_EXPOSURES = 8
EXPOSED = {
    "smoke": 4,
    "workshop": 40,
}  # images near a border that are exposed anew; 200 in the larger presets


def spot_search(run, splits, rows, rival):
    """Search on train and validation, look at the test images once, and say what the errors are.

    Parameters
    ----------
    run : provenance.Run
    splits : dict of data.split.Split
        ``train``, ``validation`` and ``test``.
    rows : DataFrame
        The manifest's rows of the test images.
    rival : ndarray, shape (n_test,), int
        Labels that another model gives to the test images.

    Returns
    -------
    values, details : dict
        Record entries ``spots_test_accuracy``, ``spots_hit_accuracy`` and so on; ``spots_glcm`` has
        the co-occurrence features beside. Details of both, a learning curve, and `exposures`.
    """
    train, validation, test = (splits[name] for name in ("train", "validation", "test"))
    evaluator = Evaluator(train, validation, run, n_classes=len(Label), is_hit=is_hit)
    path = run.results_dir / f"32_hyperopt_search{run.mark}_spot_trials.jsonl"
    n = run.preset.search.n_spot_evaluations
    trials = run_search(evaluator, n, run.seed, path, identity(evaluator), SPOT_STARTS, SPOT_SPACE)
    values, details = (
        {},
        {"trials": trials, "describe": [describe(trial["config"]) for trial in trials]},
    )
    for kind in SPOT_SPACE.extractors:
        trial = best_trial(trials, "extractor", kind)
        model = evaluator.fit(trial["config"])
        found = model.predict(test.images)
        entries, details[kind] = score(kind, trial, test.labels, found)
        values |= entries
        details[kind]["mcnemar"] = metrics.mcnemar(test.labels, found, rival)
        details[kind]["wrong"] = wrong_images(test, rows, found)
        if kind == "spots":
            on_test = Evaluator(train, test, run)
            details[kind]["learning_curve"] = learning_curve(on_test, trial["config"], run)
            details[kind]["exposures"] = exposures(run, model, test, rows)
    return values, details


def wrong_images(test, rows, found):
    """Test images that a model gets wrong.

    Returns
    -------
    list of dict
        ``id``, ``label``, ``found`` and ``n_visible`` of each.
    """
    wrong = np.flatnonzero(found != test.labels)
    return [
        {
            "id": test.ids[k],
            "label": Label(test.labels[k]).title,
            "found": Label(found[k]).title,
            "n_visible": int(rows.n_visible.iloc[k]),
        }
        for k in wrong
    ]


def learning_curve(evaluator, config, run):
    """Test accuracy against the number of training images.

    Parameters
    ----------
    evaluator : search.tpe.Evaluator
        Of the training and the test split.
    config : dict
    run : provenance.Run

    Returns
    -------
    list of dict
        ``n``, ``accuracies`` (one per seed, each with training images of its own) and their
        ``interval``.
    """
    x, y, x_test = evaluator.tables(config)
    points = []
    for n in sorted({min(size, len(y)) for size in SIZES}):
        accuracies = []
        for seed in range(run.seed, run.seed + N_SEEDS):
            few = np.random.default_rng([seed, n]).choice(len(y), n, replace=False)
            model = make_classifier(config, seed, run.preset.n_workers).fit(x[few], y[few])
            accuracies.append(float((model.predict(x_test) == evaluator.validation.labels).mean()))
        points.append(
            {"n": n, "accuracies": accuracies, "interval": metrics.mean_interval(accuracies)}
        )
    return points


def exposures(run, model, test, rows):
    """Test images near a border exposed anew: which errors are the noise of one exposure?

    The shot stays the same, and so does its label; counting and read noise are drawn afresh. What
    the model says differently from one exposure to the next is due to noise. What it gets wrong in
    most exposures is its own fault. Beside it stands an ideal counter: who knows where every spot
    lies, counts those that stand out in one exposure, and knows what number to expect.

    Parameters
    ----------
    run : provenance.Run
    model : learning.fitted.FittedModel
    test : data.split.Split
    rows : DataFrame
        The manifest's rows of the test images.

    Returns
    -------
    dict
        Numbers of images (``n_test``, ``n_near``, ``n_exposed``) and exposures, ``agreement`` of
        two exposures of one shot, and shares of the whole test split that is wrong:
        ``model_error``, ``noise_error`` (labelled otherwise than in most exposures),
        ``counter_error``. Only the numbers where no image lies near a border.
    """
    station = run.preset.dataset.experiment
    borders = np.array([station.borders.weak, station.borders.good, station.borders.strong])
    near = np.flatnonzero(
        (np.abs(rows.n_visible.to_numpy()[:, None] / borders - 1) < NEAR).any(axis=1)
    )
    n = min(EXPOSED.get(run.preset.name, 200), len(near))
    sizes = {"n_test": len(rows), "n_near": len(near), "n_exposed": n, "n_exposures": N_EXPOSURES}
    if n == 0:
        return sizes
    chosen = np.random.default_rng(run.seed).choice(near, n, replace=False)
    shots = [
        make_image(station, run.seed, "test", image_number(test.ids[k]))
        for k in progress(chosen, title="shots")
    ]
    found = np.array(
        [_labels_anew(model, shot, station, [run.seed, k]) for k, shot in enumerate(shots)]
    )
    right = (found == test.labels[chosen, None]).mean(axis=1)
    most = np.array([np.bincount(row).max() / len(row) for row in found])
    pairs = [np.mean(found[:, a] == found[:, b]) for a, b in combinations(range(N_EXPOSURES), 2)]
    share = len(near) / len(rows)  # images far from every border count as right
    return sizes | {
        "agreement": float(np.mean(pairs)),
        "model_error": float(1 - right.mean()) * share,
        "noise_error": float(1 - most.mean()) * share,
        "counter_error": float(np.mean([counter_error(shot, station, borders) for shot in shots]))
        * share,
    }


def _labels_anew(model, shot, station, seed):
    """Labels that a model gives to new exposures of a shot."""
    expected, rng = shot.background + shot.bragg, np.random.default_rng(seed)
    images = np.stack([to_8bit(expose(expected, station, rng)) for _ in range(N_EXPOSURES)])
    return model.predict(images)


def counter_error(shot, station, borders):
    """Chance that the ideal counter of `exposures` finds a shot on the wrong side of the nearest
    border.

    A spot of height h (in sigma) stands out of one exposure with probability P(h + noise > 5). The
    number that stands out has a known mean and the variance of a sum of Bernoulli trials; it is
    taken as normal.

    Parameters
    ----------
    shot : ShotImage
        Of a station without shadows.
    station : Station
    borders : ndarray, float

    Returns
    -------
    float
    """
    spots = spread(shot.bragg, station.detector.pixel_mm * 1e3, station.readout)
    heights = spots / np.sqrt(noise_variance(shot.background, station))
    top = (spots == ndimage.maximum_filter(spots, 3)) & (heights > 0)
    chance = stats.norm.cdf(heights[top] - N_SIGMA)
    sigma = np.sqrt(np.sum(chance * (1 - chance)))
    if sigma == 0:  # no crystal: there is nothing to count
        return 0.0
    distance = np.abs(shot.truth["n_visible"] + 0.5 - borders).min()
    return float(stats.norm.sf(distance / sigma))
