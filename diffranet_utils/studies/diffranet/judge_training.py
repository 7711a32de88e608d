"""Train the judge of whole frames on simulated stations alone, and set its limits on families of detectors left out."""

from collections import Counter

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier

from diffranet_utils.core.errors import require
from diffranet_utils.frames.image import RawImage
from diffranet_utils.screening import judge as judging
from diffranet_utils.screening.evidence import DIRECTIONS, NAMES, gather
from diffranet_utils.studies.diffranet.whole_frames import draw_frame

KINDS, ANSWERS = ("hit", "weak", "miss"), ("hit", "miss", "unsure")
LARGE_EVERY = 8  # frames; the others are of small detectors, to save time
SMALL, LARGE = 1_000_000, 6_500_000  # pixels that a detector has at most
FALSE_HITS, MISSED_HITS = 0.007, 0.02  # shares of simulated frames beyond the limits
LEAST_FRAMES = 300


def draw_evidence(n, seed, n_workers=1):
    """Simulate frames and gather the evidence of each.

    Parameters
    ----------
    n, seed : int
    n_workers : int
        Processes.

    Returns
    -------
    x : ndarray, shape (n, len(NAMES))
        Features; see `evidence.Evidence`.
    kinds : ndarray, shape (n,), str
        See `whole_frames.WholeFrame.kind`.
    families : ndarray, shape (n,), str
        Of the detectors.
    """
    rows = Parallel(n_workers)(delayed(_row)(seed, k) for k in range(n))
    x, kinds, families = zip(*rows, strict=True)
    return np.array(x), np.array(kinds), np.array(families)


def _row(seed, k):
    frame = draw_frame(np.random.default_rng([seed, k]), largest=SMALL if k % LARGE_EVERY else LARGE)
    return gather(RawImage(frame.data, bad=frame.bad), frame.geometry).features, frame.kind, frame.family


def train(n, seed, n_workers=1):
    """Train the judge on `n` simulated frames.

    Parameters
    ----------
    n, seed : int
    n_workers : int
        Processes.

    Returns
    -------
    judge.Judge
    dict
        What it says of frames of each kind when their family of detectors is left out of its training.

    Raises
    ------
    InputError
        If `n` is too small to set limits from.
    """
    require(n >= LEAST_FRAMES, f"n is {n}: a judge needs at least {LEAST_FRAMES} training frames.")
    return fit(*draw_evidence(n, seed, n_workers))


def fit(x, kinds, families):
    """Fit trees and limits to evidence that is there; see `draw_evidence` and `train`.

    The limits come from frames of families that the trees had not met.
    """
    shows = kinds != "miss"
    chance = np.empty(len(x))
    for family in np.unique(families):
        held = families == family
        chance[held] = _boosting().fit(x[~held], shows[~held]).predict_proba(x[held])[:, 1]
    enough = np.expm1(x[:, NAMES.index("spot-like peaks")]) > judging.FEW - 0.5
    limits = {
        "hit": float(np.quantile(chance[kinds == "miss"], 1 - FALSE_HITS)),
        "miss": float(np.quantile(chance[(kinds == "hit") & enough], MISSED_HITS)),
    }
    answers = _answers(chance, enough, limits)
    table = {kind: Counter(answers[kinds == kind].tolist()) for kind in KINDS}
    counted = {kind: {answer: table[kind][answer] for answer in ANSWERS} for kind in KINDS}
    return judging.from_boosting(_boosting().fit(x, shows), limits), counted


def _answers(chance, enough, limits):
    """What the limits make of probabilities; evidence beyond doubt is left out, which can only add hits."""
    unclear = np.where(chance <= limits["miss"], "miss", "unsure")
    return np.where(~enough, "miss", np.where(chance >= limits["hit"], "hit", unclear))


def _boosting():
    directions = [DIRECTIONS.get(name, 0) for name in NAMES]
    return HistGradientBoostingClassifier(
        max_iter=120, max_depth=4, learning_rate=0.08, min_samples_leaf=8, l2_regularization=1.0,
        monotonic_cst=directions, random_state=0,
    )  # fmt: skip
