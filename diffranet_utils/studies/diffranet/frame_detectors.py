"""Detectors drawn at random, by family, and what each writes of the photons that reach it.

A family has the sizes, pixels, point spread, noise and marks for bad pixels that its kind is known
for. A screener is trained on some families and tested on one that it has not met.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from diffranet_utils.core.errors import require

PILATUS_MODULE, EIGER_MODULE = (195, 487), (514, 1030)


@dataclass(frozen=True)
class Family:
    """One kind of detector.

    Parameters
    ----------
    shapes : tuple of (int, int)
    pixels_mm : tuple of float
    dtypes : tuple of str
        What it writes.
    counting : bool
        Whether every count is a photon.
    module : (int, int) or None
        Rows and columns of its modules; None where it is drawn.
    spread_px : (float, float)
        Range of the standard deviation of the point spread.
    offset, read_noise, gain : (float, float)
        Ranges, in what it writes; `gain` is for one photon.
    """

    shapes: tuple
    pixels_mm: tuple
    dtypes: tuple
    counting: bool = False
    module: tuple | None = None
    spread_px: tuple = (0.0, 0.0)
    offset: tuple = (0.0, 0.0)
    read_noise: tuple = (0.0, 0.0)
    gain: tuple = (1.0, 1.0)


FAMILIES = {
    "silicon modules": Family(
        ((195, 487), (407, 487), (619, 487), (1043, 981), (1679, 1475), (2527, 2463)),
        (0.172,), ("int32", "int32", "uint32"), True, PILATUS_MODULE, (0.0, 0.35),
    ),
    "small pixels": Family(
        ((256, 256), (512, 512), (514, 1030), (1065, 1030), (2167, 2070), (4371, 4150)),
        (0.055, 0.075), ("uint16", "uint32", "int32", "float32"), True, EIGER_MODULE, (0.0, 0.5),
    ),
    "fibre-coupled": Family(
        ((512, 512), (1024, 1024), (1152, 1152), (2048, 2048), (1300, 1340), (3072, 3072),
            (4096, 4096)),
        (0.024, 0.05, 0.073, 0.079, 0.1, 0.16), ("uint16",), False, None, (0.5, 1.4), (5, 1200),
        (1.5, 12), (0.3, 6),
    ),
    "image plate": Family(
        ((1200, 1200), (1600, 1600), (2300, 2300), (3450, 3450)),
        (0.1, 0.15, 0.345), ("uint16", "int32"), False, None, (0.5, 1.2), (0, 40), (0.5, 5),
        (0.5, 3),
    ),
    "flat panel": Family(
        ((512, 512), (1024, 1024), (2048, 2048), (2880, 2880)),
        (0.1, 0.15, 0.2, 0.4), ("uint16", "uint16", "float32"), False, None, (0.4, 1.5), (0, 2500),
        (2, 30), (0.5, 10),
    ),
    "integrating tiles": Family(
        ((185, 194), (185, 388), (370, 388), (512, 1024), (1024, 1024), (1480, 1552), (2068, 2162)),
        (0.075, 0.11, 0.2), ("float32", "int16", "float32", "uint16"), False, None, (0.0, 0.4),
        (0, 60), (0.3, 10), (1, 60),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class DrawnDetector:
    """One detector of a family.

    Parameters
    ----------
    family : str
    shape : (int, int)
    pixel_mm : float
    dtype : str
    counting : bool
    spread_px, offset, read_noise, gain : float
    response_rms, pattern : float
        Spread of the pixels' response, and of an offset that is left in each pixel, in what it
        writes.
    gap, bad : ndarray, shape (n_slow, n_fast), bool
        Insensitive pixels between modules, and broken ones that a mask knows.
    edges : ndarray, shape (n_slow, n_fast), bool
        Pixels beside a gap.
    """

    family: str
    shape: tuple
    pixel_mm: float
    dtype: str
    counting: bool
    spread_px: float
    offset: float
    read_noise: float
    gain: float
    response_rms: float
    pattern: float
    gap: np.ndarray
    bad: np.ndarray
    edges: np.ndarray

    def noise_photons(self, photons):
        """Noise of a pixel besides that of counting, in photons, where `photons` are expected."""
        if self.counting:
            return np.zeros_like(photons)
        return np.hypot(
            np.hypot(self.read_noise, self.pattern) / self.gain, self.response_rms * photons
        )


def log_uniform(rng, low, high):
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_detector(rng, family=None, largest=None):
    """Draw a detector; large ones come less often.

    Parameters
    ----------
    rng : numpy.random.Generator
    family : str, optional
        Key of `FAMILIES`.
    largest : int, optional
        Leave out detectors of more pixels.

    Returns
    -------
    DrawnDetector

    Raises
    ------
    InputError
        If there is no such family.
    """
    family = family or str(rng.choice(list(FAMILIES)))
    require(family in FAMILIES, f"Unknown family {family!r}: choose one of {', '.join(FAMILIES)}.")
    kind = FAMILIES[family]
    shapes = [s for s in kind.shapes if largest is None or s[0] * s[1] <= largest] or [
        kind.shapes[0]
    ]
    weight = np.array([(s[0] * s[1]) ** -0.6 for s in shapes])
    shape = shapes[rng.choice(len(shapes), p=weight / weight.sum())]
    if rng.random() < 0.3:
        shape = shape[::-1]
    gap = _gaps(shape, kind, rng)
    edges = ndimage.binary_dilation(gap) & ~gap
    bad = gap | (rng.random(shape, np.float32) < log_uniform(rng, 1e-7, 3e-4))
    values = [rng.uniform(*kind.spread_px), rng.uniform(*kind.offset)]
    noise = [
        log_uniform(rng, *limits) if limits[0] else 0.0 for limits in (kind.read_noise, kind.gain)
    ]
    noise += [log_uniform(rng, 0.001, 0.03), noise[0] * rng.uniform(1, 8) * (rng.random() < 0.15)]
    pixel, dtype = float(rng.choice(kind.pixels_mm)), str(rng.choice(kind.dtypes))
    return DrawnDetector(
        family, shape, pixel, dtype, kind.counting, *values, *noise, gap, bad, edges
    )


def _gaps(shape, kind, rng):
    """Lines between modules; none on a detector of one piece."""
    gap = np.zeros(shape, bool)
    if kind.module is None and rng.random() < 0.6:
        return gap
    module = kind.module or tuple(rng.integers(120, 600, 2))
    for axis, (n, size) in enumerate(zip(shape, module, strict=True)):
        width = int(rng.integers(1, 38))
        lines = np.arange(n) % (size + width) >= size
        gap |= lines[:, None] if axis == 0 else lines[None]
    return gap


def read_out(photons, detector, rng):
    """What the detector writes of an expected image.

    Parameters
    ----------
    photons : ndarray, shape (n_slow, n_fast), float32
        Expected photons, not below zero.
    detector : DrawnDetector
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, same shape, float32
    """
    if detector.spread_px < 0.2:
        values = draw_counts(photons, rng)
    elif detector.counting:
        values = draw_counts(_blurred(photons, detector.spread_px), rng)
    else:  # a photon's light spreads over pixels, whose noise is then alike
        values = _blurred(draw_counts(photons, rng), detector.spread_px)
    values *= detector.gain
    if not detector.counting:
        values *= _response(detector, rng)
        values += _pedestal(detector, rng)
    return values


def _blurred(image, spread_px):
    reach = int(np.ceil(3 * spread_px))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * spread_px**2)).astype(np.float32)
    return ndimage.convolve1d(
        ndimage.convolve1d(image, kernel / kernel.sum(), 0), kernel / kernel.sum(), 1
    )


def draw_counts(expected, rng):
    """Photons: Poisson where few, and from 50 on the normal distribution that it approaches.

    Returns
    -------
    ndarray, like `expected`, float32
    """
    if float(expected.max(initial=0)) < 50:
        return rng.poisson(expected).astype(np.float32)
    found = expected + np.sqrt(expected) * rng.standard_normal(expected.shape, np.float32)
    found = np.rint(np.maximum(found, 0))
    low = expected < 50
    found[low] = rng.poisson(expected[low])
    return found.astype(np.float32)


def _response(detector, rng):
    """Relative response of each pixel and of each piece."""
    rms = detector.response_rms
    return (
        1
        + np.float32(rms) * rng.standard_normal(detector.shape, np.float32)
        + _pieces(detector, rng, rms)
    )


def _pieces(detector, rng, level):
    """A level for each piece of the detector."""
    size = rng.integers(90, 600, 2)
    rows, columns = (np.arange(n) // s for n, s in zip(detector.shape, size, strict=True))
    values = rng.normal(0, level, (rows.max() + 1, columns.max() + 1)).astype(np.float32)
    return values[rows[:, None], columns]


def _pedestal(detector, rng):
    """Offset, read noise, levels of rows and pieces, and now and then an uncorrected pattern of
    pixels.
    """
    noise = detector.read_noise
    pedestal = np.float32(noise) * rng.standard_normal(detector.shape, np.float32)
    pedestal += rng.normal(0, noise * rng.uniform(0, 0.3), (detector.shape[0], 1)).astype(
        np.float32
    )
    pedestal += _pieces(detector, rng, noise * rng.uniform(0, 1))
    if detector.pattern:
        pedestal += np.float32(detector.pattern) * rng.standard_normal(detector.shape, np.float32)
    subtracted = detector.dtype in ("float32", "int16") and rng.random() < 0.7
    return pedestal + (0 if subtracted else np.float32(detector.offset))


def write_values(values, detector, rng):
    """Values as numbers of the detector's type, with its marks in gaps and bad pixels.

    Parameters
    ----------
    values : ndarray, shape (n_slow, n_fast), float32
    detector : DrawnDetector
    rng : numpy.random.Generator

    Returns
    -------
    frame : ndarray, same shape, of the detector's type
    declared : ndarray, same shape, bool, or None
        Bad pixels as a file declares them, if it does.
    """
    dtype = np.dtype(detector.dtype)
    if dtype.kind == "f":
        frame, mark = values.astype(dtype), rng.choice([np.nan, 0.0, -1.0])
    else:
        info = np.iinfo(dtype)
        top = min(info.max, 2**20) - (dtype.kind == "u")
        lowest = 0 if detector.counting or dtype.kind == "u" else info.min
        frame = np.clip(np.rint(values), lowest, top).astype(dtype)
        mark = rng.choice([0, -1, -2]) if dtype.kind == "i" else rng.choice([0, info.max])
    declared = rng.random() < 0.6 or (mark <= 0 and not detector.counting)
    frame[detector.bad] = mark
    return frame, detector.bad if declared else None
