"""Solid shapes of crystals and how bright their faces look in transmitted light."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Face:
    """One face of a crystal as the camera sees it.

    Attributes
    ----------
    corners : ndarray, shape (n, 2), float64
        Relative to the crystal's centre, pixels.
    normal : ndarray, shape (3,), float64
        Unit vector out of the crystal; the third component points to the camera.
    """

    corners: np.ndarray
    normal: np.ndarray


def random_rotation(rng):
    """Draw a rotation uniformly (a random unit quaternion), ndarray of shape (3, 3)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def bevelled_prism(rng, size):
    """Draw a prism with four or six sides whose ends are bevelled to a facet or to a point.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : float
        Half-width, pixels.

    Returns
    -------
    list of ndarray, shape (n, 3)
        Corners of each face, in order around it.
    """
    sides = int(rng.choice([4, 4, 6]))
    angles = np.arange(sides) * (2 * np.pi / sides) + np.pi / sides
    squash = rng.uniform(0.55, 1.0)
    ring = np.stack([np.cos(angles), squash * np.sin(angles)], axis=1)
    half = rng.uniform(0.5, 1.6)
    tip = rng.choice([0.03, 0.6, 0.92])
    levels = [(-half, tip), (-half * 0.7, 1.0), (half * 0.7, 1.0), (half, tip)]
    rings = [np.column_stack([ring * s, np.full(sides, z)]) * size for z, s in levels]
    faces = [rings[0], rings[-1]]
    for low, high in zip(rings[:-1], rings[1:], strict=True):
        for i in range(sides):
            j = (i + 1) % sides
            faces.append(np.array([low[i], low[j], high[j], high[i]]))
    return faces


def projected_faces(rng, faces):
    """Turn a convex solid at random and return its faces, those away from the camera first."""
    turn = random_rotation(rng)
    seen = []
    for corners in faces:
        corners = corners @ turn.T
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        length = np.linalg.norm(normal)
        if length < 1e-9:
            continue
        normal *= np.sign(normal @ corners.mean(0)) / length
        seen.append(Face(corners[:, :2], normal))
    return sorted(seen, key=lambda face: face.normal[2])


def face_transmission(normal, lamp):
    """Return how bright a face looks, 1 being the field around it.

    A face across the light path passes it; a tilted one bends it out of the objective, the more
    so the steeper it is, and least on the side from which oblique light comes.

    Parameters
    ----------
    normal : ndarray, shape (3,)
    lamp : ndarray, shape (2,)
        Direction of the oblique light in the picture's plane.
    """
    tilt = 1 - abs(normal[2])
    lit = float(normal[:2] @ lamp)
    return float(np.clip(1.05 - 0.85 * tilt**1.7 + 0.5 * lit * tilt, 0.15, 1.35))
