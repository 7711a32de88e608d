"""Labels as people give them: some wrong, in the directions in which people go wrong."""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require

from .labels import CLASSES, class_shares

REVISITED = 0.05
"""Share of MARCO that one expert labelled again (doi:10.1371/journal.pone.0198883)."""

DISAGREED = 0.426
"""Share of those whose label changed (same paper)."""

RATERS_DISAGREE = 0.22
"""How often several raters of hard pictures disagreed (same paper)."""

TABLE_4 = {
    "crystals": {"crystals": 0.910, "precipitate": 0.058, "clear": 0.017, "other": 0.015},
    "precipitate": {"crystals": 0.008, "precipitate": 0.961, "clear": 0.023, "other": 0.007},
    "clear": {"crystals": 0.002, "precipitate": 0.018, "clear": 0.979, "other": 0.002},
    "other": {"crystals": 0.048, "precipitate": 0.197, "clear": 0.059, "other": 0.696},
}
"""Confusion matrix by rows (Table 4 of the same paper): which classes are mistaken for which."""


@dataclass(frozen=True)
class NoisyLabels:
    """Labels with noise, beside the truth.

    Attributes
    ----------
    true, given : ndarray, shape (n,), int64
        Class indices: what is in the picture and what somebody wrote.
    """

    true: np.ndarray
    given: np.ndarray

    @property
    def wrong(self):
        """Where the given label is not the true one, bool array of shape (n,)."""
        return self.true != self.given


def noise_matrix(rate=REVISITED * DISAGREED):
    """Return the chance that a picture of class i (row) is labelled j (column).

    The paper gives how many labels were wrong, 42.6 % of the most doubtful 5 %, but not which;
    the directions are those of its Table 4, scaled so that `rate` of all labels are wrong when
    the classes have Table 2's shares.

    Parameters
    ----------
    rate : float
        Share of wrong labels in the collection.

    Returns
    -------
    ndarray, shape (4, 4), float64
        In the order of `labels.CLASSES`; rows sum to 1.

    Raises
    ------
    InputError
        If `rate` is negative or so large that a row would leave no right label.
    """
    table = np.array([[TABLE_4[true][given] for given in CLASSES] for true in CLASSES])
    np.fill_diagonal(table, 0)
    flips = table * (rate / (class_shares() @ table.sum(1)))
    right = 1 - flips.sum(1)
    require(
        rate >= 0 and right.min() > 0,
        f"A label noise of {rate:g} cannot be had. Choose a share from 0 to 0.17.",
    )
    return flips + np.diag(right)


def with_noise(rng, labels, rate=REVISITED * DISAGREED):
    """Confuse labels at random, keeping the true ones.

    Parameters
    ----------
    rng : numpy.random.Generator
    labels : array-like, shape (n,), int
        True class indices.
    rate : float
        Share of wrong labels in a collection with Table 2's class shares.

    Returns
    -------
    NoisyLabels
    """
    true = np.asarray(labels, dtype=np.int64)
    ladder = noise_matrix(rate).cumsum(1)[true]
    given = (rng.random(true.size)[:, None] >= ladder[:, :-1]).sum(1)
    return NoisyLabels(true=true, given=given)
