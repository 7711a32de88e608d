"""What is in the way: dust, fibres, bubbles, scratches, letters and edges of the plate."""

import cv2
import numpy as np

from .drop import wobbly_radii
from .scene import grain_tile, scatter, smoothstep, tiled

LETTERS = "ABCDEFGH12345678"


def _darken(scene, layer):
    """Multiply a layer of bytes, 255 for all light taken, into the scene's shade."""
    x, y, width, height = cv2.boundingRect(layer)
    where = (slice(y, y + height), slice(x, x + width))
    scene.shade[where] *= 1 - layer[where].astype(np.float32) / 255


def paint_dust(scene, rng, n, inside):
    """Paint `n` specks, some of them fibres, in the drop (`inside`) or anywhere."""
    layer = np.zeros(scene.shade.shape, np.uint8)
    height, width = layer.shape
    anywhere = rng.uniform(0, 1, (n, 2)) * (width, height)
    for place in scatter(rng, scene, n) if inside else anywhere:
        size, taken = rng.uniform(0.8, 3.2) * scene.scale, int(rng.integers(110, 245))
        if rng.random() < 0.12:
            walk = place + np.cumsum(rng.normal(0, 1.5, (10, 2)) + rng.normal(0, 2, 2), axis=0)
            points = np.round(walk * 16).astype(np.int32)
            cv2.polylines(layer, [points], False, taken // 2, 1, cv2.LINE_AA, 4)
            continue
        for lump in place + rng.normal(0, 0.8 * size, (rng.integers(1, 5), 2)):
            middle = (round(lump[0] * 16), round(lump[1] * 16))
            cv2.circle(layer, middle, round(16 * size * rng.uniform(0.4, 1)), taken, -1, 16, 4)
    _darken(scene, layer)


def paint_scratches(scene, rng, n):
    """Paint `n` long, faint scratches of the plate's foil."""
    layer = np.zeros(scene.shade.shape, np.uint8)
    height, width = layer.shape
    for _ in range(n):
        start = rng.uniform(0, 1, 2) * (width, height)
        turn = rng.uniform(0, np.pi)
        step = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(5, 18) * scene.scale
        walk = start + np.cumsum(step + rng.normal(0, 0.8, (14, 2)), axis=0)
        points = np.round(walk * 16).astype(np.int32)
        cv2.polylines(layer, [points], False, int(rng.integers(12, 45)), 1, cv2.LINE_AA, 4)
    _darken(scene, layer)


def paint_bubbles(scene, rng):
    """Air bubbles: a thick black rim, a bright middle and a glint."""
    height, width = scene.shade.shape
    for x, y in scatter(rng, scene, int(rng.integers(1, 8))):
        radius = rng.uniform(7, 45) * scene.scale
        n = int(radius) + 3
        rows = np.arange(max(0, int(y) - n), min(height, int(y) + n))
        columns = np.arange(max(0, int(x) - n), min(width, int(x) + n))
        u = np.hypot(rows[:, None] - y, columns[None] - x).astype(np.float32) / radius
        rim = smoothstep((u - rng.uniform(0.2, 0.65)) / rng.uniform(0.15, 0.4))
        edge = np.clip((1 - u) * radius + 0.5, 0, 1)
        where = np.ix_(rows, columns)
        scene.shade[where] *= 1 - edge * (0.95 * rim - 0.06) * scene.drop[where]


def paint_edges(scene, rng):
    """Rims that the drop left when it was larger, or a skinless second edge inside it."""
    layer = np.zeros(scene.shade.shape, np.uint8)
    for _ in range(rng.integers(1, 4)):
        radii = wobbly_radii(rng, 1.0, 1.0, 0.12) * scene.shape.radii * rng.uniform(0.75, 1.3)
        angles = np.arange(720) * (2 * np.pi / 720)
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
        points = np.round((ring + (scene.shape.x, scene.shape.y)) * 16).astype(np.int32)
        start, stop = sorted(rng.integers(0, 720, 2))
        arc = points if rng.random() < 0.2 else points[start : stop + 2]
        taken = int(rng.integers(20, 90))
        cv2.polylines(layer, [arc], False, taken, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
    layer[scene.floor < 0.5] = 0
    _darken(scene, layer)


def _stamp(letter, size, stroke):
    """Return a letter as strokes in a mask of bytes."""
    mask = np.zeros((int(size * 1.7), int(size * 1.5)), np.uint8)
    place = (int(0.3 * size), int(1.35 * size))
    cv2.putText(mask, letter, place, cv2.FONT_HERSHEY_SIMPLEX, size / 22, 255, stroke)
    return mask


def _embossed(rng, mask, stroke, texture):
    """Transmission of a moulded stroke: dark outline, ridges along it, a dull middle."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3) / (stroke / 2)
    ridges = 0.16 * np.sin(depth * rng.uniform(9, 15) + rng.uniform(0, 6))
    ridges *= 1 + 0.7 * tiled(texture, mask.shape)
    body = 0.12 + 0.42 * smoothstep(depth / 0.4) - 0.22 * smoothstep((depth - 0.6) / 0.35)
    return np.clip(body + ridges, 0.03, 0.8).astype(np.float32)


def paint_letters(scene, rng):
    """Stamp one to three letters of the plate beside the well, out of the plane of focus."""
    height, width = scene.shade.shape
    size = rng.uniform(0.2, 0.3) * height
    stroke = int(size * rng.uniform(0.12, 0.17))
    stops = rng.permutation([0.3, 0.95, -0.05])[: rng.integers(1, 4)]
    texture = grain_tile(rng, 2.0, 256)
    for stop in stops:
        mask = _stamp(LETTERS[rng.integers(len(LETTERS))], size, stroke)
        stamp = cv2.GaussianBlur(_embossed(rng, mask, stroke, texture), (0, 0), 1.6 * scene.scale)
        soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.2 * scene.scale)
        x = int(-rng.uniform(0.25, 0.75) * size + (0.11 * width if stop > 0.5 else 0))
        y = int(stop * height - 0.3 * size)
        top, left = max(0, -y), max(0, -x)
        stamp, soft = stamp[top:, left:], soft[top:, left:]
        y, x = y + top, x + left
        where = (slice(y, y + stamp.shape[0]), slice(x, x + stamp.shape[1]))
        shade = scene.shade[where]
        part = (slice(0, shade.shape[0]), slice(0, shade.shape[1]))
        weight = soft[part] * (scene.floor[where] < 0.5)
        shade += weight * (stamp[part] - shade)


def paint_plate_edge(scene, rng):
    """Darken a strip at the left or right border where the plate's wall begins."""
    width = scene.shade.shape[1]
    x = np.arange(width, dtype=np.float32)
    place = rng.uniform(0.005, 0.03) * width
    distance = (x if rng.random() < 0.5 else width - 1 - x) - place
    line = 0.75 * np.exp(-((distance / (3 * scene.scale)) ** 2))
    line += 0.35 * np.exp(-(((distance + 9 * scene.scale) / (4 * scene.scale)) ** 2))
    line += 0.25 * (1 - smoothstep(distance / (16 * scene.scale) + 0.5))
    scene.shade *= 1 - np.minimum(line, 0.95)
