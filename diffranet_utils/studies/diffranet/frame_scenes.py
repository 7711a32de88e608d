"""What a frame shows besides Bragg spots: scattering behind the sample, shadows, streaks, and stray
counts.

Everything here is to be ignored by a screener. Each part is drawn by itself, so that a frame may
hold any of them.
"""

import numpy as np

from diffranet_utils.studies.diffranet.frame_detectors import log_uniform
from diffranet_utils.studies.diffranet.frame_spots import paint, ring_spots

STYLES = ("protein", "small angle", "powder", "grazing incidence", "even")


def polar(geometry, shape):
    """Radius in pixels from the direct beam, and the angle, of each pixel; float32."""
    y = (np.arange(shape[0], dtype=np.float32) + 0.5 - np.float32(geometry.beam_slow_px))[:, None]
    x = (np.arange(shape[1], dtype=np.float32) + 0.5 - np.float32(geometry.beam_fast_px))[None]
    return np.hypot(y, x), np.arctan2(y, x)


def background(style, radius, angle, mean, rng):
    """Expected photons of a style of scattering, with a mean over the frame.

    Parameters
    ----------
    style : str
        One of `STYLES`.
    radius, angle : ndarray, shape (n_slow, n_fast), float32
        From `polar`.
    mean : float
        Photons per pixel.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, same shape, float32
    """
    reach = float(radius.max())
    curve = np.arange(int(reach) + 3, dtype=np.float64)  # a radial curve, one value a pixel
    light = _radial(style, curve, reach, rng)
    image = np.interp(radius, curve, light).astype(np.float32)
    if style == "grazing incidence" or rng.random() < 0.15:
        image *= 1 + np.float32(rng.uniform(0, 0.95)) * np.cos(
            2 * (angle - np.float32(rng.uniform(0, 6.3)))
        )
    if style == "grazing incidence":
        _horizon(image, radius, angle, rng)
    return image * np.float32(mean / max(float(image.mean()), 1e-12))


def _radial(style, r, reach, rng):
    x = r / reach
    if style == "even":
        return np.ones_like(r)
    if style == "small angle":
        start = rng.uniform(0.005, 0.1)
        light = 1 / (1 + (x / start) ** rng.uniform(2, 4)) + log_uniform(rng, 1e-5, 1e-2)
    else:
        peak, width = rng.uniform(0.2, 0.7), rng.uniform(0.05, 0.25)
        light = (
            np.exp(-(((x - peak) / width) ** 2))
            + rng.uniform(0.1, 2) * np.exp(-x / rng.uniform(0.05, 0.4))
            + 0.1
        )
    if style in ("small angle", "powder") or rng.random() < 0.15:
        for _ in range(rng.integers(1, 12 if style == "powder" else 5)):
            light *= 1 + log_uniform(rng, 0.05, 30) * _ring(r, reach, rng)
    return light


def _ring(r, reach, rng):
    """One smooth ring, from a sharp line to a halo."""
    return np.exp(
        -(((r - rng.uniform(0.02, 0.95) * reach) / log_uniform(rng, 0.8, 0.03 * reach)) ** 2) / 2
    )


def _horizon(image, radius, angle, rng):
    """The sample's shadow below its horizon, and the rod of reflections above the beam."""
    height = radius * np.sin(angle)
    image[height > rng.uniform(-0.02, 0.05) * radius.max()] *= np.float32(
        log_uniform(rng, 1e-4, 0.3)
    )
    rod = np.abs(radius * np.cos(angle)) < log_uniform(rng, 0.7, 6)
    image[rod] *= np.float32(log_uniform(rng, 2, 100))
    band = np.exp(
        -(((height / radius.max() + rng.uniform(0.02, 0.2)) / log_uniform(rng, 0.002, 0.02)) ** 2)
    )
    image *= 1 + np.float32(log_uniform(rng, 0.5, 20)) * band


def shadows(image, radius, angle, rng):
    """Beamstop, arm, the round opening of a chamber, a pin or a corner; in place.

    Parameters
    ----------
    image, radius, angle : ndarray, shape (n_slow, n_fast), float32
    rng : numpy.random.Generator
    """
    diagonal = float(np.hypot(*image.shape))
    passes = np.float32(0 if rng.random() < 0.3 else log_uniform(rng, 1e-4, 0.3))
    if rng.random() < 0.8:
        stop = rng.uniform(0.005, 0.06) * diagonal
        image[radius < stop] *= passes
    if rng.random() < 0.5:
        across = radius * np.sin(angle - np.float32(rng.uniform(0, 6.3)))
        ahead = radius * np.cos(angle - np.float32(rng.uniform(0, 6.3))) > 0
        image[(np.abs(across) < rng.uniform(0.002, 0.02) * diagonal) & ahead] *= passes
    if rng.random() < 0.15:
        image[radius > rng.uniform(0.3, 0.8) * diagonal] *= np.float32(log_uniform(rng, 1e-3, 0.5))
    if rng.random() < 0.15:
        side = np.float32(rng.uniform(0, 6.3))
        image[radius * np.cos(angle - side) > rng.uniform(0.05, 0.5) * diagonal] *= np.float32(
            rng.uniform(0.02, 0.8)
        )


def flare(image, radius, angle, rng):
    """Parasitic scattering around the beam: a star of slits, a halo, or the direct beam itself; in
    place.
    """
    level = float(image.mean()) + 0.1
    reach = log_uniform(rng, 3, 0.1 * float(np.hypot(*image.shape)))
    near = radius < 6 * reach
    glow = np.exp(-radius[near] / reach) * log_uniform(rng, 1, 1e4) * level
    if rng.random() < 0.6:
        glow *= np.abs(np.cos(angle[near] - rng.uniform(0, 6.3))) ** log_uniform(rng, 2, 200)
    if rng.random() < 0.3:  # speckle of a rough edge
        glow *= rng.exponential(1, glow.shape)
    image[near] += glow.astype(np.float32)


def streaks(image, geometry, rng):
    """Radial streaks, as of a wide spectrum or of crystal edges; in place."""
    level = float(image.mean()) + 0.2
    for _ in range(rng.integers(1, 8)):
        turn, start = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.4) * np.hypot(*image.shape)
        length = log_uniform(rng, 10, 300)
        along = start + np.arange(0, length, 0.5)
        rows = (geometry.beam_slow_px + along * np.sin(turn)).astype(int)
        columns = (geometry.beam_fast_px + along * np.cos(turn)).astype(int)
        on = (
            (rows >= 0)
            & (columns >= 0)
            & (rows < image.shape[0] - 1)
            & (columns < image.shape[1] - 1)
        )
        profile = (
            np.exp(-(np.linspace(-1.5, 1.5, len(along)) ** 2))[on]
            * log_uniform(rng, 1, 50)
            * np.sqrt(level + 1)
        )
        for step in range(rng.integers(1, 3)):
            image[rows[on], columns[on] + step] += profile.astype(np.float32)


def spotty_rings(image, geometry, rng):
    """Grains on rings, in place."""
    spots = ring_spots(geometry, image.shape, rng)
    height = log_uniform(rng, 3, 300) * np.sqrt(float(np.median(image)) + 0.3)
    spots.photons[:] *= height * 2 * np.pi * spots.long_px * spots.short_px
    paint(image, spots)


def zingers(values, gain, rng):
    """Charge of cosmic rays and of radioactive traces: one to a few pixels, or a straight track; in
    place.

    They come after the point spread, which is that of light or of X-rays.

    Parameters
    ----------
    values : ndarray, shape (n_slow, n_fast), float32
        What the detector writes.
    gain : float
        Of one photon.
    rng : numpy.random.Generator
    """
    for _ in range(rng.poisson(log_uniform(rng, 0.5, 250))):
        row, column = (rng.uniform(0, n) for n in values.shape)
        length = 0.0 if rng.random() < 0.65 else log_uniform(rng, 1.5, 40)
        turn, height = rng.uniform(0, 2 * np.pi), log_uniform(rng, 5, 3000) * gain
        step = np.arange(0, length + 1e-9, 0.5)
        rows, columns = (
            (row + step * np.sin(turn)).astype(int),
            (column + step * np.cos(turn)).astype(int),
        )
        if length == 0 and rng.random() < 0.6:
            rows = np.concatenate([rows, rows + rng.integers(-1, 2, 2)])
            columns = np.concatenate([columns, columns + rng.integers(-1, 2, 2)])
        on = (rows >= 0) & (columns >= 0) & (rows < values.shape[0]) & (columns < values.shape[1])
        values[rows[on], columns[on]] += np.float32(height) * rng.uniform(0.15, 1, on.sum()).astype(
            np.float32
        )


def hot_pixels(values, edges, gain, rng):
    """Hot pixels, small clusters, parts of lines, and bright edges of modules, that no mask knows;
    in place.

    Parameters
    ----------
    values : ndarray, shape (n_slow, n_fast), float32
    edges : ndarray, same shape, bool
        Pixels beside a gap.
    gain : float
    rng : numpy.random.Generator
    """
    n_slow, n_fast = values.shape
    for _ in range(rng.poisson(log_uniform(rng, 0.2, 300))):
        row, column = rng.integers(n_slow), rng.integers(n_fast)
        tall, wide = (1, 1) if rng.random() < 0.85 else rng.integers(1, 4, 2)
        values[row : row + tall, column : column + wide] += np.float32(
            log_uniform(rng, 3, 1e5) * gain
        )
    if rng.random() < 0.15:
        row, column, length = (
            rng.integers(n_slow),
            rng.integers(n_fast),
            int(rng.integers(5, n_slow)),
        )
        values[row : row + length, column] += np.float32(log_uniform(rng, 2, 300) * gain)
    if rng.random() < 0.3:
        values[edges] *= np.float32(rng.uniform(1.1, 3))
