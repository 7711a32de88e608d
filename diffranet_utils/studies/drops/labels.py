"""The four classes of the MARCO collection and how often each occurs."""

from enum import IntEnum

import numpy as np


class Label(IntEnum):
    """Class of a picture; the value is an index into `CLASSES` and the name of its folder."""

    CLEAR = 0
    CRYSTALS = 1
    PRECIPITATE = 2
    OTHER = 3

    @property
    def title(self):
        """Name as printed in tables and figures, such as ``crystals``."""
        return self.name.lower()


CLASSES = tuple(label.title for label in Label)
"""Class names; a label is an index into this tuple."""

CLASS_COLORS = dict(zip(CLASSES, ("#56B4E9", "#D55E00", "#E69F00", "#707070"), strict=True))
"""Colours of Okabe and Ito's palette, which readers with a colour-vision deficiency tell apart."""

TABLE_2 = {
    "crystals": (56_672, 6_632),
    "precipitate": (212_541, 23_892),
    "clear": (148_861, 16_760),
    "other": (24_856, 3_000),
}
"""Pictures for training and for validation: Table 2 of doi:10.1371/journal.pone.0198883."""

VARIETIES = {
    "clear": ("plain", "dust", "bubbles", "edges"),
    "crystals": ("needles", "bundles", "plates", "blocks", "spherulites", "microcrystals"),
    "precipitate": ("fine", "coarse", "brown_grain", "skin", "oil"),
    "other": ("out_of_focus", "dark", "overexposed", "no_drop", "dried"),
}
"""What a rendered picture of each class can show."""


def class_shares():
    """Return the share of each class in the collection (Table 2, both columns together).

    Returns
    -------
    ndarray, shape (4,), float64
        In the order of `CLASSES`; sums to 1.
    """
    counts = np.array([sum(TABLE_2[name]) for name in CLASSES], dtype=float)
    return counts / counts.sum()


def draw_labels(rng, n, shares=None):
    """Draw `n` class indices with the collection's shares, or with `shares`.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
    shares : array-like, shape (4,), optional
        Probabilities in the order of `CLASSES`.

    Returns
    -------
    ndarray, shape (n,), int64
    """
    return rng.choice(len(CLASSES), size=n, p=class_shares() if shares is None else shares)
