"""The collection of patterns that is sorted: counts of the paper, sessions, splits.

Image k of a technique belongs to session k mod n_sessions, so that every session has its share and
the first images of a larger collection are those of a smaller one with as many sessions.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import completed
from diffranet_utils.studies.scattering.labels import TECHNIQUES, TURNS_DEG
from diffranet_utils.studies.scattering.sessions import draw_session, take


@dataclass(frozen=True)
class Collection:
    """Patterns with their labels.

    Parameters
    ----------
    images : ndarray, shape (n, size, size), uint8
    labels : ndarray, shape (n,), int
        Index into `TECHNIQUES`.
    sessions : ndarray, shape (n,), int
        Numbered through all techniques.
    """

    images: np.ndarray
    labels: np.ndarray
    sessions: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """The images of some rows (indices or a mask of bool), a Collection."""
        return Collection(self.images[rows], self.labels[rows], self.sessions[rows])


def make_collection(counts, n_sessions, seed, size=256, workers=1, scheduler=None):
    """Simulate a collection.

    Parameters
    ----------
    counts : dict of str to int
        Images of each technique, such as `labels.total_counts`.
    n_sessions : int
        Of each technique.
    seed : int
    size : int
        Pixels of a side.
    workers, scheduler
        Who simulates, see `core.workers.completed`; the images are the same.

    Returns
    -------
    Collection

    Raises
    ------
    InputError
        If there are no sessions or a technique is unknown.
    """
    require(n_sessions > 0, f"n_sessions is {n_sessions}: give at least one.")
    known = ", ".join(TECHNIQUES)
    unknown = [name for name in counts if name not in TECHNIQUES]
    require(not unknown, f"Unknown techniques {', '.join(unknown)}: choose of {known}.")
    tasks = [
        (name, seed, number, tuple(range(number, n, n_sessions)), size)
        for name, n in counts.items()
        for number in range(min(n_sessions, n))
    ]
    bar = progress(total=sum(counts.values()), title="patterns")
    made = {}
    for task, images in completed(_take_session, tasks, workers, scheduler):
        made[task] = images
        bar.update(len(images))
    bar.close()
    labels = [TECHNIQUES.index(name) for name, _, _, ks, _ in tasks for _ in ks]
    sessions = [
        TECHNIQUES.index(name) * n_sessions + number for name, _, number, ks, _ in tasks for _ in ks
    ]
    images = np.concatenate([made[task] for task in tasks])
    return Collection(images, np.array(labels), np.array(sessions))


def pattern_at(technique, seed, number, k, size=256):
    """One pattern of a collection with all its truth.

    Parameters
    ----------
    technique : str
    seed, number, k : int
        Of the collection, of the session within its technique, of the image within its technique.
    size : int

    Returns
    -------
    sessions.Pattern
        Its image is that of `make_collection`.
    """
    session = draw_session(technique, seed, number, size)
    return take(session, np.random.default_rng([seed, TECHNIQUES.index(technique), number, k]))


def _take_session(task):
    """Images of one session, shape (n, size, size), and the task that asked for them."""
    technique, seed, number, ks, size = task
    return task, np.stack([pattern_at(technique, seed, number, k, size).image for k in ks])


def turned(collection):
    """Add the images turned by 90, 180 and 270 degrees: BLA from BL.

    Returns
    -------
    Collection
        Four times as long; the first quarter are the images as they were.
    """
    images = [np.rot90(collection.images, angle // 90, axes=(1, 2)) for angle in TURNS_DEG]
    n = len(TURNS_DEG)
    labels, sessions = np.tile(collection.labels, n), np.tile(collection.sessions, n)
    return Collection(np.concatenate(images), labels, sessions)


def split_rows(collection, rng, by_session=False):
    """Halve a collection, class by class.

    Parameters
    ----------
    collection : Collection
    rng : numpy.random.Generator
    by_session : bool
        Put each session wholly on one side; else images at random, as the paper does.

    Returns
    -------
    train, test : ndarray of int
        Rows, rising.
    """
    groups = collection.sessions if by_session else np.arange(len(collection))
    is_train = np.zeros(len(collection), bool)
    for label in np.unique(collection.labels):
        members = np.unique(groups[collection.labels == label])
        is_train |= np.isin(groups, rng.permutation(members)[: len(members) // 2])
    return np.flatnonzero(is_train), np.flatnonzero(~is_train)


def balanced_rows(collection, rows, n, rng):
    """Draw `n` rows of each class: BL from UB.

    Returns
    -------
    ndarray of int

    Raises
    ------
    InputError
        If a class has fewer.
    """
    drawn = []
    for label in np.unique(collection.labels[rows]):
        members = rows[collection.labels[rows] == label]
        message = f"{TECHNIQUES[label]} has {len(members)} images, not {n}: make more."
        require(len(members) >= n, message)
        drawn.append(rng.permutation(members)[:n])
    return np.sort(np.concatenate(drawn))
