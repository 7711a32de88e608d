"""Training curves of a split, with made curves added so that none tells of a held-out structure."""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.studies.space_groups.collection import NO_PARENT, joined
from diffranet_utils.studies.space_groups.splits import family_split, random_split

SPLITS = ("random", "mineral", "prototype")


def split_rows(collection, kind, rng):
    """Rows of a collection for training and for testing.

    Parameters
    ----------
    collection : Collection
        Curves of different structures.
    kind : str
        One of `SPLITS`: at random within each group, which is the paper's protocol; whole minerals
        held out; or whole prototypes.
    rng : numpy.random.Generator
        Source of the shuffle.

    Returns
    -------
    train, test : ndarray of int
        Sorted row numbers.

    Raises
    ------
    InputError
        If there is no such split.
    """
    require(kind in SPLITS, f"There is no split {kind!r}. Choose one of {', '.join(SPLITS)}.")
    if kind == "random":
        return random_split(collection.labels, rng)
    families = collection.names if kind == "mineral" else collection.prototypes
    return family_split(families, rng)


def training_curves(collection, made, train, test, kind):
    """Curves of the training rows and those made curves that stem from none of the test rows.

    A made curve is left out if its parent is not a training row. Where whole prototypes are held
    out, random crystals that happen to have such a prototype are left out too.

    Parameters
    ----------
    collection : Collection
        Curves of the structures that were split.
    made : Collection
        Varied, substituted and random curves, whose parents are rows of `collection`.
    train, test : ndarray of int
        From `split_rows`.
    kind : str
        One of `SPLITS`.

    Returns
    -------
    Collection
        The plain training curves first.
    """
    allowed = np.isin(made.parents, [NO_PARENT, *train])
    if kind == "prototype":
        allowed &= ~np.isin(made.prototypes, collection.prototypes[test])
    return joined([collection.take(train), made.take(allowed)])
