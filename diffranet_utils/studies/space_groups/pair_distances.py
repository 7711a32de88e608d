"""Compiled sum over all pairs of atoms, apart from `curves` so that this loads without it."""

import numpy as np
from numba import njit

SHORTEST_A = 0.5  # closer sites are alternatives of a disordered atom, never filled together


@njit(cache=True)
def add_distances(cell, positions, power, centres, sizes, step_A, histogram):
    """Add all neighbours of the centres to a histogram of distances.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Cell vectors as rows, angstrom, lower triangular: that bounds each loop exactly.
    positions : ndarray, shape (n_atoms, 3)
        Atoms of one cell, angstrom.
    power : ndarray, shape (n_atoms,)
        Scattering power of each.
    centres : ndarray of int, shape (n_centres,)
        Atoms from which distances count.
    sizes : ndarray, shape (n_centres,)
        Atoms for which each centre stands.
    step_A : float
        Width of a bin, angstrom.
    histogram : ndarray, shape (n_bins,)
        Changed in place; each pair is shared linearly between the two nearest bins.
    """
    reach2 = (step_A * (len(histogram) - 2)) ** 2
    for k in range(len(centres)):
        i = centres[k]
        for j in range(len(positions)):
            weight = sizes[k] * power[i] * power[j]
            x0, y0, z0 = positions[j] - positions[i]
            reach = np.sqrt(reach2)
            c_last = int(np.floor((reach - z0) / cell[2, 2]))
            for c in range(int(np.ceil((-reach - z0) / cell[2, 2])), c_last + 1):
                z = z0 + c * cell[2, 2]
                start = (x0 + c * cell[2, 0], y0 + c * cell[2, 1], z)
                _add_plane(start, reach2 - z * z, cell, weight, step_A, histogram)


@njit(cache=True)
def _add_plane(start, rest, cell, weight, step_A, histogram):
    x0, y0, z = start
    reach = np.sqrt(max(rest, 0.0))
    b_last = int(np.floor((reach - y0) / cell[1, 1]))
    for b in range(int(np.ceil((-reach - y0) / cell[1, 1])), b_last + 1):
        y = y0 + b * cell[1, 1]
        half = np.sqrt(max(rest - y * y, 0.0))
        x1 = x0 + b * cell[1, 0]
        a_last = int(np.floor((half - x1) / cell[0, 0]))
        for a in range(int(np.ceil((-half - x1) / cell[0, 0])), a_last + 1):
            x = x1 + a * cell[0, 0]
            distance = np.sqrt(x * x + y * y + z * z)
            if distance > SHORTEST_A:
                place = distance / step_A
                low = min(int(place), len(histogram) - 2)
                histogram[low] += weight * (low + 1 - place)
                histogram[low + 1] += weight * (place - low)
