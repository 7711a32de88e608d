"""Which space groups are subgroups of which: tables of maximal subgroups, read from a file.

``subgroups.json`` holds, for each of the 230 groups, the types of its maximal subgroups,
translationengleiche and klassengleiche, other than itself.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.studies.space_groups.labels import NUMBERS

TABLE = Path(__file__).with_name("subgroups.json")
RELATIONS = ("same", "subgroup", "supergroup", "sibling", "none")


@lru_cache(maxsize=1)
def _table():
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    return {int(group): frozenset(smaller) for group, smaller in rows.items() if group != "source"}


def maximal_subgroups(group):
    """Types of the maximal subgroups of a space group, other than its own.

    Parameters
    ----------
    group : int
        Number in the International Tables.

    Returns
    -------
    frozenset of int
        Numbers of the groups.

    Raises
    ------
    InputError
        If there is no such group.
    """
    require(group in _table(), f"Space group {group} does not exist. Give a number from 1 to 230.")
    return _table()[group]


@lru_cache(maxsize=256)
def all_subgroups(group):
    """Types of all subgroups of a space group, by chains of maximal ones.

    Parameters
    ----------
    group : int
        Number in the International Tables.

    Returns
    -------
    frozenset of int
        Numbers of the groups, without the group itself.
    """
    reached, waiting = set(), [group]
    while waiting:
        new = maximal_subgroups(waiting.pop()) - reached
        reached |= new
        waiting += new
    return frozenset(reached - {group})


def relation(group, other):
    """How one space group is related to another.

    Parameters
    ----------
    group, other : int
        Numbers in the International Tables.

    Returns
    -------
    str
        What `group` is of `other`: ``same``, ``subgroup`` or ``supergroup`` by one maximal step,
        ``sibling`` where both have a maximal subgroup or supergroup in common, else ``none``.
    """
    if group == other:
        return "same"
    if group in maximal_subgroups(other):
        return "subgroup"
    if other in maximal_subgroups(group):
        return "supergroup"
    common_below = maximal_subgroups(group) & maximal_subgroups(other)
    common_above = any({group, other} <= smaller for smaller in _table().values())
    return "sibling" if common_below or common_above else "none"


def relation_matrix(numbers=NUMBERS):
    """Relations of all pairs of groups.

    Parameters
    ----------
    numbers : sequence of int
        Groups in the order of the rows; the study's 45 by default.

    Returns
    -------
    ndarray of str, shape (n, n)
        Row: what the column's group is of the row's.
    """
    return np.array([[relation(column, row) for column in numbers] for row in numbers])
