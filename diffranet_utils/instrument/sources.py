"""Divergence and bandpass of a beam, as the grid of point sources that nanoBragg uses."""

import math

import numpy as np

from diffranet_utils.core.errors import require

DISTANCE_M = 10.0  # far enough for a source to count as a direction
MAX_SOURCES = 10_000  # each of them costs as much as the whole image of a plain beam


def source_grid(
    wavelength_A, divergence_mrad=(0.0, 0.0), steps=(1, 1), bandpass=0.0, n_wavelengths=1
):
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
        x, y, z of the source seen from the crystal, weight, wavelength; metres. For
        `geometry.Beam`.

    Raises
    ------
    InputError
        If a range is negative or has too few steps to be seen, or nothing is left of the grid.
    """
    _check(divergence_mrad, steps, bandpass, n_wavelengths)
    horizontal, vertical = (_ladder(n) for n in steps)
    directions = [
        (h, v)
        for h in horizontal
        for v in vertical
        if h * h + v * v <= 0.25 + 1e-9 or max(steps) == 1
    ]
    shape = f"Of steps {tuple(steps)} only corners are left, which lie outside the ellipse"
    require(len(directions) > 0, f"{shape}: give an odd number, or three or more along each.")
    wavelengths = wavelength_A * (1 - bandpass * _ladder(n_wavelengths))
    weight = 1 / (len(directions) * n_wavelengths)
    reach = np.array(divergence_mrad) * 1e-3 * DISTANCE_M
    rows = [
        (-DISTANCE_M, v * reach[1], h * reach[0], weight, wavelength * 1e-10)
        for h, v in directions
        for wavelength in wavelengths
    ]
    return np.array(rows)


def _check(divergence_mrad, steps, bandpass, n_wavelengths):
    require(min(*divergence_mrad, bandpass) >= 0, "Divergence and bandpass must not be negative.")
    require(
        min(*steps, n_wavelengths) >= 1, "Give at least one step of divergence and one wavelength."
    )
    n_sources = math.prod((*steps, n_wavelengths))
    require(
        n_sources <= MAX_SOURCES,
        f"{n_sources} sources are too many: give fewer steps, {MAX_SOURCES} in all.",
    )
    for angle, n in zip(divergence_mrad, steps, strict=True):
        require(
            angle == 0 or n > 1,
            f"A divergence of {angle} mrad has no effect in one step: raise its steps.",
        )
    require(
        bandpass == 0 or n_wavelengths > 1,
        f"A bandpass of {bandpass} has no effect: raise n_wavelengths.",
    )
    require(
        bandpass < 2,
        f"A bandpass of {bandpass} reaches wavelength zero: give less than 2, such as 0.01.",
    )


def _ladder(n):
    """Offsets from one half to minus one half, or zero alone."""
    return np.linspace(0.5, -0.5, n) if n > 1 else np.zeros(1)
