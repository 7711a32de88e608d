"""Unit cells and rotations: cell vectors, random orientations, mosaic domains."""

import numpy as np

from diffranet_utils.core.errors import require


def cell_vectors(a, b, c, alpha=90.0, beta=90.0, gamma=90.0):
    """Real-space cell vectors in the PDB convention: a along x, b in the xy plane.

    Parameters
    ----------
    a, b, c : float
        Edges, angstrom.
    alpha, beta, gamma : float
        Angles, degree.

    Returns
    -------
    ndarray, shape (3, 3), float64
        Rows a, b, c in angstrom.

    Raises
    ------
    InputError
        If no cell has these edges and angles.
    """
    edges, angles = np.array([a, b, c], float), np.array([alpha, beta, gamma], float)
    possible = (
        np.all(np.isfinite(edges)) and np.all(edges > 0) and np.all((angles > 0) & (angles < 180))
    )
    cos_a, cos_b, cos_g = np.cos(np.radians(angles))
    volume2 = 1 - cos_a**2 - cos_b**2 - cos_g**2 + 2 * cos_a * cos_b * cos_g
    require(
        possible and volume2 > 0,
        f"No unit cell has edges {edges.tolist()} A, angles {angles.tolist()} deg.",
    )
    sin_g = np.sin(np.radians(gamma))
    third = np.array([cos_b, (cos_a - cos_b * cos_g) / sin_g, np.sqrt(volume2) / sin_g])
    return np.array([[a, 0, 0], [b * cos_g, b * sin_g, 0], c * third])


def random_orientation(rng):
    """Rotation drawn uniformly over SO(3), from a random unit quaternion (Shoemake, 1992).

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (3, 3), float64
    """
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def mosaic_domains(rng, mosaic_deg, n_domains):
    """Rotations of the mosaic domains, distributed as in nanoBragg.

    Domain 0 is not rotated. Each other one turns about an axis uniform on the sphere by
    ``mosaic (1 - r^2)^(1/3)``, r uniform in [-1, 1].

    Parameters
    ----------
    rng : numpy.random.Generator
    mosaic_deg : float
        Largest rotation, degree.
    n_domains : int

    Returns
    -------
    ndarray, shape (n_domains, 3, 3), float64

    Raises
    ------
    InputError
        If there is no domain or the spread is negative.
    """
    require(
        n_domains >= 1 and mosaic_deg >= 0,
        f"{n_domains} domains over {mosaic_deg} degrees: give >= 1 and >= 0.",
    )
    axes = rng.standard_normal((n_domains, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.radians(mosaic_deg) * np.cbrt(1 - rng.uniform(-1, 1, n_domains) ** 2)
    angles[0] = 0.0
    return rotation_about(axes, angles)


def rotation_about(axes, angles):
    """Rotation matrices from axes and angles (Rodrigues' formula).

    Parameters
    ----------
    axes : ndarray, shape (n, 3), float64
        Unit vectors.
    angles : ndarray, shape (n,), float64
        Radian.

    Returns
    -------
    ndarray, shape (n, 3, 3), float64
    """
    x, y, z = axes.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sin, versine = np.sin(angles)[:, None, None], (1 - np.cos(angles))[:, None, None]
    return np.eye(3) + sin * cross + versine * (cross @ cross)
