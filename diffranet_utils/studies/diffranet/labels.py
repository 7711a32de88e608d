"""The five classes of DiffraNet and the two of its real frames: names, folders, hit or miss."""

from enum import IntEnum

import numpy as np


class Label(IntEnum):
    """Class of a synthetic image; the value is the name of its folder."""

    BLANK = 1
    NO_CRYSTAL = 2
    WEAK = 3
    GOOD = 4
    STRONG = 5

    @property
    def title(self):
        """Name as printed in tables and figures, such as ``no-crystal``."""
        return self.name.lower().replace("_", "-")


class RealLabel(IntEnum):
    """Class of a real frame; the value is the name of its folder."""

    NO_DIFFRACTION = 1
    DIFFRACTION = 2

    @property
    def title(self):
        """Name as printed in tables and figures, such as ``no-diffraction``."""
        return self.name.lower().replace("_", "-")


CLASS_NAMES = tuple(label.title for label in Label)
# Okabe and Ito's palette, which readers with a colour-vision deficiency can tell apart
# (https://jfly.uni-koeln.de/color/); the two misses are the cool colours, the three hits the warm
# and green ones.
CLASS_COLORS = dict(
    zip(CLASS_NAMES, ("#707070", "#56B4E9", "#E69F00", "#009E73", "#D55E00"), strict=True)
)
REAL_NAMES = tuple(label.title for label in RealLabel)


def is_hit(label):
    """Tell whether a class of the five means that a crystal diffracts.

    Parameters
    ----------
    label : int or array_like of int
        Class folder, 1 to 5.

    Returns
    -------
    bool or ndarray of bool
        True for weak, good and strong.
    """
    return np.asarray(label) >= Label.WEAK
