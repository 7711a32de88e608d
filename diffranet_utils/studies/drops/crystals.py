"""Crystals in a drop: needles, bundles, plates, blocks, spherulites and microcrystals."""

import cv2
import numpy as np

from .crystal_shapes import bevelled_prism, face_transmission, projected_faces
from .scene import grain_tile, scatter, tiled

SHIFT = 4
"""Fractional bits of the corners that OpenCV draws with: sixteenths of a pixel."""

VISIBLE_LEVELS = 14.0
"""Least contrast of a crystal in the final picture, grey levels of 255."""


class Brush:
    """Draws anti-aliased shapes into a dark and a bright layer and into the truth mask.

    Parameters
    ----------
    size : tuple of int
        Height and width, pixels.
    rng : numpy.random.Generator
        Draws the uneven thickness of what is drawn.
    """

    def __init__(self, size, rng):
        self.texture = np.clip(grain_tile(rng, 6.0, 128), -1.5, 1.5)
        self.dark = np.zeros(size, np.uint8)
        self.bright = np.zeros(size, np.uint8)
        self.body = np.zeros(size, np.uint8)

    def polygon(self, corners, transmission):
        """Fill a convex polygon (n, 2) with a transmission from 0 to 2, over what is there."""
        points = np.round(np.asarray(corners) * 2**SHIFT).astype(np.int32)
        level = int(np.clip(round(255 * (transmission - 1)), -255, 255))
        cv2.fillConvexPoly(self.dark, points, max(-level, 0), cv2.LINE_AA, SHIFT)
        cv2.fillConvexPoly(self.bright, points, max(level, 0), cv2.LINE_AA, SHIFT)
        cv2.fillConvexPoly(self.body, points, 255, cv2.LINE_AA, SHIFT)

    def line(self, ends, transmission, width=1):
        """Draw a line through the points `ends` (n, 2) that takes light, `width` pixels wide."""
        points = np.round(np.asarray(ends) * 2**SHIFT).astype(np.int32)
        level = int(np.clip(round(255 * (1 - transmission)), 0, 255))
        cv2.polylines(self.dark, [points], False, level, width, cv2.LINE_AA, SHIFT)

    def lay(self, scene, blur_px):
        """Multiply the layers into ``scene.crystal`` where the drop is; add to the truth.

        Crystals lie above or below the plane of focus by as much as `blur_px` tells, pixels.
        """
        touched = cv2.max(cv2.max(self.dark, self.bright), self.body)
        x, y, width, height = cv2.boundingRect(touched)
        where = (slice(y, y + height), slice(x, x + width))
        change = (self.bright[where].astype(np.float32) - self.dark[where]) / 255
        change *= 0.85 + 0.3 * tiled(self.texture, change.shape)
        change = cv2.GaussianBlur(change, (0, 0), blur_px) * scene.drop[where]
        scene.crystal[where] *= 1 + change
        scene.crystals[where][(touched[where] > 40) & (scene.drop[where] > 0.5)] = 255


def _direction(angle):
    return np.array([np.cos(angle), np.sin(angle)])


def _needle(brush, rng, middle, angle, length, width):
    """One needle: a thin, tapering strip with a dark side and, when wide, a bright one."""
    along, across = _direction(angle) * length / 2, _direction(angle + np.pi / 2) * width / 2
    strip = [middle - along, middle + across, middle + along, middle - across]
    if width > 1.5:
        brush.polygon([c + across for c in strip], 1 + rng.uniform(0.05, 0.25))
    brush.polygon(strip, 1 - rng.uniform(0.25, 0.85) * min(1.0, width / 1.6))


def paint_needles(scene, rng):
    """Hair-thin needles, scattered in loose groups; some lie side by side or cross."""
    brush, scale = Brush(scene.shade.shape, rng), scene.scale
    for centre in scatter(rng, scene, rng.integers(1, 5)):
        spread, typical = rng.uniform(30, 110) * scale, rng.uniform(40, 130) * scale
        stout = 1.6 * rng.random() ** 2
        for middle in rng.normal(centre, spread, (rng.integers(4, 22), 2)):
            length, angle = typical * rng.lognormal(0, 0.4), rng.uniform(0, np.pi)
            width = rng.uniform(0.7, 1.2 + stout) * max(scale, 0.8)
            _needle(brush, rng, middle, angle, length, width)
            if rng.random() < 0.35:
                beside = middle + rng.normal(0, 5 * scale, 2)
                _needle(brush, rng, beside, angle + rng.normal(0, 0.05), length, width)
    brush.lay(scene, rng.uniform(0.3, 1.2) * scale)


def paint_bundles(scene, rng):
    """Needles that grow from one point: stars, sheaves and brooms."""
    brush, scale = Brush(scene.shade.shape, rng), scene.scale
    for centre in scatter(rng, scene, rng.integers(1, 7)):
        fan = rng.choice([0.25, 0.6, np.pi])
        typical, axis = rng.uniform(25, 95) * scale, rng.uniform(0, np.pi)
        for _ in range(rng.integers(8, 45)):
            angle = axis + rng.uniform(-fan, fan) + np.pi * rng.integers(0, 2)
            length = typical * rng.uniform(0.4, 1.2)
            middle = centre + _direction(angle) * length / 2
            _needle(brush, rng, middle, angle, length, rng.uniform(0.8, 2.2) * max(scale, 0.8))
    brush.lay(scene, rng.uniform(0.3, 1.2) * scale)


def _plate_outline(rng, size):
    """Corners of a thin plate seen at a slant, shape (4 or 6, 2)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [1.0, rng.uniform(0.35, 0.9)]
    if rng.random() < 0.4:
        tip = np.array([rng.uniform(1.2, 1.6), 0])
        corners = np.array([corners[0], corners[1], tip, corners[2], corners[3], -tip])
    corners[:, 0] += corners[:, 1] * rng.normal(0, 0.35)
    c, s = _direction(rng.uniform(0, 2 * np.pi))
    return corners @ np.array([[c, s], [-s, c]]) * size


def paint_plates(scene, rng):
    """Thin plates: a nearly clear face, a dark and a bright edge, sometimes steps or stacks."""
    brush, scale = Brush(scene.shade.shape, rng), scene.scale
    for centre in scatter(rng, scene, rng.integers(2, 16)):
        outline = _plate_outline(rng, rng.uniform(12, 48) * scale)
        lift = _direction(rng.uniform(0, 2 * np.pi)) * rng.uniform(1.0, 2.5) * scale
        for layer in range(rng.integers(1, 4)):
            corners = centre + outline * (1 - 0.2 * layer) + layer * 3 * lift
            brush.polygon(corners + lift, 1 - rng.uniform(0.35, 0.7))
            brush.polygon(corners - lift, 1 + rng.uniform(0.1, 0.35))
            brush.polygon(corners, 1 + rng.uniform(-0.12, 0.1))
            brush.line(np.vstack([corners, corners[:1]]), 1 - rng.uniform(0.2, 0.5))
        _colour(scene, rng, centre + outline, 0.05)
    brush.lay(scene, rng.uniform(0.3, 1.2) * scale)


def _box(scene, corners):
    """Slices of the pixels around `corners`, and the corners within them; None if outside."""
    height, width = scene.shade.shape
    low = np.maximum(np.floor(corners.min(0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 3, (width, height))
    if (high - low < 3).any():
        return None
    return (slice(low[1], high[1]), slice(low[0], high[0])), corners - low


def _mask(patch_shape, corners):
    mask = np.zeros(patch_shape, np.uint8)
    points = np.round(corners * 2**SHIFT).astype(np.int32)
    cv2.fillConvexPoly(mask, points, 1, cv2.LINE_8, SHIFT)
    return mask.astype(bool)


def _colour(scene, rng, corners, swing):
    """Tint a face with an interference colour between crossed polarisers."""
    found = _box(scene, corners)
    if found is None:
        return
    patch, local = found
    phase = rng.uniform(0, 2 * np.pi) + np.array([0, 2.1, 4.2])
    lights = scene.light[patch]
    inside = _mask(lights.shape[:2], local)
    lights[inside] *= (1 + swing * rng.random() * np.cos(phase)).astype(np.float32)


def _refract(scene, corners, normal, depth):
    """Show through a face what lies beside it: light is bent towards the thick side."""
    found = _box(scene, corners)
    if found is None:
        return
    patch, local = found
    shades = scene.shade[patch]
    move = np.float32([[1, 0, depth * normal[0]], [0, 1, depth * normal[1]]])
    bent = cv2.warpAffine(shades, move, shades.shape[::-1], borderMode=cv2.BORDER_REFLECT_101)
    inside = _mask(shades.shape, local)
    shades[inside] = bent[inside]


def paint_blocks(scene, rng):
    """Solid crystals: facets that bend the field behind them, dark and bright by their tilt."""
    brush, scale = Brush(scene.shade.shape, rng), scene.scale
    lamp = _direction(rng.uniform(0, 2 * np.pi))
    typical = rng.uniform(6, 26) * scale
    for centre in scatter(rng, scene, rng.integers(1, 18)):
        size = typical * rng.lognormal(0, 0.3)
        for face in projected_faces(rng, bevelled_prism(rng, size)):
            corners = centre + face.corners
            if face.normal[2] > 0:
                _refract(scene, corners, face.normal, 0.5 * size)
                _colour(scene, rng, corners, 0.05)
                brush.polygon(corners, face_transmission(face.normal, lamp))
            dark = 0.5 if face.normal[2] > 0 else 0.15
            brush.line(np.vstack([corners, corners[:1]]), 1 - dark * rng.uniform(0.6, 1))
    brush.lay(scene, rng.uniform(0.3, 1.2) * scale)


def _spherulite(rng, radius):
    """Transmission of one spherulite, shape (2 n + 1, 2 n + 1): fibres, dark core, fuzzy rim."""
    n = int(radius * 1.25) + 2
    y, x = np.mgrid[-n : n + 1, -n : n + 1].astype(np.float32)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    fibres = rng.standard_normal(181).astype(np.float32)
    fibres[-1] = fibres[0]
    fibre = np.interp((angle + np.pi) / (2 * np.pi) * 180, np.arange(181), fibres)
    edge = radius * (1 + 0.10 * fibre)
    body = np.clip((edge - r) / (0.12 * radius), 0, 1)
    cross = np.cos(2 * (angle - rng.uniform(0, np.pi))) ** 2
    depth = rng.uniform(0.25, 0.5) * (0.6 + 0.4 * r / radius) + 0.12 * fibre + 0.15 * cross
    core = 0.4 * np.exp(-((r / (0.15 * radius)) ** 2))
    return 1 - body * np.clip(depth + core, 0.05, 0.92)


def paint_spherulites(scene, rng):
    """Round bundles of fibres, brownish, with the dark cross that polarised light gives."""
    height, width = scene.shade.shape
    typical = rng.uniform(8, 40) * scene.scale
    for x, y in scatter(rng, scene, rng.integers(1, 24)):
        patch = _spherulite(rng, typical * rng.lognormal(0, 0.25))
        n = patch.shape[0] // 2
        x, y = int(x), int(y)
        if not (n <= x < width - n and n <= y < height - n):
            continue
        where = (slice(y - n, y + n + 1), slice(x - n, x + n + 1))
        taken = (1 - patch) * scene.drop[where]
        scene.crystal[where] = np.minimum(scene.crystal[where], 1 - taken)
        scene.brown[where] += 0.5 * taken
        scene.crystals[where][taken > 0.06] = 255


def paint_microcrystals(scene, rng):
    """Hundreds of tiny crystals, each a sharp dark edge round a bright middle."""
    brush, scale = Brush(scene.shade.shape, rng), max(scene.scale, 0.8)
    size = rng.uniform(2.2, 5.0) * scale
    centres = scatter(rng, scene, rng.integers(1, 4))
    for _ in range(rng.integers(80, 500)):
        spread = rng.uniform(40, 160) * scale
        middle = rng.normal(centres[rng.integers(len(centres))], spread)
        outline = _plate_outline(rng, size * rng.lognormal(0, 0.25))
        brush.polygon(middle + outline, 1 - rng.uniform(0.4, 0.85))
        brush.polygon(middle + outline * 0.45 + 0.4, 1 + rng.uniform(0.1, 0.7))
    brush.lay(scene, rng.uniform(0.3, 1.2) * scale)


PAINTERS = {
    "needles": paint_needles,
    "bundles": paint_bundles,
    "plates": paint_plates,
    "blocks": paint_blocks,
    "spherulites": paint_spherulites,
    "microcrystals": paint_microcrystals,
}


def contrast_levels(scene, blur_px):
    """Return the contrast of the painted crystals as the camera will see it.

    Parameters
    ----------
    scene : Scene
    blur_px : float
        The picture's blur, pixels.

    Returns
    -------
    float
        The 95th percentile over the truth mask, grey levels of 255; 0 without a crystal.
    """
    x, y, width, height = cv2.boundingRect(scene.crystals)
    if width == 0:
        return 0.0
    where = (slice(y, y + height), slice(x, x + width))
    seen = np.abs(cv2.GaussianBlur(scene.crystal[where] - 1, (0, 0), blur_px))
    seen *= scene.shade[where] * scene.light[where][..., 1] * 255
    return float(np.percentile(seen[scene.crystals[where] > 0], 95))


def make_visible(scene, blur_px):
    """Strengthen the crystals until their contrast reaches `VISIBLE_LEVELS`."""
    for _ in range(6):
        levels = contrast_levels(scene, blur_px)
        if levels >= VISIBLE_LEVELS:
            return
        stronger = min(4.0, 1.15 * VISIBLE_LEVELS / max(levels, 1.0))
        scene.crystal = np.clip(1 + (scene.crystal - 1) * np.float32(stronger), 0.02, 2.5)
