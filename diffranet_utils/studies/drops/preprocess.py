"""The paper's preprocessing: random crops with changed colours to train, a centre crop to test.

Bruno et al. 2018 (doi:10.1371/journal.pone.0198883), *Data preprocessing and augmentation*.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from diffranet_utils.core.errors import require

CROP = 599
"""Side of a crop, pixels."""


@dataclass(frozen=True)
class Distortion:
    """How far a training crop's colours are changed.

    Attributes
    ----------
    brightness : float
        Largest change of all channels; 1 is white.
    saturation, contrast : tuple of float
        Smallest and largest factor.
    hue : float
        Largest turn of the colour circle, whose length is 1.
    flip : bool
        Flip left to right and upside down, each with probability one half.
    """

    brightness: float = 32 / 255
    saturation: tuple = (0.5, 1.5)
    hue: float = 0.2
    contrast: tuple = (0.5, 1.5)
    flip: bool = True


def _check(picture, size):
    height, width = picture.shape[:2]
    require(
        min(height, width) >= size,
        f"A picture of {width} x {height} pixels is smaller than the crop of {size}. "
        "Choose a smaller crop or leave it out.",
    )


def random_crop(rng, picture, size=CROP):
    """Cut a square of `size` pixels at a random place.

    Parameters
    ----------
    rng : numpy.random.Generator
    picture : ndarray, shape (height, width, 3), uint8
    size : int

    Returns
    -------
    ndarray, shape (size, size, 3), uint8
        A view of the picture.

    Raises
    ------
    InputError
        If the picture is smaller than the crop.
    """
    _check(picture, size)
    top = rng.integers(picture.shape[0] - size + 1)
    left = rng.integers(picture.shape[1] - size + 1)
    return picture[top : top + size, left : left + size]


def centre_crop(picture, size=CROP, side=None):
    """Cut the central square of `side` pixels and resize it to `size`.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
    size : int
        Side of the result, pixels.
    side : int, optional
        Side of what is cut; `size` itself when None, so that nothing is resized.

    Returns
    -------
    ndarray, shape (size, size, 3), uint8

    Raises
    ------
    InputError
        If the picture is smaller than `side`.
    """
    side = size if side is None else side
    _check(picture, side)
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = picture[top : top + side, left : left + side]
    if side == size:
        return square
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=way)


def change_brightness(crop, change):
    """Add `change` to all channels of a crop with values from 0 to 1."""
    return crop + np.float32(change)


def change_contrast(crop, factor):
    """Stretch each channel of a crop about its mean by `factor`."""
    mean = crop.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return (crop - mean) * np.float32(factor) + mean


def change_saturation(crop, factor):
    """Multiply the saturation (of hue, saturation, value) of a crop by `factor`."""
    hsv = cv2.cvtColor(np.clip(crop, 0, 1), cv2.COLOR_RGB2HSV)
    hsv[..., 1] = np.clip(hsv[..., 1] * factor, 0, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def change_hue(crop, turn):
    """Turn the hue of a crop by `turn` of the colour circle."""
    hsv = cv2.cvtColor(np.clip(crop, 0, 1), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * turn) % 360
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def distorted(rng, crop, distortion=None):
    """Change brightness, saturation, hue and contrast in a random order, and flip.

    Parameters
    ----------
    rng : numpy.random.Generator
    crop : ndarray, shape (size, size, 3), uint8
    distortion : Distortion, optional
        The paper's when None.

    Returns
    -------
    ndarray, shape (size, size, 3), float32
        0 to 1.
    """
    limits = distortion or Distortion()
    changes = [
        (change_brightness, rng.uniform(-limits.brightness, limits.brightness)),
        (change_saturation, rng.uniform(*limits.saturation)),
        (change_hue, rng.uniform(-limits.hue, limits.hue)),
        (change_contrast, rng.uniform(*limits.contrast)),
    ]
    result = crop.astype(np.float32) / 255
    for k in rng.permutation(len(changes)):
        change, amount = changes[k]
        result = change(result, amount)
    across, down = rng.random(2) < 0.5
    if limits.flip:
        result = result[:: -1 if down else 1, :: -1 if across else 1]
    return np.ascontiguousarray(np.clip(result, 0, 1))


def training_crop(rng, picture, size=CROP, distortion=None):
    """Cut a random crop and distort it; see `random_crop` and `distorted`."""
    return distorted(rng, random_crop(rng, picture, size), distortion)


def evaluation_crop(picture, size=CROP, side=None):
    """Cut the centre, undistorted, as float32 from 0 to 1; see `centre_crop`."""
    return centre_crop(picture, size, side).astype(np.float32) / 255
