"""Train the judge of whole frames on simulated stations alone, and set its limits on families of
detectors left out.
"""

from collections import Counter

import numpy as np
from joblib import delayed
from sklearn.ensemble import HistGradientBoostingClassifier

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import dead_workers_named, processes
from diffranet_utils.frames.image import RawImage
from diffranet_utils.records.provenance import origin
from diffranet_utils.screening import judge as judging
from diffranet_utils.screening.evidence import DIRECTIONS, NAMES, gather
from diffranet_utils.studies.diffranet.whole_frames import draw_frame

KINDS, ANSWERS = ("hit", "weak", "miss"), ("hit", "miss", "unsure")
# Every so many frames the detector may have so many pixels, in millions; most are small, to save
# time.
SIZES = ((60, 20.0), (8, 6.5), (1, 1.0))
FALSE_HITS, MISSED = (
    0.007,
    {"hit": 0.02, "weak": 0.1},
)  # shares of simulated frames beyond the limits
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
    with dead_workers_named():
        rows = processes(n_workers, return_as="generator")(delayed(_row)(seed, k) for k in range(n))
        rows = list(progress(rows, total=n, title="frames", unit="frame"))
    x, kinds, families = zip(*rows, strict=True)
    return np.array(x), np.array(kinds), np.array(families)


def _row(seed, k):
    largest = next(size for every, size in SIZES if k % every == 0)
    frame = draw_frame(np.random.default_rng([seed, k]), largest=int(largest * 1e6))
    return (
        gather(RawImage(frame.data, bad=frame.bad), frame.geometry).features,
        frame.kind,
        frame.family,
    )


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
        ``n``, ``seed``, the code's origin, and ``held_out_families``: what it says of frames of
        each kind when their family of detectors is left out of its training.

    Raises
    ------
    InputError
        If `n` is too small to set limits from.
    """
    require(n >= LEAST_FRAMES, f"n is {n}: a judge needs at least {LEAST_FRAMES} training frames.")
    facts = {"n": n, "seed": seed, **origin()}  # before the checkout changes
    judge, answers = fit(*draw_evidence(n, seed, n_workers))
    return judge, facts | {"held_out_families": answers}


def fit(x, kinds, families):
    """Fit trees and limits to evidence that is there, from `draw_evidence`.

    The limits come from frames of families that the trees had not met.

    Returns
    -------
    judge.Judge
    dict
        Answers to frames of each kind, of families left out of training: kind to answer to number.
    """
    shows = kinds != "miss"
    chance = np.empty(len(x))
    for family in np.unique(families):
        held = families == family
        chance[held] = _boosting().fit(x[~held], shows[~held]).predict_proba(x[held])[:, 1]
    enough = np.expm1(x[:, NAMES.index("spot-like peaks")]) > judging.FEW - 0.5
    limits = {
        "hit": float(np.quantile(chance[kinds == "miss"], 1 - FALSE_HITS)),
        "miss": min(float(np.quantile(chance[(kinds == kind) & enough], lost)) for kind,
            lost in MISSED.items()
                    if ((kinds == kind) & enough).any()),
    }  # fmt: skip
    answers = _answers(chance, enough, limits)
    table = {kind: Counter(answers[kinds == kind].tolist()) for kind in KINDS}
    counted = {kind: {answer: table[kind][answer] for answer in ANSWERS} for kind in KINDS}
    return judging.from_boosting(_boosting().fit(x, shows), limits), counted


def _answers(chance, enough, limits):
    """What the limits make of probabilities; evidence beyond doubt is left out, which can only add
    hits.
    """
    unclear = np.where(chance <= limits["miss"], "miss", "unsure")
    return np.where(~enough, "miss", np.where(chance >= limits["hit"], "hit", unclear))


def _boosting():
    directions = [DIRECTIONS.get(name, 0) for name in NAMES]
    return HistGradientBoostingClassifier(
        max_iter=120, max_depth=4, learning_rate=0.08, min_samples_leaf=8, l2_regularization=1.0,
        monotonic_cst=directions, random_state=0,
    )  # fmt: skip
