"""The shortest way through the whole study: simulate, describe, learn, classify."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier

from diffranet_utils.core.progress import progress
from diffranet_utils.features.texture import glcm_features
from diffranet_utils.records import metrics
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.labels import is_hit
from diffranet_utils.studies.diffranet.stations import unit_crystal


def simulate(run, split, n):
    """Simulate the first images of a split of the run's data set.

    Parameters
    ----------
    run : provenance.Run
    split : str
    n : int

    Returns
    -------
    images : ndarray, shape (n, n_slow, n_fast), uint8
    labels : ndarray, shape (n,), int64
    """
    station = run.preset.quickstart.experiment
    unit_crystal(station.crystal)  # made once, before the threads ask for it
    jobs = (delayed(make_image)(station, run.seed, split, k) for k in range(n))
    threads = Parallel(n_jobs=run.preset.n_workers, prefer="threads", return_as="generator")
    made = list(progress(threads(jobs), total=n, title=split))
    return np.stack([shot.image for shot in made]), np.array([int(shot.label) for shot in made])


def step(run):
    """Train a forest on texture features of a few images and classify a few more.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    asked = run.preset.quickstart
    train, labels = simulate(run, "train", asked.n_train)
    test, truth = simulate(run, "test", asked.n_test)
    forest = RandomForestClassifier(100, random_state=run.seed)
    forest.fit(glcm_features(train, asked.distances, asked.angles_deg), labels)
    predicted = forest.predict(glcm_features(test, asked.distances, asked.angles_deg))
    values = {
        "quickstart_accuracy": metrics.accuracy(truth, predicted),
        "quickstart_hit_accuracy": metrics.hit_accuracy(truth, predicted, is_hit),
    }
    return values, {"truth": truth.tolist(), "predicted": predicted.tolist()}
