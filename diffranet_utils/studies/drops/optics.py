"""The camera: focus, exposure, colour or grey, sensor noise and compression."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .scene import grain_tile

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
    """Multiply the layers; 1 / (1 + x + x^2 / 2) stands for exp(-x), in time and in looks."""
    light, shade, brown, crystal = layers
    height, width = shade.shape
    r, g, b = densities
    for y in range(height):
        for x in range(width):
            base = gain * shade[y, x] * crystal[y, x]
            density = brown[y, x]
            if density == 0:
                out[y, x, 0] = base * light[y, x, 0]
                out[y, x, 1] = base * light[y, x, 1]
                out[y, x, 2] = base * light[y, x, 2]
                continue
            out[y, x, 0] = base * light[y, x, 0] / (1 + density * r * (1 + density * r / 2))
            out[y, x, 1] = base * light[y, x, 1] / (1 + density * g * (1 + density * g / 2))
            out[y, x, 2] = base * light[y, x, 2] / (1 + density * b * (1 + density * b / 2))


@njit(cache=True, fastmath=True)
def _expose(linear, tile, amplitude, out):
    """Add noise, roll off the highlights and round to bytes."""
    height, width, _ = linear.shape
    for y in range(height):
        for x in range(width):
            for c in range(3):
                noise = amplitude * tile[(y + 37 * c) & 255, (x + 171 * c) & 255]
                level = 255 * linear[y, x, c] + noise
                if level > 225:
                    level = 225 + 30 * (1 - np.exp(-(level - 225) / 30))
                out[y, x, c] = np.uint8(min(max(level + 0.5, 0.0), 255.0))


def compressed(picture, quality, colour):
    """Return the picture as it comes back from a JPEG of `quality`; RGB uint8 in and out."""
    if colour:
        coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB)


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
    ndarray, shape (height, width, 3), uint8
        RGB; the three channels are equal for a grey camera.
    """
    linear = np.empty_like(scene.light)
    layers = (scene.light, scene.shade, scene.brown, scene.crystal)
    _compose(layers, np.float32(exposure.gain), BROWN, linear)
    taps = 2 * int(np.ceil(2.5 * exposure.blur_px)) + 1
    linear = cv2.GaussianBlur(linear, (taps, taps), exposure.blur_px, dst=linear)
    picture = np.empty(linear.shape, np.uint8)
    _expose(linear, grain_tile(rng, 0.6, 256), np.float32(exposure.noise), picture)
    return compressed(picture, exposure.quality, exposure.colour)
