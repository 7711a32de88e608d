"""Precipitate: fine or coarse, brown grain, skin and oil."""

import cv2
import numpy as np

from .drop import wobbly_radii
from .scene import grain_tile, scatter, smooth_noise, smoothstep, tiled

VISIBLE_DENSITY = 0.3
"""Least density that one part in fifty of the drop reaches: a quarter of the light is taken."""


def _cover(scene, rng, cells):
    """Where in the drop the precipitate lies: patches that thin out to its edge, 0 to 1."""
    height, width = scene.shade.shape
    small = smooth_noise(rng, (height // 8, width // 8), cells)
    patches = smoothstep((small + rng.uniform(0.2, 1.2)) / 1.5)
    patches += 1 - patches[scene.drop[::8, ::8][: height // 8, : width // 8] > 0.5].max(initial=0)
    return cv2.resize(patches, (width, height)) * scene.drop


def _darken(scene, density, brownness):
    """Add a grey and a brown density, dense enough to be seen, and note the grains."""
    coarse = density[::4, ::4][scene.drop[::4, ::4] > 0.5]
    if coarse.size:
        density = density * max(1.0, VISIBLE_DENSITY / max(np.percentile(coarse, 98), 1e-3))
    scene.brown += (brownness * density).astype(np.float32)
    scene.shade *= 1 / (1 + (1 - brownness) * density)
    scene.grains[density > 0.12] = 255


def paint_fine(scene, rng):
    """Sand at the limit of what the objective resolves, with a brown haze behind it."""
    tile = grain_tile(rng, rng.uniform(0.7, 1.3) * scene.scale)
    grains = tiled(np.maximum(tile - 0.3, 0), scene.shade.shape)
    haze = rng.uniform(0.08, 0.3)
    density = _cover(scene, rng, rng.uniform(2, 7)) * (haze + rng.uniform(0.25, 0.6) * grains)
    _darken(scene, density, rng.uniform(0.5, 0.9))


def paint_coarse(scene, rng):
    """Flocks: clumps of several sizes, dark where they are thick."""
    flocks = tiled(grain_tile(rng, rng.uniform(3, 7) * scene.scale), scene.shade.shape)
    fine = tiled(grain_tile(rng, 1.2 * scene.scale), scene.shade.shape)
    thick = np.maximum(flocks + 0.35 * fine - rng.uniform(0.2, 0.9), 0)
    density = _cover(scene, rng, rng.uniform(2, 5)) * thick * rng.uniform(0.5, 1.1)
    _darken(scene, density, rng.uniform(0.4, 0.8))


def paint_brown_grain(scene, rng):
    """A brown bed of grain that has settled in the middle, with loose granules around it."""
    place = scatter(rng, scene, 1)[0]
    radius = scene.shape.radii.mean() * rng.uniform(0.6, 1.2)
    height, width = scene.shade.shape
    x = np.arange(width, dtype=np.float32) - place[0]
    y = np.arange(height, dtype=np.float32)[:, None] - place[1]
    bed = np.maximum(1.2 - (x * x + y * y) / (radius * radius), 0)
    tile = grain_tile(rng, rng.uniform(1.1, 2.0) * scene.scale)
    grains = tiled(np.maximum(tile + 0.1, 0) + 2 * np.maximum(tile - 1.5, 0), scene.shade.shape)
    density = bed * _cover(scene, rng, 5) * (rng.uniform(0.2, 0.6) + 0.6 * grains)
    _darken(scene, density * rng.uniform(0.6, 1.1), rng.uniform(0.7, 0.95))


def _fold(scene, rng, centre, radius):
    """Density of one film: a haze inside a wobbly outline and folds along parts of its edge."""
    height, width = scene.shade.shape
    angles = np.arange(720) * (2 * np.pi / 720)
    radii = wobbly_radii(rng, radius, rng.uniform(0.5, 1.0), rng.uniform(0.25, 0.6))
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None] + centre
    mask = np.zeros((height // 2, width // 2), np.uint8)
    cv2.fillPoly(mask, [np.round(points / 2 * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5) * 2
    along = smoothstep(smooth_noise(rng, mask.shape, 3) * 0.9 + 0.3)
    broad = rng.uniform(8, 26) * scene.scale
    fold = along * (
        0.7 * along * np.exp(-depth / broad) + 0.3 * np.exp(-depth / (2.5 * scene.scale))
    )
    fold += 0.08 * np.exp(-depth / (3 * scene.scale))
    return (mask / np.float32(255)) * (rng.uniform(0.01, 0.05) + fold)


def paint_skin(scene, rng):
    """A brown film over the drop, folded along a few lines."""
    height, width = scene.shade.shape
    total = np.zeros((height // 2, width // 2), np.float32)
    mean = scene.shape.radii.mean()
    for centre in scatter(rng, scene, rng.integers(2, 6)):
        total += _fold(scene, rng, centre, mean * rng.uniform(0.3, 0.75))
    mottle = 1 + 0.13 * tiled(grain_tile(rng, 1.5, 256), total.shape)
    density = cv2.resize(total * mottle, (width, height)) * scene.drop
    _darken(scene, density * rng.uniform(0.9, 1.5), rng.uniform(0.6, 0.85))


def paint_oil(scene, rng):
    """Droplets of a second liquid: bright middles and dark rims, many small and a few large."""
    height, width = scene.shade.shape
    dark, bright = np.zeros((2, height, width), np.uint8)
    largest = rng.uniform(8, 30) * scene.scale
    places = scatter(rng, scene, int(rng.integers(60, 350)))
    for x, y in places:
        radius = max(1.8, largest * rng.power(0.6) ** 2)
        middle = (round(x * 16), round(y * 16))
        cv2.circle(dark, middle, round(radius * 16), int(rng.integers(70, 170)), -1, 16, 4)
        cv2.circle(dark, middle, round(radius * 0.72 * 16), 20, -1, 16, 4)
        cv2.circle(bright, middle, round(radius * 0.4 * 16), 60, -1, 16, 4)
    scene.shade *= 1 + (bright.astype(np.float32) - dark) / 255 * scene.drop
    scene.grains[(dark > 40) & (scene.drop > 0.5)] = 255


PAINTERS = {
    "fine": paint_fine,
    "coarse": paint_coarse,
    "brown_grain": paint_brown_grain,
    "skin": paint_skin,
    "oil": paint_oil,
}
