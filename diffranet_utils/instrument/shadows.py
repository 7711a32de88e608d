"""What lies between a photon and its pixel: beamstop, gaps between modules, dead and hot pixels."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from diffranet_utils.core.checks import Count, NotNegative, Share, Whole, check_fields


@dataclass(frozen=True)
class Beamstop:
    """An absorber in the direct beam; its shadow is a disc, an arm that holds it, or both.

    Parameters
    ----------
    radius_mm : float
        Of the disc's shadow; 0 leaves only the arm.
    arm_mm : float
        Full width of the arm's shadow; 0 for no arm.
    arm_deg : float
        Direction of the arm from the beam centre, from the fast axis towards the slow axis.
    bar : bool
        The arm runs on through the centre to the opposite edge.
    transmission : float
        Share of the light that passes, 0 to 1.

    Raises
    ------
    InputError
        If a length is negative or the transmission is no share.
    """

    radius_mm: NotNegative
    arm_mm: NotNegative = 0.0
    arm_deg: float = 0.0
    bar: bool = False
    transmission: Share = 0.0

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Modules:
    """A detector put together from equal rectangles with insensitive gaps between them.

    Parameters
    ----------
    shape : tuple of 2 int
        Rows and columns of a module.
    gap : tuple of 2 int
        Rows and columns between two modules.
    first : tuple of 2 int
        Row and column of the module at the image's corner at which the image begins.
    hole_mm : float
        Edge of a square opening for the direct beam, as XFEL detectors have; 0 for none.

    Raises
    ------
    InputError
        If a size is not positive, or a gap or the hole negative.
    """

    shape: tuple[Count, Count]
    gap: tuple[Whole, Whole]
    first: tuple[Whole, Whole] = (0, 0)
    hole_mm: NotNegative = 0.0

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Shadows:
    """Everything that hides a part of the pattern; by default nothing does.

    Parameters
    ----------
    beamstop : Beamstop, optional
    modules : Modules, optional
    hot, dead : float
        Shares of pixels that always read the largest value, or zero.
    seed : int
        Identifies this detector's map of hot and dead pixels.

    Raises
    ------
    InputError
        If a share is not between 0 and 1, or the seed negative.
    """

    beamstop: Beamstop | None = None
    modules: Modules | None = None
    hot: Share = 0.0
    dead: Share = 0.0
    seed: Whole = 3

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Shade:
    """Shadows worked out for one detector; read-only arrays of shape (n_slow, n_fast).

    Parameters
    ----------
    transmission : ndarray, float32
        Share of the light that reaches each pixel past the beamstop.
    stopped, gap, hot, dead : ndarray, bool
    """

    transmission: np.ndarray
    stopped: np.ndarray
    gap: np.ndarray
    hot: np.ndarray
    dead: np.ndarray

    @property
    def usable(self):
        """Pixels that measure light: no gap, hot or dead pixel. A beamstop's shadow measures, if
        little.
        """
        return ~(self.gap | self.hot | self.dead)

    def masks(self):
        """Masks by name, as a shot's truth gives them."""
        return {name: getattr(self, name) for name in ("stopped", "gap", "hot", "dead")}

    def read(self, counts, largest):
        """What the electronics write for pixels that do not measure.

        Parameters
        ----------
        counts : ndarray, shape (n_slow, n_fast), float32
        largest : float
            Value of a hot pixel.

        Returns
        -------
        ndarray, shape (n_slow, n_fast), float32
        """
        silent = self.gap | self.dead
        return np.where(
            self.hot & ~self.gap, np.float32(largest), np.where(silent, np.float32(0), counts)
        )


@lru_cache(maxsize=8)
def shade(detector, shadows):
    """Work the shadows out for a detector.

    Parameters
    ----------
    detector : Detector
    shadows : Shadows

    Returns
    -------
    Shade
        Of None where there is nothing to hide.
    """
    if shadows == Shadows():
        return None
    stopped = _stopped(detector, shadows.beamstop)
    passing = np.where(
        stopped, np.float32(shadows.beamstop.transmission if shadows.beamstop else 1), np.float32(1)
    )
    draw = np.random.default_rng(shadows.seed).random(detector.shape)
    hot, dead = draw < shadows.hot, draw > 1 - shadows.dead
    arrays = (passing, stopped, _gaps(detector, shadows.modules), hot, dead)
    for array in arrays:
        array.flags.writeable = False
    return Shade(*arrays)


def _offsets_mm(detector):
    """Distance of each pixel centre from the beam centre along slow and fast axis."""
    slow = (np.arange(detector.n_slow) + 0.5 - detector.beam_slow_px) * detector.pixel_mm
    fast = (np.arange(detector.n_fast) + 0.5 - detector.beam_fast_px) * detector.pixel_mm
    return slow[:, None], fast[None, :]


def _stopped(detector, beamstop):
    if beamstop is None:
        return np.zeros(detector.shape, bool)
    slow, fast = _offsets_mm(detector)
    angle = np.deg2rad(beamstop.arm_deg)
    along, across = (
        fast * np.cos(angle) + slow * np.sin(angle),
        slow * np.cos(angle) - fast * np.sin(angle),
    )
    arm = (np.abs(across) < beamstop.arm_mm / 2) & (beamstop.bar | (along > 0))
    return (np.hypot(slow, fast) < beamstop.radius_mm) | arm


def _gaps(detector, modules):
    if modules is None:
        return np.zeros(detector.shape, bool)
    lines = zip(detector.shape, modules.first, modules.shape, modules.gap, strict=True)
    slow, fast = ((np.arange(n) + first) % (size + gap) >= size for n, first, size, gap in lines)
    down, across = (np.abs(x) < modules.hole_mm / 2 for x in _offsets_mm(detector))
    return slow[:, None] | fast[None, :] | (down & across)
