"""The layers that a picture is painted in, and the smooth noise they are made of."""

from dataclasses import dataclass, field

import cv2
import numpy as np

F32 = np.float32
"""Type of the numbers in compiled painters: a literal would make them twice as wide and slower."""


def floats(numbers):
    """Return settings of a compiled painter as a tuple of float32."""
    return tuple(F32(number) for number in numbers)


@dataclass
class Scene:
    """Layers of one picture before the camera; every painter changes some of them in place.

    Attributes
    ----------
    light : ndarray, shape (height, width, 3), float32
        Red, green and blue of the lit field; 1 is the camera's white.
    shade : ndarray, shape (height, width), float32
        Neutral transmission of plate, drop and clutter.
    brown : ndarray, shape (height, width), float32
        Optical density of brown matter in blue light.
    crystal : ndarray, shape (height, width), float32
        Neutral transmission of the crystals; above 1 where facets gather light.
    floor, drop : ndarray, shape (height, width), float32
        How far a pixel belongs to the well's floor and to the drop, 0 to 1.
    crystals, grains : ndarray, shape (height, width), uint8
        Truth: 255 where a crystal, or precipitate, was painted.
    scale : float
        Pixels of this picture for each pixel of a picture 960 high.
    well : object
        Geometry of the well (`well.Well`), set when it is painted.
    shape : object
        Geometry of the drop (`drop.DropShape`), None without a drop.
    """

    light: np.ndarray
    shade: np.ndarray
    brown: np.ndarray
    crystal: np.ndarray
    floor: np.ndarray
    drop: np.ndarray
    crystals: np.ndarray
    grains: np.ndarray
    scale: float
    well: object = field(default=None)
    shape: object = field(default=None)


def empty_scene(imager):
    """Return a scene of the imager's size with nothing in it; its light is not filled yet."""
    size = (imager.height, imager.width)
    blank = {name: np.zeros(size, np.uint8) for name in ("crystals", "grains")}
    clear = {name: np.zeros(size, np.float32) for name in ("brown", "floor", "drop")}
    full = {name: np.ones(size, np.float32) for name in ("shade", "crystal")}
    light = np.empty((*size, 3), np.float32)
    return Scene(light=light, scale=imager.height / 960, **blank, **clear, **full)


def smooth_noise(rng, size, cells, channels=1):
    """Draw noise with about `cells` bumps across the picture's height, scaled up smoothly.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : tuple of int
        Height and width of the result, pixels.
    cells : float
        Bumps across the height.
    channels : int

    Returns
    -------
    ndarray, shape (height, width) or (height, width, channels), float32
        Mean near 0, standard deviation near 0.7.
    """
    height, width = size
    step = height / cells
    grid = (max(2, round(cells) + 1), max(2, round(width / step) + 1), channels)
    coarse = rng.standard_normal(grid, dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def grain_tile(rng, blur_px, side=512):
    """Draw a tile of fine noise, blurred by `blur_px` and brought back to unit spread.

    Parameters
    ----------
    rng : numpy.random.Generator
    blur_px : float
    side : int
        Width and height of the tile, pixels.

    Returns
    -------
    ndarray, shape (side, side), float32
    """
    tile = rng.standard_normal((side, side), dtype=np.float32)
    if blur_px > 0:
        tile = cv2.GaussianBlur(tile, (0, 0), blur_px, borderType=cv2.BORDER_REFLECT_101)
        tile /= tile.std()
    return tile


def tiled(tile, size):
    """Repeat a tile over a picture of `size` (height, width)."""
    rows, columns = -(-size[0] // tile.shape[0]), -(-size[1] // tile.shape[1])
    return np.tile(tile, (rows, columns))[: size[0], : size[1]]


def smoothstep(t):
    """Return the cubic step of `t`: 0 below 0, 1 above 1."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def scatter(rng, scene, n):
    """Draw places for `n` things: inside the drop, away from its edge and its dark sides.

    Returns
    -------
    ndarray, shape (n, 2), float64
        x and y, pixels.
    """
    shape = scene.shape
    angles = rng.uniform(0, 2 * np.pi, 40 * n)
    radii = shape.radius_at(angles) * 0.82 * np.sqrt(rng.random(40 * n))
    places = np.stack([shape.x + radii * np.cos(angles), shape.y + radii * np.sin(angles)], 1)
    height, width = scene.shade.shape
    rounded = places.astype(int)
    seen = ((rounded >= 0) & (rounded < (width, height))).all(axis=1)
    rows, columns = np.clip(rounded[:, 1], 0, height - 1), np.clip(rounded[:, 0], 0, width - 1)
    seen &= (scene.drop[rows, columns] > 0.9) & (scene.shade[rows, columns] > 0.6)
    kept = places[seen]
    return np.resize(kept, (n, 2)) if len(kept) else np.full((n, 2), (shape.x, shape.y))
