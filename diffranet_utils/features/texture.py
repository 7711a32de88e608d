"""Global texture of an image as a row of numbers: co-occurrence (GLCM) and local binary patterns
(LBP).

Both are computed over whole image sets on several threads.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.features import texture_kernels

PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "ASM", "energy", "correlation")
DISTANCES = (1, 2, 4, 5, 8)
ANGLES_DEG = (0, 45, 90, 135)
POINTS = (4, 8, 16, 24)
RADII = (0, 1, 2, 3)
BAR_FROM = 500  # fewer images than this need no progress bar


def pair_offset(distance, angle_deg):
    """Rows and columns from a pixel to its partner, rounded as scikit-image does.

    Opposite directions give the same symmetric matrix, so the one that points down (or right)
    stands for both. Distances 1 and 2 share a partner along the diagonals: 2 sin 45 degrees = 1.41
    rounds to 1.

    Parameters
    ----------
    distance : int
        Pixels.
    angle_deg : float
        0 is along a row, 90 down a column.

    Returns
    -------
    rows, columns : int
    """
    angle = np.deg2rad(angle_deg)
    exact = distance * np.array([np.sin(angle), np.cos(angle)])
    down, across = (int(x) for x in np.copysign(np.floor(np.abs(exact) + 0.5), exact))
    return (-down, -across) if down < 0 or (down == 0 and across < 0) else (down, across)


def glcm_features(images, distances=DISTANCES, angles_deg=ANGLES_DEG, n_workers=1):
    """Six Haralick features of the co-occurrence matrix for each distance and angle
    (doi:10.1109/TSMC.1973.4309314).

    The matrix is symmetric, normed and has 256 levels, as `skimage.feature.graycomatrix` makes it.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    distances : sequence of int
        Pixels.
    angles_deg : sequence of float
    n_workers : int
        Threads.

    Returns
    -------
    ndarray, shape (n, 6 * len(distances) * len(angles_deg)), float64
        Columns in the order of `glcm_names`: by feature, then distance, then angle.

    Raises
    ------
    InputError
        If the images are not 8-bit or a list is empty.
    """
    require(len(distances) and len(angles_deg), "GLCM needs at least one distance and one angle.")
    require(
        min(distances) > 0, f"GLCM distances {list(distances)}: give positive numbers of pixels."
    )
    wanted = [pair_offset(d, a) for d in distances for a in angles_deg]
    distinct = sorted(set(wanted))
    rows = [distinct.index(offset) for offset in wanted]
    offsets = np.array(distinct)

    def one(image):
        out = np.empty((len(offsets), len(PROPERTIES)))
        texture_kernels.glcm_properties(np.ascontiguousarray(image), offsets, out)
        return out[rows].T.ravel()

    return map_images(one, images, n_workers, "GLCM")


def glcm_names(distances=DISTANCES, angles_deg=ANGLES_DEG):
    """Names of the columns of `glcm_features`, such as ``contrast d1 a45``."""
    return [f"{name} d{d} a{a}" for name in PROPERTIES for d in distances for a in angles_deg]


def glcm_columns(distances, angles_deg):
    """Columns of the full table (all `DISTANCES`, all `ANGLES_DEG`) that a subset needs.

    Returns
    -------
    ndarray of int, shape (6 * len(distances) * len(angles_deg),)

    Raises
    ------
    InputError
        If a distance or angle is not in the full table.
    """
    known = set(distances) <= set(DISTANCES) and set(angles_deg) <= set(ANGLES_DEG)
    require(
        known,
        f"GLCM table has distances {DISTANCES} and angles {ANGLES_DEG}, not {distances} and "
        f"{angles_deg}.",
    )
    place = {name: k for k, name in enumerate(glcm_names())}
    return np.array([place[name] for name in glcm_names(distances, angles_deg)])


def lbp_codes(image, points, radius):
    """Uniform local binary pattern of each pixel, equal to `skimage.feature.local_binary_pattern`.

    Parameters
    ----------
    image : ndarray, shape (rows, columns), uint8
    points : int
        Neighbours on the circle.
    radius : float
        Pixels. At 0 every neighbour is the pixel itself, so each code is `points`: a constant that
        tells images apart in nothing. It is allowed because the paper's search space has it.

    Returns
    -------
    ndarray, shape (rows, columns), uint8
        0 to ``points + 1``.
    """
    require(
        points >= 1 and radius >= 0,
        f"LBP with {points} points at radius {radius}: give 1 or more, 0 or more.",
    )
    angles = 2 * np.pi * np.arange(points) / points
    down, across = np.round(-radius * np.sin(angles), 5), np.round(radius * np.cos(angles), 5)
    codes = np.empty(image.shape, np.uint8)
    texture_kernels.lbp_codes(np.ascontiguousarray(image), down, across, codes)
    return codes


def lbp_features(images, points, radius, n_workers=1):
    """Histogram of uniform local binary patterns, as shares of the pixels.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns), uint8
    points, radius : int, float
        See `lbp_codes`.
    n_workers : int
        Threads.

    Returns
    -------
    ndarray, shape (n, points + 2), float64
        The length depends on `points` alone, never on which codes an image happens to hold.
    """

    def one(image):
        return (
            np.bincount(lbp_codes(image, points, radius).ravel(), minlength=points + 2) / image.size
        )

    return map_images(one, images, n_workers, f"LBP {points}, {radius}")


class GlcmFeatures(TransformerMixin, BaseEstimator):
    """`glcm_features` as a scikit-learn transformer; nothing is fitted.

    Parameters
    ----------
    distances, angles_deg : sequence
    n_workers : int
    """

    def __init__(self, distances=DISTANCES, angles_deg=ANGLES_DEG, n_workers=1):
        self.distances, self.angles_deg, self.n_workers = distances, angles_deg, n_workers

    def fit(self, images, y=None):
        """Do nothing, return self."""
        return self

    def transform(self, images):
        """Feature table of `images`, see `glcm_features`."""
        return glcm_features(images, self.distances, self.angles_deg, self.n_workers)

    def __sklearn_is_fitted__(self):
        """Always: there is nothing to fit."""
        return True


class LbpFeatures(TransformerMixin, BaseEstimator):
    """`lbp_features` as a scikit-learn transformer; nothing is fitted.

    Parameters
    ----------
    points, radius : int, float
    n_workers : int
    """

    def __init__(self, points=24, radius=3, n_workers=1):
        self.points, self.radius, self.n_workers = points, radius, n_workers

    def fit(self, images, y=None):
        """Do nothing, return self."""
        return self

    def transform(self, images):
        """Feature table of `images`, see `lbp_features`."""
        return lbp_features(images, self.points, self.radius, self.n_workers)

    def __sklearn_is_fitted__(self):
        """Always: there is nothing to fit."""
        return True


def map_images(function, images, n_workers, title):
    """Stack `function` of each image, in the order of the images.

    Parameters
    ----------
    function : callable
        Takes one image, returns ndarray, shape (n_features,).
    images : ndarray, shape (n, rows, columns), uint8
    n_workers : int
        Threads.
    title : str
        Of the progress bar, which many images have.

    Returns
    -------
    ndarray, shape (n, n_features)

    Raises
    ------
    InputError
        If `images` has another shape or type, or none in it.
    """
    shape, dtype = np.shape(images), getattr(images, "dtype", None)
    require(
        len(shape) == 3 and dtype == np.uint8,
        f"Images have shape {shape}, {dtype}: give (n, rows, columns) uint8.",
    )
    require(shape[0] > 0, "There is no image to take features of.")
    with ThreadPoolExecutor(n_workers) as pool:
        rows = map(function, images) if n_workers == 1 else pool.map(function, images)
        if len(images) >= BAR_FROM:
            rows = progress(rows, total=len(images), title=title)
        return np.stack(list(rows))
