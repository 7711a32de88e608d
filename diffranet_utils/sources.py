"""Divergence and bandpass of a beam, as the grid of point sources that nanoBragg uses."""

import numpy as np

from .errors import require

DISTANCE_M = 10.0  # far enough for a source to count as a direction


def source_grid(wavelength_A, divergence_mrad=(0.0, 0.0), steps=(1, 1), bandpass=0.0, n_wavelengths=1):
    """Point sources on an elliptical grid of directions times a ladder of wavelengths.

    Parameters
    ----------
    wavelength_A : float
        Mean wavelength.
    divergence_mrad : tuple of 2 float
        Full horizontal and vertical range of directions, milliradian.
    steps : tuple of 2 int
        Directions along each; the corners of the grid, outside the ellipse, are left out.
    bandpass : float
        Full relative range of wavelengths, such as 0.01.
    n_wavelengths : int

    Returns
    -------
    ndarray, shape (n_sources, 5), float64
        x, y, z of the source seen from the crystal, weight, wavelength; metres. For `geometry.Beam`.

    Raises
    ------
    InputError
        If a range is negative or a number of steps is below one.
    """
    require(min(*divergence_mrad, bandpass) >= 0, "Divergence and bandpass must not be negative.")
    require(min(*steps, n_wavelengths) >= 1, "Give at least one step of divergence and one wavelength.")
    horizontal, vertical = (_ladder(n) for n in steps)
    directions = [(h, v) for h in horizontal for v in vertical if h * h + v * v <= 0.25 + 1e-9 or max(steps) == 1]
    wavelengths = wavelength_A * (1 - bandpass * _ladder(n_wavelengths))
    weight = 1 / (len(directions) * n_wavelengths)
    reach = np.array(divergence_mrad) * 1e-3 * DISTANCE_M
    rows = [
        (-DISTANCE_M, v * reach[1], h * reach[0], weight, wavelength * 1e-10)
        for h, v in directions
        for wavelength in wavelengths
    ]
    return np.array(rows)


def _ladder(n):
    """Offsets from one half to minus one half, or zero alone."""
    return np.linspace(0.5, -0.5, n) if n > 1 else np.zeros(1)
