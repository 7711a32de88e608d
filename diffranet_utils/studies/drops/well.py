"""The plate: lit field, floor of the well, its bright rim, dark wall and what lies outside."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .scene import F32, floats, grain_tile, smooth_noise

PINK = np.array([1.0, -0.55, 0.35], np.float32)
"""Direction of the pink-to-green drift in red, green and blue."""


@dataclass(frozen=True)
class Well:
    """Geometry of the well, pixels.

    Attributes
    ----------
    x, y : float
        Centre of the floor.
    radius : float
        Half-width of the floor.
    corner : float
        Radius of its corners.
    flat : float
        Distance from the centre at which the lower edge is cut straight.
    """

    x: float
    y: float
    radius: float
    corner: float
    flat: float


def paint_light(scene, rng, imager):
    """Fill the scene with the lamp's light: drifting colour, uneven brightness, dark corners."""
    height, width = scene.shade.shape
    small = (height // 16, width // 16)
    drift = smooth_noise(rng, small, rng.uniform(0.9, 2.0)) + 0.25 * smooth_noise(rng, small, 5)
    level = 1 + imager.gradient * smooth_noise(rng, small, 1.5)
    y, x = np.mgrid[-1 : 1 : small[0] * 1j, -1 : 1 : small[1] * 1j].astype(np.float32)
    tilt = rng.uniform(0, 2 * np.pi)
    level += imager.gradient * (x * np.cos(tilt) + y * np.sin(tilt))
    level -= imager.vignette * 0.5 * (x * x + y * y)
    mean = rng.normal(0, 0.5) * imager.colour_swing
    hue = imager.colour_swing * drift + mean
    colour = np.asarray(imager.lamp, np.float32) + hue[..., None] * PINK
    light = (colour * level[..., None] * rng.uniform(0.88, 1.08)).astype(np.float32)
    cv2.resize(light, (width, height), scene.light, interpolation=cv2.INTER_LINEAR)


@njit(cache=True, fastmath=True)
def _distance(dx, dy, half, corner, flat):
    """Signed distance to a square with round corners cut off below, the joints rounded; < 0
    inside.
    """
    none = F32(0)
    qx, qy = abs(dx) - (half - corner), abs(dy) - (half - corner)
    beyond = np.sqrt(qx * qx + qy * qy) if qx > none and qy > none else max(qx, qy)
    a = beyond - corner
    b = dy - flat
    joint = F32(0.12) * half
    apart = abs(a - b)
    if apart >= joint:
        return max(a, b)
    blend = F32(1) - apart / joint
    return max(a, b) + blend * blend * F32(0.03) * half


@njit(cache=True, fastmath=True)
def _step(t):
    t = min(max(t, F32(0)), F32(1))
    return t * t * (F32(3) - F32(2) * t)


@njit(cache=True, fastmath=True)
def _inside(d, e, noise, half, rim, look):
    """Transmission of the floor at depth `-d` below its edge, `-e` below that of its shadow."""
    crescent, haze = rim[5], look[4]
    deep = F32(1) + d / (F32(0.4) * half)
    fade = F32(1) + haze * noise * deep * deep
    if d > F32(-0.12) * half:
        shadow = F32(0.7) + F32(0.3) * _step(e / F32(40))
        fade *= F32(1) - crescent * _step((e + F32(0.5)) / F32(9)) * shadow
        fade -= F32(0.10) * np.exp(d / F32(14))
    return fade


@njit(cache=True, fastmath=True)
def _wall(far, bright, noise, look):
    """Transmission of the wall, whose rough outer edge is at distance `-far`."""
    black, rough, speckle, soft, _ = look
    reach = rough + F32(12)
    near_edge = F32(0)
    if abs(far) < F32(6) * reach:
        near_edge = np.exp(-abs(far) / reach)
    out = _step((far + rough * noise * F32(0.35)) / soft + F32(0.5))
    wall = black + speckle * max(noise, F32(0)) * (F32(0.25) + near_edge)
    wall = max(wall, bright)
    return wall + (F32(1) - wall) * out


@njit(cache=True, fastmath=True)
def _paint(layers, tile, inner, outer, rim, look):
    """Paint floor, crescent, rim, wall and its rough outer edge, pixel by pixel."""
    light, shade, floor = layers
    height, width = shade.shape
    x0, y0, half, corner, flat = inner
    x1, y1, half1, corner1, flat1 = outer
    rim_width, rim_x, rim_y, shift_x, shift_y, _ = rim
    one, middle = F32(1), F32(0.42) * half  # a square that lies deeper than any shading reaches
    for y in range(height):
        dy = F32(y) - y0
        for x in range(width):
            dx = F32(x) - x0
            if abs(dx) < middle and abs(dy) < middle:
                floor[y, x] = one
                continue
            d = _distance(dx, dy, half, corner, flat)
            noise = tile[y & 255, x & 255]
            floor[y, x] = min(max(F32(0.5) - d, F32(0)), one)
            if d < F32(-0.4) * half:
                continue
            if d < 0:
                e = _distance(dx - shift_x, dy - shift_y, half, corner, flat)
                shade[y, x] *= _inside(d, e, noise, half, rim, look)
                continue
            bright = F32(0)
            if d < rim_width:
                around = np.sqrt(dx * dx + dy * dy) + F32(1e-3)
                side = F32(0.5) + F32(0.5) * (dx * rim_x + dy * rim_y) / around
                crest = np.sin(F32(3.1416) * d / rim_width)
                bright = (F32(0.45) + F32(0.55) * side) * crest * crest
                light[y, x, 0] *= F32(1.15) - F32(0.35) * side
                light[y, x, 1] *= F32(0.78) + F32(0.22) * side
                light[y, x, 2] *= F32(0.78) + F32(0.05) * side
            far = _distance(F32(x) - x1, F32(y) - y1, half1, corner1, flat1)
            shade[y, x] *= _wall(far, bright, noise, look)


def _rim(rng, scale, radius):
    """Draw the rim's width, the side on which it is bright, and the wall's dark crescent."""
    lit, lean = rng.uniform(0, 2 * np.pi, 2)
    lean_px = radius * rng.uniform(0.02, 0.08)
    return (
        rng.uniform(8, 20) * scale,
        np.cos(lit),
        np.sin(lit),
        lean_px * np.cos(lean),
        lean_px * np.sin(lean),
        rng.uniform(0.45, 0.85),
    )


def paint_well(scene, rng, imager):
    """Paint the plate's well into the scene and note its geometry in ``scene.well``."""
    height, width = scene.shade.shape
    scale = scene.scale
    radius = imager.well_radius * height * rng.uniform(0.97, 1.03)
    flat = radius * (rng.uniform(0.9, 0.97) if rng.random() < imager.flat_bottom else 2.0)
    x, y = np.array([width, height]) * (0.5 + rng.normal(0, [0.02, 0.012]))
    scene.well = Well(x, y, radius, imager.well_corner * radius, flat)
    rough = rng.choice([1.0, 12.0], p=[0.65, 0.35]) * scale
    outer_half = radius + imager.wall_width * height
    outer_corner = outer_half * rng.uniform(0.8, 1.0) * min(1.0, imager.well_corner + 0.25)
    outer = (*(rng.normal([x, y], 4 * scale)), outer_half, outer_corner, 4.0 * outer_half)
    look = (
        rng.uniform(0.03, 0.06) * (3 if imager.under_oil else 1),
        rough,
        0.02 + 0.07 * (rough > 5 * scale),
        (4 + 34 * (rough > 5 * scale)) * scale,
        rng.uniform(0.006, 0.018),
    )
    tile = grain_tile(rng, 1.6 * scale, 256)
    inner = (x, y, radius, scene.well.corner, flat)
    rim = _rim(rng, scale, radius)
    layers = (scene.light, scene.shade, scene.floor)
    _paint(layers, tile, floats(inner), floats(outer), floats(rim), floats(look))
