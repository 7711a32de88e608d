"""Features that bring like structures together: peaks in Q, lengths in units of the first.

Trees cut single points, so a cell that is 3 % larger is another curve to them. In units of the
first distance it is nearly the same, and the structure function shows the planes of the lattice as
G(r) shows its distances.
"""

import numpy as np

from diffranet_utils.studies.space_groups.curves import PairSettings

Q_PER_A = np.linspace(0.6, 12.0, 160)
WINDOW_A = 18.0  # of the transform: rounds off the end of the curve, so that ripples stay small
UNITS = np.linspace(0.6, 7.0, 180)  # distances in units of the first
FIRST_PEAK = 0.4  # share of the highest point that the first peak reaches


def curve_features(x, settings=None):
    """What trees are given of a curve: itself, its structure function, and itself in own units.

    Parameters
    ----------
    x : ndarray, shape (n, n_points)
        Normalised curves on the grid of `settings`.
    settings : PairSettings, optional
        The study's own if left out.

    Returns
    -------
    ndarray, shape (n, n_points + 341), float32
        Points of X, of F(Q), of X in units of the first distance, and that distance in angstrom.
    """
    r_A = (settings or PairSettings()).r_A
    x = np.asarray(x, float)
    curves = x - np.median(x, axis=1, keepdims=True)
    first_A = first_distances(curves, r_A)
    scaled = [np.interp(UNITS * d, r_A, g, right=0) for d, g in zip(first_A, curves, strict=True)]
    reduced = structure_functions(curves, r_A) / x.std(axis=1, keepdims=True)
    return np.hstack([x, reduced, scaled, first_A[:, None]]).astype(np.float32)


def structure_functions(curves, r_A, q_per_A=Q_PER_A):
    """Sine transforms of curves, F(Q) up to their scale.

    Parameters
    ----------
    curves : ndarray, shape (n, n_points)
        G(r) up to its scale, around zero.
    r_A : ndarray, shape (n_points,)
        Distances, angstrom.
    q_per_A : ndarray, shape (n_q,)
        Scattering vectors, 1/angstrom.

    Returns
    -------
    ndarray, shape (n, n_q)
    """
    window = np.exp(-0.5 * (r_A / WINDOW_A) ** 2)
    return (curves * window) @ np.sin(np.outer(r_A, q_per_A)) * (r_A[1] - r_A[0])


def first_distances(curves, r_A):
    """Place of the first peak of each curve, by a parabola through its highest three points.

    Parameters
    ----------
    curves : ndarray, shape (n, n_points)
        G(r) up to its scale, around zero.
    r_A : ndarray, shape (n_points,)
        Distances, angstrom, evenly spaced.

    Returns
    -------
    ndarray, shape (n,)
        Distances of the first peak that reaches `FIRST_PEAK` of the curve's highest point,
        angstrom.
    """
    high = curves >= FIRST_PEAK * curves.max(axis=1, keepdims=True)
    peaks = np.zeros_like(high)
    peaks[:, 1:-1] = (curves[:, 1:-1] >= curves[:, :-2]) & (curves[:, 1:-1] > curves[:, 2:])
    place = np.where((high & peaks).any(axis=1), (high & peaks).argmax(axis=1), high.argmax(axis=1))
    rows, inner = np.arange(len(curves)), np.clip(place, 1, len(r_A) - 2)
    left, top, right = (curves[rows, inner + k] for k in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(len(rows)), where=bend < 0)
    return r_A[inner] + np.clip(shift, -1, 1) * (r_A[1] - r_A[0])
