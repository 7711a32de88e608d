"""8-bit grey images as files: the paper's format, and reading it or PNG."""

from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError


def encode_pgm(image):
    """Binary Portable Greymap of an 8-bit image, the paper's format.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8

    Returns
    -------
    bytes
    """
    return (
        b"P5\n%d %d\n255\n" % (image.shape[1], image.shape[0])
        + np.ascontiguousarray(image).tobytes()
    )


def read_image(path):
    """Read an 8-bit grey image, PGM or PNG.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray, shape (n_slow, n_fast), uint8

    Raises
    ------
    DiffranetError
        If the file is missing, truncated or not an 8-bit grey image.
    """
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if Path(path).is_file() else None
    if image is not None and image.ndim == 3 and (image[..., :1] == image[..., :3]).all():
        image = np.ascontiguousarray(image[..., 0])  # grey, written as if it had colours
    if image is None or image.ndim != 2 or image.dtype != np.uint8:
        raise DiffranetError(f"{path} is not a readable 8-bit grey image: rebuild or restore it.")
    return image
