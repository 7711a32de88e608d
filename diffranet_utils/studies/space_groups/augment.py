"""Variety of measured curves: thermal motion, resolution, calibration, strain and noise."""

from dataclasses import dataclass, replace

from diffranet_utils.core.errors import require
from diffranet_utils.studies.space_groups.curves import PairSettings, pair_curve


@dataclass(frozen=True)
class Variety:
    """Ranges from which each curve draws evenly.

    Parameters
    ----------
    u_iso_A2 : tuple of float
        Mean square displacement, square angstrom.
    q_max, q_damp : tuple of float
        Upper end of the measured range and damping, 1/angstrom.
    shift_A : float
        Largest shift of r either way, angstrom.
    strain : float
        Largest relative change of all lengths either way.
    noise : float
        Largest standard deviation of white noise, as a share of the curve's own.
    """

    u_iso_A2: tuple = (0.003, 0.02)
    q_max: tuple = (18.0, 28.0)
    q_damp: tuple = (0.01, 0.06)
    shift_A: float = 0.02
    strain: float = 0.02
    noise: float = 0.05

    def __post_init__(self):
        """Check the ranges (raises `InputError`)."""
        pairs = (self.u_iso_A2, self.q_max, self.q_damp)
        require(
            all(0 <= low <= high for low, high in pairs),
            "A range is not (smaller, larger). Swap its numbers.",
        )
        require(
            min(self.shift_A, self.noise) >= 0 and 0 <= self.strain < 0.5,
            f"Shift {self.shift_A}, strain {self.strain}, noise {self.noise}: give 0 or more, "
            "strain below 0.5.",
        )


def varied_curve(crystal, variety, rng, settings=None):
    """Curve of a crystal as some instrument and temperature would show it.

    Parameters
    ----------
    crystal : CrystalStructure
        The structure.
    variety : Variety
        Ranges.
    rng : numpy.random.Generator
        Source of all draws.
    settings : PairSettings, optional
        Grid and remaining parameters; the study's own if left out.

    Returns
    -------
    ndarray, shape (n_points,), float64
        G at `settings.r_A`.
    """
    settings = settings or PairSettings()
    drawn = {name: rng.uniform(*getattr(variety, name)) for name in ("u_iso_A2", "q_max", "q_damp")}
    strain = rng.uniform(-variety.strain, variety.strain)
    strained = replace(crystal, lattice_A=crystal.lattice_A * (1 + strain))
    r_A = settings.r_A + rng.uniform(-variety.shift_A, variety.shift_A)
    curve = pair_curve(strained, replace(settings, **drawn), r_A)
    return curve + rng.normal(0, rng.uniform(0, variety.noise) * curve.std(), len(curve))
