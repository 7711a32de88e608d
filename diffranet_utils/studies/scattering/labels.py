"""The four techniques and the sizes of the sets in which Ushizima et al. (2021) sort them."""

from enum import IntEnum


class Technique(IntEnum):
    """The classes; a label is a member's value."""

    SAXS = 0
    WAXS = 1
    GISAXS = 2
    GIWAXS = 3

    @property
    def title(self):
        """Name for tables and figures."""
        return self.name


TECHNIQUES = tuple(technique.title for technique in Technique)
"""Class names; a label is an index into this tuple."""

TRAIN_COUNTS = {
    "UB": {"SAXS": 322, "WAXS": 373, "GISAXS": 1756, "GIWAXS": 373},
    "BL": {"SAXS": 322, "WAXS": 322, "GISAXS": 322, "GIWAXS": 322},
    "BLA": {"SAXS": 1288, "WAXS": 1288, "GISAXS": 1288, "GIWAXS": 1288},
}
"""Training images: unbalanced, balanced, balanced and turned (Table 1)."""

TEST_COUNTS = {"SAXS": 323, "WAXS": 373, "GISAXS": 1756, "GIWAXS": 373}
"""Test images, the same for the three sets (Table 1)."""

TURNS_DEG = (0, 90, 180, 270)
"""Rotations that make BLA from BL."""


def total_counts():
    """Images of each technique in the whole collection.

    Returns
    -------
    dict of str to int
        Training and test images of UB, in the order of `TECHNIQUES`.
    """
    return {name: TRAIN_COUNTS["UB"][name] + TEST_COUNTS[name] for name in TECHNIQUES}
