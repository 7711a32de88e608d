"""What the disorder of a crystal adds to the background: diffuse scattering and Compton
scattering.
"""

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.crystals.structure_factors import mean_compton, mean_square_form_factor
from diffranet_utils.instrument.background import smooth_photons

DISORDER = ("diffuse", "compton")


def disorder_power(stol, recipe, part):
    """What one unit cell of a crystal scatters between and under its Bragg spots.

    ``diffuse``: ``sum f^2 (1 - exp(-2 B s^2))``, light lost to the spots because atoms move (Debye,
    1913; independent atoms). ``compton``: ``sum (Z - f^2 / Z)``, electrons that recoil one by one.

    Parameters
    ----------
    stol : ndarray, float64
        1/angstrom.
    recipe : experiment.CrystalRecipe
        Gives atoms in the cell and B factor.
    part : {"diffuse", "compton"}

    Returns
    -------
    ndarray, float64
        Electrons squared per unit cell.

    Raises
    ------
    InputError
        If the part is unknown.
    """
    require(
        part in DISORDER,
        f"Unknown part {part!r} of a crystal's scattering: choose {' or '.join(DISORDER)}.",
    )
    s2 = np.square(stol)
    if part == "compton":
        return recipe.n_atoms * mean_compton(s2)
    return recipe.n_atoms * mean_square_form_factor(s2) * (1 - np.exp(-2 * recipe.b_factor_A2 * s2))


def disorder_photons(beam, detector, recipe, parts):
    """Expected photons per pixel from the disorder of one unit cell in the beam.

    Parameters
    ----------
    beam : Beam
    detector : Detector
    recipe : experiment.CrystalRecipe
    parts : sequence of str
        Of `DISORDER`.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
        Photons per pixel; multiply by the number of cells.
    """

    def power(s):
        return sum((disorder_power(s, recipe, part) for part in parts), np.zeros_like(s))

    return smooth_photons(beam, detector, power, beam.fluence)
