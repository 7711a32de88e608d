"""The camera: focus, exposure, colour or grey, sensor noise and compression."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .scene import F32, grain_tile

BROWN = (0.45, 0.72, 1.0)
"""Density of brown matter in red, green and blue over that in blue."""


@dataclass(frozen=True)
class Exposure:
    """How one picture is taken.

    Attributes
    ----------
    blur_px : float
        Standard deviation of the blur, pixels.
    gain : float
        Factor on all light.
    noise : float
        Standard deviation of the noise, grey levels of 255.
    quality : int
        JPEG quality.
    colour : bool
    """

    blur_px: float
    gain: float
    noise: float
    quality: int
    colour: bool


def draw_exposure(rng, imager):
    """Draw the settings of a picture in focus and well lit."""
    low, high = imager.jpeg_quality
    return Exposure(
        blur_px=rng.uniform(*imager.blur_px),
        gain=1.0,
        noise=imager.noise * rng.uniform(0.7, 1.3),
        quality=int(rng.integers(low, high + 1)),
        colour=imager.colour,
    )


@njit(cache=True, fastmath=True)
def _compose(layers, gain, densities, out):
    """Multiply the layers into blue, green, red; 1 / (1 + x + x^2 / 2) stands for exp(-x)."""
    light, shade, brown, crystal = layers
    height, width = shade.shape
    r, g, b = densities
    for y in range(height):
        for x in range(width):
            base = gain * shade[y, x] * crystal[y, x]
            density = brown[y, x]
            if density == 0:
                out[y, x, 2] = base * light[y, x, 0]
                out[y, x, 1] = base * light[y, x, 1]
                out[y, x, 0] = base * light[y, x, 2]
                continue
            out[y, x, 2] = base * light[y, x, 0] / (1 + density * r * (1 + density * r / 2))
            out[y, x, 1] = base * light[y, x, 1] / (1 + density * g * (1 + density * g / 2))
            out[y, x, 0] = base * light[y, x, 2] / (1 + density * b * (1 + density * b / 2))


@njit(cache=True, fastmath=True)
def _expose(linear, tile, amplitude, out):
    """Add noise, roll off the highlights and round to bytes."""
    white, knee, room = F32(255), F32(225), F32(30)
    height, width, _ = linear.shape
    for y in range(height):
        for x in range(width):
            for c in range(3):
                noise = amplitude * tile[(y + 37 * c) & 255, (x + 171 * c) & 255]
                level = white * linear[y, x, c] + noise
                if level > knee:
                    level = knee + room * (F32(1) - np.exp((knee - level) / room))
                out[y, x, c] = np.uint8(min(max(level + F32(0.5), F32(0)), white))


def compressed(picture, quality, colour):
    """Return the bytes of a JPEG of `quality`, grey or in colour.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
        Blue, green, red.
    quality : int
    colour : bool

    Returns
    -------
    bytes
    """
    seen = picture if colour else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def take_picture(scene, rng, exposure):
    """Return the scene as the camera sees it.

    Parameters
    ----------
    scene : Scene
    rng : numpy.random.Generator
        Draws the sensor's noise.
    exposure : Exposure

    Returns
    -------
    bytes
        A JPEG, grey for a grey camera.
    """
    linear = np.empty_like(scene.light)
    layers = (scene.light, scene.shade, scene.brown, scene.crystal)
    _compose(layers, F32(exposure.gain), BROWN, linear)
    taps = 2 * int(np.ceil(2.5 * exposure.blur_px)) + 1
    linear = cv2.GaussianBlur(linear, (taps, taps), exposure.blur_px, dst=linear)
    picture = np.empty(linear.shape, np.uint8)
    _expose(linear, grain_tile(rng, 0.6, 256), F32(exposure.noise), picture)
    return compressed(picture, exposure.quality, exposure.colour)
