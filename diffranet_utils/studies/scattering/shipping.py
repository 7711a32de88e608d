"""The shipped sorter, trained on simulated sessions alone; no measured frame is seen here.

``python -m diffranet_utils.studies.scattering.shipping`` makes and writes it again.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import completed
from diffranet_utils.studies.scattering import unlike
from diffranet_utils.studies.scattering.frame_pictures import picture_of
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.quick_descriptors import describe
from diffranet_utils.studies.scattering.quick_sorter import (
    SHIPPED,
    UNSURE,
    QuickSorter,
    from_forest,
    write_sorter,
)
from diffranet_utils.studies.scattering.sessions import draw_readout, draw_session, take

CLASSES = (*TECHNIQUES, *unlike.KINDS)
LEAST = np.round(np.arange(0.3, 0.9, 0.02), 2)  # probabilities from which an answer may be given
RIGHT = 0.95  # of the answers on simulated sessions for which the limit is chosen
SHARES = (0.7, 0.85)  # sessions for training, up to the first; for the limit, up to the second


@dataclass(frozen=True)
class Making:
    """How large the training is.

    Parameters
    ----------
    n_sessions : int
        Of each class; the last 15 % test, those before them set the limit.
    n_frames : int
        Of each session.
    n_trees, n_leaves : int
    seed : int
    """

    n_sessions: int = 680
    n_frames: int = 1
    n_trees: int = 150
    n_leaves: int = 700
    seed: int = 2019


def frame_rows(task):
    """Descriptors of the frames of one simulated session.

    Parameters
    ----------
    task : tuple of (str, int, int, int)
        Class, seed, number of the session, frames.

    Returns
    -------
    ndarray, shape (n_frames, n_descriptors), float64
    """
    name, seed, number, n_frames = task
    rng = np.random.default_rng([seed, CLASSES.index(name), number, 99])
    counts, aspect = _frames(name, seed, number, n_frames, rng)
    turns = rng.integers(4, size=n_frames)  # the training knows every orientation
    aspects = np.where(turns % 2, 1 / aspect, aspect)
    pictures = [picture_of(np.rot90(one, turn)) for one, turn in zip(counts, turns, strict=True)]
    return np.stack([describe(*pair) for pair in zip(pictures, aspects, strict=True)])


def _task_rows(task):
    return task, frame_rows(task)


def _frames(name, seed, number, n_frames, rng):
    """Counts of the frames of a session, and height over width of the frames."""
    if name in TECHNIQUES:
        session = draw_session(name, seed, number)
        aspect = session.camera.height_mm / session.camera.width_mm
        counts = [take(session, rng).counts for _ in range(n_frames)]
        return counts, 1 / aspect if session.turns % 2 else aspect
    aspect = float(np.exp(rng.normal(0, 0.3)))
    if name == "dark":
        return [unlike.dark_counts(rng) for _ in range(n_frames)], aspect
    readout = draw_readout(rng)
    return [unlike.crystal_counts(readout, rng) for _ in range(n_frames)], aspect


def simulated_table(making, workers=1):
    """Descriptors of all simulated frames.

    Returns
    -------
    table : ndarray, shape (n, n_descriptors), float64
    labels, sessions : ndarray, shape (n,), int
        Index into `CLASSES`; number of the session within its class.
    """
    tasks = [
        (name, making.seed, number, making.n_frames)
        for name in CLASSES
        for number in range(making.n_sessions)
    ]
    bar, rows = progress(total=len(tasks), title="sessions"), {}
    for task, found in completed(_task_rows, tasks, workers):
        rows[task] = found
        bar.update(1)
    bar.close()
    labels = np.repeat([CLASSES.index(task[0]) for task in tasks], making.n_frames)
    sessions = np.repeat([task[2] for task in tasks], making.n_frames)
    return np.concatenate([rows[task] for task in tasks]), labels, sessions


def train(table, labels, sessions, making):
    """Fit the trees on some sessions, choose the limit on others, test on the rest.

    Returns
    -------
    QuickSorter
        Its ``about`` has the numbers of the test.
    """
    ends = [int(share * making.n_sessions) for share in SHARES]
    part = np.digitize(sessions, ends)
    forest = ExtraTreesClassifier(
        making.n_trees,
        max_leaf_nodes=making.n_leaves,
        max_features=0.3,
        random_state=making.seed,
        class_weight="balanced",
    ).fit(table[part == 0].astype(np.float32), labels[part == 0])
    sorter = QuickSorter(from_forest(forest), {})
    chances = np.array([sorter.probabilities(row) for row in table[part > 0]])
    limit = part[part > 0] == 1
    truth = labels[part > 0]
    least = least_probability(chances[limit], truth[limit])
    about = {"least_probability": least, "seed": making.seed, "n_train": int((part == 0).sum())}
    sorter = QuickSorter(sorter.tensors, about)
    return QuickSorter(sorter.tensors, about | scores(sorter, chances[~limit], truth[~limit]))


def least_probability(chances, labels):
    """Smallest limit at which enough of the answers are right, the strictest one if none is."""
    best, sure = chances.argmax(axis=1), chances.max(axis=1)
    for least in LEAST:
        answered = (best < len(TECHNIQUES)) & (sure >= least)
        if answered.any() and (best == labels)[answered].mean() >= RIGHT:
            return float(least)
    return float(LEAST[-1])


def scores(sorter, chances, labels):
    """Numbers of a test on sessions that neither the trees nor the limit have seen.

    Returns
    -------
    dict
        ``n_test`` frames of the four techniques, ``accuracy`` of the most probable of the four,
        ``answered`` and ``right_of_answered``; ``unlike`` has n and unsure of each other class.
    """
    four = labels < len(TECHNIQUES)
    verdicts = np.array([sorter.verdict(one) for one in chances])
    names = np.array(CLASSES)[labels]
    answered = four & (verdicts != UNSURE)
    most = chances[:, : len(TECHNIQUES)].argmax(axis=1)
    other = {
        name: {
            "n": int((names == name).sum()),
            "unsure": int((verdicts[names == name] == UNSURE).sum()),
        }
        for name in unlike.KINDS
    }
    return {
        "n_test": int(four.sum()),
        "accuracy": float((most == labels)[four].mean()),
        "answered": float(answered.sum() / four.sum()),
        "right_of_answered": float((verdicts == names)[answered].mean()),
        "unlike": other,
    }


if __name__ == "__main__":
    made = Making()
    shipped = train(*simulated_table(made, workers=2), made)
    write_sorter(SHIPPED, shipped)
    print(shipped.about)
