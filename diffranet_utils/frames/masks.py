"""Which pixels of a real frame count nothing: gaps, overloads, hot and dead pixels, the beamstop's
shadow.
"""

from enum import IntEnum
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import formats as frame_formats

HOT_RATIO = 10.0  # the sharpest Bragg spots seen on a PILATUS are 4 times their brightest neighbour
DEAD_BELOW = 16.0  # at this mean, a Poisson zero comes once in nine million pixels
BLOCK = 8
SHADOW = 0.5


class Flag(IntEnum):
    """Why a pixel is not usable; zero means that it is."""

    USABLE = 0
    GAP = 1
    OVERLOAD = 2
    HOT = 3
    DEAD = 4
    BEAMSTOP = 5

    @property
    def title(self):
        """Name as printed in tables and figures."""
        return self.name.lower()


def flag_values(image):
    """Flag the pixels whose value alone gives them away.

    Parameters
    ----------
    image : image.RawImage

    Returns
    -------
    ndarray, shape (n_slow, n_fast), uint8
        `Flag` values.
    """
    counts, (low, high) = image.counts, image.limits()
    flags = np.zeros(counts.shape, np.uint8)
    flags[counts > high] = Flag.OVERLOAD
    gap = ~(counts >= low) | np.isinf(counts)  # NaN is neither
    flags[gap if image.bad is None else gap | image.bad] = Flag.GAP
    return flags


def flag_pixels(data, flags):
    """Add hot and dead pixels to `flags`, in place.

    A hot pixel exceeds ten times the brightest of its eight neighbours, which no spot does; a dead
    one is zero where its surroundings count well.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast), float32
        Counts, zero where flagged.
    flags : ndarray, shape (n_slow, n_fast), uint8
    """
    usable = flags == 0
    if not usable.any():
        return
    mean = float(data[usable].mean())
    slow, fast = np.nonzero(data > HOT_RATIO * max(mean, 1.0))
    # An overloaded pixel is no sign of a dark neighbourhood.
    around = _neighbours(np.where(flags == Flag.OVERLOAD, np.inf, data), slow, fast)
    hot = data[slow, fast] > HOT_RATIO * np.maximum(around.max(axis=0), max(mean, 1.0))
    flags[slow[hot], fast[hot]] = Flag.HOT
    means, share = block_mean(data, usable, BLOCK)
    bright = (means > DEAD_BELOW) & (share > 0.25)
    if bright.any():
        near = np.zeros(data.shape, bool)
        spread = bright.repeat(BLOCK, 0).repeat(BLOCK, 1)
        near[: spread.shape[0], : spread.shape[1]] = spread
        flags[near & usable & (data == 0)] = Flag.DEAD


def _neighbours(data, slow, fast):
    """Values of the eight neighbours, shape (8, n); zero beyond the edge."""
    padded = np.pad(data, 1)
    steps = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    return np.stack([padded[slow + i, fast + j] for i, j in steps])


def block_mean(data, usable, factor):
    """Mean over the usable pixels of each block.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast), float
    usable : ndarray, shape (n_slow, n_fast), bool
    factor : int
        Edge of a block, pixels. Rows and columns that fill no block are left out.

    Returns
    -------
    mean : ndarray, shape (n_slow // factor, n_fast // factor), float32
        Zero where no pixel is usable.
    share : ndarray, same shape, float32
        Usable share of the block, 0 to 1; ``mean * share * factor**2`` is the sum of the usable
        counts.
    """
    rows, columns = (n // factor for n in data.shape)
    inside = np.s_[: rows * factor, : columns * factor]
    blocks = (rows, factor, columns, factor)
    n = usable[inside].reshape(blocks).sum(axis=(1, 3), dtype=np.int32)
    total = (
        np.where(usable[inside], data[inside], 0).reshape(blocks).sum(axis=(1, 3), dtype=np.float64)
    )
    return (total / np.maximum(n, 1)).astype(np.float32), (n / factor**2).astype(np.float32)


def find_beamstop(data, usable, beam_fast_px, beam_slow_px):
    """Find the shadow around the direct beam: connected pixels at less than half of what their ring
    counts.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast), float32
    usable : ndarray, shape (n_slow, n_fast), bool
    beam_fast_px, beam_slow_px : float
        Direct beam, pixels.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), bool
        Empty where the beam meets no shadow.
    """
    mean, share = block_mean(data, usable, BLOCK)
    slow, fast = np.indices(mean.shape) + 0.5
    radius = np.hypot(slow - beam_slow_px / BLOCK, fast - beam_fast_px / BLOCK)
    seen = share > 0.25
    level = _ring_level(mean, radius.astype(int), seen)
    dark = seen & (mean < SHADOW * level) & (level > 0.1)
    # Module gaps must not cut the shadow in two.
    from scipy import ndimage  # slow to load, and no screener needs it

    labels, _ = ndimage.label(ndimage.binary_closing(dark | ~seen & (radius < 8), iterations=1))
    near = np.unique(labels[(radius < 4) & dark])
    shadow = np.isin(labels, near[near > 0]) & dark
    shadow = ndimage.binary_dilation(shadow, iterations=1).repeat(BLOCK, 0).repeat(BLOCK, 1)
    found = np.zeros(data.shape, bool)
    found[: shadow.shape[0], : shadow.shape[1]] = shadow
    return found


def _ring_level(mean, ring, seen):
    """Median of each one-block ring, never below that of the rings farther out, so that a shadow
    cannot hide itself.
    """
    order = np.argsort(ring[seen], kind="stable")
    values, rings = mean[seen][order], ring[seen][order]
    starts = np.searchsorted(rings, np.arange(ring.max() + 2))
    medians = [
        np.median(values[a:b]) if b > a else 0.0 for a, b in zip(starts, starts[1:], strict=False)
    ]
    return np.maximum.accumulate(np.array(medians)[::-1])[::-1][ring]


def fill_masked(image, mask):
    """Replace masked pixels by their mirror image across the nearest usable pixel, which keeps the
    texture.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast)
    mask : ndarray, same shape, bool
        True where usable.

    Returns
    -------
    ndarray, like `image`
        A new array; zero where nothing usable can be mirrored.
    """
    if not mask.any():
        return np.zeros_like(image)
    if mask.all():
        return image.copy()
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    here = np.indices(mask.shape)
    mirrored = [
        np.clip(2 * n - h, 0, size - 1)
        for n, h, size in zip(nearest, here, mask.shape, strict=True)
    ]
    filled = np.where(mask[tuple(mirrored)], image[tuple(mirrored)], image[tuple(nearest)])
    return np.where(mask, image, filled)


def fill_crops(crops, masks):
    """`fill_masked` of every crop, for models that know no masks: what is missing must not look
    black to them.

    Parameters
    ----------
    crops : ndarray, shape (n, n_slow, n_fast)
    masks : ndarray, same shape, bool

    Returns
    -------
    ndarray, like `crops`
    """
    return np.stack([fill_masked(crop, mask) for crop, mask in zip(crops, masks, strict=True)])


def read_mask(path):
    """Read a mask of bad pixels, as pyFAI and Dectris' tools write them: zero where a pixel is
    good.

    Parameters
    ----------
    path : path-like
        ``.npy``, or any format of `frame_formats.load`.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), bool
        True where bad.

    Raises
    ------
    InputError
        If it is no image, or leaves no pixel.
    """
    require(Path(path).is_file(), f"No mask {path}: check the name.")
    try:
        values = np.load(path) if Path(path).suffix == ".npy" else frame_formats.load(path)[0]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no mask: {frame_formats.one_line(error)}") from error
    require(values.ndim == 2, f"The mask {path} has shape {values.shape}: give one image.")
    bad = values != 0
    require(not bad.all(), f"The mask {path} leaves no pixel: zero must mean good.")
    return bad
