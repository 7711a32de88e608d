"""Grazing-incidence wide-angle scattering: arcs and rods of a film whose crystals share a normal.

A film of crystals that stand alike and are turned anyhow about the normal scatters into rings
about it. With q the length of the scattering vector and chi its angle to the normal, a reflection
is a spot in (q, chi), drawn out to an arc by crystals that lean. What the flat detector shows has
no point at chi = 0 away from the origin: the missing wedge (Baker et al. 2010,
doi:10.1021/la904840q). q is 1/angstrom with the 2 pi.
"""

import numpy as np


def polar(q_A):
    """Length of the scattering vector and its angle to the surface's normal.

    Parameters
    ----------
    q_A : ndarray, shape (3, rows, columns)
        As `Camera.grazing` gives it.

    Returns
    -------
    length_A, chi : ndarray, shape (rows, columns)
        chi is 0 along the normal and pi / 2 in the plane.
    """
    in_plane = np.hypot(q_A[0], q_A[1])
    return np.hypot(in_plane, q_A[2]), np.arctan2(in_plane, q_A[2])


def wedge_edge(length_A, wavenumber_A, incidence):
    """Smallest angle to the normal at which a detector sees a scattering vector.

    Parameters
    ----------
    length_A : array-like
    wavenumber_A : float
    incidence : float
        Radians.

    Returns
    -------
    ndarray
        From the Ewald sphere: asin(q / 2k) - incidence, not below zero.
    """
    return np.maximum(np.arcsin(np.asarray(length_A) / (2 * wavenumber_A)) - incidence, 0)


def arc_pattern(length_A, chi, arcs, width_A, spread):
    """Arcs of a textured film.

    Parameters
    ----------
    length_A, chi : ndarray, shape (rows, columns)
    arcs : ndarray, shape (n, 3)
        q, chi (radians) and brightness of each reflection.
    width_A : float
        Standard deviation in q.
    spread : float
        Standard deviation in chi, radians: how far crystals lean.

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    pattern = np.zeros(length_A.shape)
    for place, middle, brightness in arcs:
        near = np.abs(length_A - place) < 4 * width_A
        radial = np.exp(-(((length_A[near] - place) / width_A) ** 2) / 2)
        tilt = chi[near] - middle
        pattern[near] += brightness * radial * np.exp(-((tilt / spread) ** 2) / 2)
    return pattern


def rod_pattern(q_A, rods, width_A, fall_A):
    """Rods of a layer so thin that it has no order along the normal.

    Parameters
    ----------
    q_A : ndarray, shape (3, rows, columns)
    rods : ndarray, shape (n, 2)
        Place in the plane and brightness of each.
    width_A : float
        Half width of the Lorentzian across a rod.
    fall_A : float
        q along the normal at which a rod has fallen to exp(-1/2).

    Returns
    -------
    ndarray, shape (rows, columns)
    """
    in_plane = np.hypot(q_A[0], q_A[1])
    lines = sum(height / (1 + ((in_plane - place) / width_A) ** 2) for place, height in rods)
    return lines * np.exp(-((q_A[2] / fall_A) ** 2) / 2)
