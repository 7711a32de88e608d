"""The 45 space groups of the study, their sizes and crystal systems.

Source: Liu, Tao, Hsu, Du & Billinge (2019), Acta Cryst. A75, 633-643, Table 1.
The paper names 101,802 structures as the total of that table, but its rows sum to 81,440, which is
80 % of it: the rows seem to count the training set.
"""

from enum import IntEnum

import numpy as np

from diffranet_utils.core.errors import require

#: Number of the space group: (Hermann-Mauguin symbol, entries in the paper's collection).
GROUPS = {
    2: ("P-1", 4615),
    4: ("P2_1", 581),
    9: ("Cc", 489),
    11: ("P2_1/m", 1247),
    12: ("C2/m", 3529),
    13: ("P2/c", 442),
    14: ("P2_1/c", 7392),
    15: ("C2/c", 3704),
    19: ("P2_12_12_1", 701),
    33: ("Pna2_1", 743),
    36: ("Cmc2_1", 525),
    47: ("Pmmm", 646),
    55: ("Pbam", 745),
    58: ("Pnnm", 477),
    60: ("Pbcn", 478),
    61: ("Pbca", 853),
    62: ("Pnma", 6930),
    63: ("Cmcm", 2249),
    64: ("Cmca", 575),
    65: ("Cmmm", 513),
    71: ("Immm", 754),
    87: ("I4/m", 569),
    88: ("I4_1/a", 397),
    122: ("I-42d", 373),
    123: ("P4/mmm", 1729),
    129: ("P4/nmm", 1376),
    136: ("P4_2/mnm", 870),
    139: ("I4/mmm", 4028),
    140: ("I4/mcm", 1026),
    141: ("I4_1/amd", 700),
    148: ("R-3", 1186),
    160: ("R3m", 482),
    164: ("P-3m1", 1005),
    166: ("R-3m", 2810),
    167: ("R-3c", 1390),
    176: ("P6_3/m", 1289),
    186: ("P6_3mc", 849),
    191: ("P6/mmm", 3232),
    194: ("P6_3/mmc", 3971),
    205: ("Pa-3", 447),
    216: ("F-43m", 2893),
    221: ("Pm-3m", 2933),
    225: ("Fm-3m", 4860),
    227: ("Fd-3m", 4382),
    230: ("Ia-3d", 455),
}
NUMBERS = tuple(GROUPS)

_LAST_NUMBER = (2, 15, 74, 142, 167, 194, 230)
SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "trigonal",
    "hexagonal",
    "cubic",
)


def crystal_system(number):
    """Name the crystal system of a space group.

    Parameters
    ----------
    number : int
        Number in the International Tables, 1 to 230.

    Returns
    -------
    str
        One of `SYSTEMS`.

    Raises
    ------
    InputError
        If there is no such group.
    """
    require(
        1 <= number <= 230, f"Space group {number} does not exist. Give a number from 1 to 230."
    )
    return SYSTEMS[int(np.searchsorted(_LAST_NUMBER, number))]


def class_index(number):
    """Position of a space group among the 45 classes.

    Parameters
    ----------
    number : int
        Number in the International Tables.

    Returns
    -------
    int
        0 to 44.

    Raises
    ------
    InputError
        If the group is not one of the study's.
    """
    require(
        number in GROUPS,
        f"Space group {number} is not one of the study's 45. Leave its structures out.",
    )
    return NUMBERS.index(number)


class _Titled(IntEnum):
    @property
    def title(self):
        """Hermann-Mauguin symbol, such as ``Fm-3m``."""
        return GROUPS[int(self)][0]


#: The classes as shared code knows them: members by number, each with its symbol as title.
SpaceGroup = _Titled("SpaceGroup", {f"SG_{number}": number for number in NUMBERS})


def symbol(number):
    """Hermann-Mauguin symbol of one of the study's groups, with its number, such as ``Fm-3m
    (225)``.
    """
    return f"{GROUPS[number][0]} ({number})"
