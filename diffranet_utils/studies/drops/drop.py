"""The drop: its outline, the dark crescents where its surface is steep, and its streaks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .scene import F32, floats

N_ANGLES = 720


@dataclass(frozen=True)
class DropShape:
    """Outline of a drop in polar coordinates, pixels.

    Attributes
    ----------
    x, y : float
        Centre.
    radii : ndarray, shape (720,), float32
        Distance of the edge for each half degree, anticlockwise on the picture's axes.
    """

    x: float
    y: float
    radii: np.ndarray

    def points(self, share=1.0):
        """Return the outline, shrunk by `share`, as an array of shape (720, 2), pixels."""
        angles = np.arange(N_ANGLES) * (2 * np.pi / N_ANGLES)
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * self.radii[:, None]
        return (ring * share + (self.x, self.y)).astype(np.float32)

    def radius_at(self, angle):
        """Return the edge's distance from the centre at `angle` (radian), pixels."""
        index = np.floor(np.asarray(angle) / (2 * np.pi) * N_ANGLES).astype(int) % N_ANGLES
        return self.radii[index]


def wobbly_radii(rng, radius, aspect, wobble):
    """Return the radii of an ellipse with low harmonics added, float32, shape (720,)."""
    angles = np.arange(N_ANGLES) * (2 * np.pi / N_ANGLES)
    turned = angles - rng.uniform(0, np.pi)
    ellipse = 1 / np.sqrt(np.cos(turned) ** 2 + (np.sin(turned) / aspect) ** 2)
    ellipse /= ellipse.mean()
    for order in range(2, 7):
        swing = wobble * rng.normal() / order**1.6
        ellipse *= 1 + swing * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    return (radius * np.clip(ellipse, 0.3, 2.0)).astype(np.float32)


def draw_shape(rng, imager, well):
    """Draw where the drop lies in the well and its outline."""
    radius = well.radius * rng.uniform(*imager.drop_radius)
    if imager.under_oil:
        offset = well.radius * rng.uniform(0.0, 0.08)
    else:  # a drop lies in the middle, or the wall of the well has drawn it to one side
        low, high = (0.0, 0.2) if rng.random() < 0.35 else (0.3, 0.65)
        offset = well.radius * rng.uniform(low, high)
    turn = rng.uniform(0, 2 * np.pi)
    radii = wobbly_radii(rng, radius, rng.uniform(0.6, 1.0), rng.uniform(0.08, 0.26))
    return DropShape(well.x + offset * np.cos(turn), well.y + offset * np.sin(turn), radii)


def steep_sides(rng, radius, soft):
    """Draw how wide and how dark the edge is for each angle.

    Parameters
    ----------
    rng : numpy.random.Generator
    radius : float
        Mean radius of the drop, pixels.
    soft : bool
        Under oil: a wide grey edge all around instead of black crescents.

    Returns
    -------
    widths, darkness : ndarray, shape (720,), float32
        Width of the shaded band in pixels; share of the light that it takes.
    """
    angles = np.arange(N_ANGLES) * (2 * np.pi / N_ANGLES)
    base = rng.uniform(0.015, 0.06) + 0.05 * soft
    widths, darkness = np.full(N_ANGLES, base), np.full(N_ANGLES, rng.uniform(0.02, 0.14))
    darkness += 0.35 * soft
    for _ in range(rng.integers(1, 4)):
        lobe = np.exp(rng.uniform(3, 14) * (np.cos(angles - rng.uniform(0, 2 * np.pi)) - 1))
        widths += rng.uniform(0.06, 0.2) * lobe
        darkness += rng.uniform(0.4, 1.1) * np.sqrt(lobe)
    return (widths * radius).astype(np.float32), np.minimum(darkness, 0.97).astype(np.float32)


def streak_noise(rng):
    """Draw radial streaks: noise that is fine in angle and long in radius.

    Returns
    -------
    ndarray, shape (720, 32), float32
        By angle and by distance over the edge's distance.
    """
    total = np.zeros((N_ANGLES, 32), np.float32)
    for n_angles, n_radii, weight in ((60, 3, 0.35), (240, 6, 0.6), (720, 10, 0.8)):
        cells = rng.standard_normal((n_angles, n_radii), dtype=np.float32)
        cells = np.concatenate([cells, cells[:1]])
        total += weight * cv2.resize(cells, (32, N_ANGLES), interpolation=cv2.INTER_LINEAR)
    bends = np.cumsum(rng.normal(0, 0.8, 32)).astype(int)
    total = np.stack([np.roll(total[:, k], bends[k]) for k in range(32)], axis=1)
    fade = np.linspace(0, 1, 32, dtype=np.float32)
    return total * np.minimum(1, 3 * fade**1.5) * (1.15 - 0.7 * fade**3)


@njit(cache=True, fastmath=True)
def _angle(x, y):
    """Angle of (x, y) from 0 to 2 pi, to 1e-5 radian, in a third of the time of arctan2.

    Odd polynomial for the arctangent on 0 to 1: Abramowitz and Stegun 4.4.47.
    """
    across, up = abs(x), abs(y)
    ratio = min(across, up) / max(max(across, up), F32(1e-9))
    s = ratio * ratio
    tail = s * (F32(0.1801410) + s * (F32(-0.0851330) + s * F32(0.0208351)))
    angle = ratio * (F32(0.9998660) + s * (F32(-0.3302995) + tail))
    if up > across:
        angle = F32(np.pi / 2) - angle
    if x < 0:
        angle = F32(np.pi) - angle
    return F32(2 * np.pi) - angle if y < 0 else angle


@njit(cache=True, fastmath=True)
def _between(values, i, j, part):
    return values[i] * (F32(1) - part) + values[j] * part


@njit(cache=True, fastmath=True)
def _fibre(streaks, across, i, j, part):
    """Streaks at `across` (0 the centre, 1 the edge), between the angles `i` and `j`."""
    u = across * F32(31)
    k = min(int(u), 30)
    v = min(u - F32(k), F32(1))
    a = streaks[i, k] * (F32(1) - v) + streaks[i, k + 1] * v
    b = streaks[j, k] * (F32(1) - v) + streaks[j, k + 1] * v
    return a * (F32(1) - part) + b * part


@njit(cache=True, fastmath=True)
def _paint(layers, centre, outline, streaks, look):
    """Paint the drop pixel by pixel; distances to the edge are measured along the normal."""
    light, shade, floor, drop = layers
    height, width = shade.shape
    x0, y0 = centre
    radii, slants, widths, darkness = outline
    amplitude, line, halo, red, green, blue = look
    one, reach = F32(1), radii.max() + F32(8)
    to_index = F32(radii.size / (2 * np.pi))
    for y in range(max(0, int(y0 - reach)), min(height, int(y0 + reach) + 1)):
        dy = F32(y) - y0
        for x in range(max(0, int(x0 - reach)), min(width, int(x0 + reach) + 1)):
            dx = F32(x) - x0
            r = np.sqrt(dx * dx + dy * dy)
            if floor[y, x] <= 0 or r > reach:
                continue
            turn = _angle(dx, dy) * to_index
            i = int(turn) % 720
            j = (i + 1) % 720
            part = turn - F32(int(turn))
            edge = _between(radii, i, j, part)
            d = (edge - r) * slants[i]
            if d < -8:
                continue
            cover = min(max(d + F32(0.5), F32(0)), one) * floor[y, x]
            drop[y, x] = cover
            dark = _between(darkness, i, j, part)
            thin = F32(0)
            if abs(d) < 5:
                thin = (F32(0.15) + dark) * np.exp(-d * d / F32(1.96))
            if d < F32(-0.5):
                shade[y, x] *= (one - line * thin) * (one + halo * np.exp(d / F32(2.5)))
                continue
            t = d / _between(widths, i, j, part)
            fade = one
            if t < 1:
                slope = one - t * t * (F32(3) - F32(2) * t)
                fade = one - dark * slope * np.sqrt(slope)
            fibre = amplitude * _fibre(streaks, r / edge, i, j, part)
            shade[y, x] *= one + cover * (fade * (one - line * thin) * (one + fibre) - one)
            light[y, x, 0] *= one + cover * (red + F32(0.6) * fibre)
            light[y, x, 1] *= one + cover * green
            light[y, x, 2] *= one + cover * (blue - F32(0.5) * fibre)


def paint_drop(scene, rng, imager):
    """Paint a drop into the scene and note its outline in ``scene.shape``."""
    shape = draw_shape(rng, imager, scene.well)
    radii = shape.radii
    slope = (np.roll(radii, -1) - np.roll(radii, 1)) / (2 * 2 * np.pi / N_ANGLES) / radii
    slants = (1 / np.sqrt(1 + slope**2)).astype(np.float32)
    widths, darkness = steep_sides(rng, radii.mean(), imager.under_oil)
    tint = rng.uniform(0, 1.3) * imager.colour_swing * np.array([-1.1, -0.25, -0.6])
    tint -= rng.uniform(0.0, 0.05)
    streak = rng.uniform(0.005, 0.020) * (0.4 if imager.under_oil else 1)
    look = (streak, rng.uniform(0.3, 0.8), rng.uniform(0.0, 0.08), *tint)
    outline = (radii, slants, widths, darkness)
    centre = (shape.x, shape.y)
    layers = (scene.light, scene.shade, scene.floor, scene.drop)
    _paint(layers, floats(centre), outline, streak_noise(rng), floats(look))
    scene.shape = shape
