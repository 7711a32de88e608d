"""The models of a run, trained on simulation, before real frames; and the spot count that they have
to beat.
"""

import numpy as np

from diffranet_utils.records.chapters import run_chapter
from diffranet_utils.records.metrics import accuracy, balanced_accuracy
from diffranet_utils.screening.screener import HIT, HIT_SPOTS, MISS, MODELS, load_model

TRAINED_BY = {"rf": "32_hyperopt_search", "svm": "32_hyperopt_search", "deepfreak": "40_deepfreak"}
LEFT_OUT = {("deepfreak", "full")}

CROP_HIT_SPOTS = HIT_SPOTS // 4  # a crop has at most a quarter of a frame's area


def ensure_models(run):
    """Load the models of a run; train those that are missing by running their chapter.

    A network of the paper's size is not trained on the way, which would take days without a GPU: it
    is left out.

    Returns
    -------
    models : dict
        Name to model.
    trained : list of str
        Chapters that had to be run first.
    """
    trained = []
    names = run.preset.real_frames.models
    for name, chapter in ((name, TRAINED_BY[name]) for name in names):
        if (
            not _path(run, name).exists()
            and chapter not in trained
            and (name, run.preset.name) not in LEFT_OUT
        ):
            trained.append(chapter)
            run_chapter(chapter, run.as_preset())
    return {
        name: load_model(_path(run, name)) for name in names if _path(run, name).exists()
    }, trained


def _path(run, name):
    return run.models_dir / f"{name}{MODELS[name]}"


def baseline_values(found):
    """Record entries of the spot count, by frame and by crop (a quarter of the threshold each).

    Parameters
    ----------
    found : real_set.RealSet

    Returns
    -------
    dict
    """
    by_frame, by_crop = found.n_spots >= HIT_SPOTS, found.crop_spots >= CROP_HIT_SPOTS
    return {
        f"peak_count_{found.key}_frame_accuracy": accuracy(found.frame_hits, by_frame),
        f"peak_count_{found.key}_frame_balanced_accuracy": balanced_accuracy(
            found.frame_hits, by_frame
        ),
        f"peak_count_{found.key}_crop_accuracy": accuracy(found.hits, by_crop),
        f"peak_count_{found.key}_crop_balanced_accuracy": balanced_accuracy(found.hits, by_crop),
    }


def screener_values(found):
    """Record entry of the screener in the package on whole frames, and its answer for each frame.

    A frame counts as right only if the answer is; *unsure* is wrong.

    Parameters
    ----------
    found : real_set.RealSet

    Returns
    -------
    values : dict
    verdicts : list of str
        One per frame.
    """
    verdicts = [row["verdict"] for row in found.table]
    right = [v == (HIT if hit else MISS) for v, hit in zip(verdicts, found.frame_hits, strict=True)]
    return {
        f"screener_{found.key}_frame_accuracy": accuracy(np.ones(len(right), bool), np.array(right))
    }, verdicts
