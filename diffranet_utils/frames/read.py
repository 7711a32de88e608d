"""Real frames: read them, mask what counts nothing, and prepare the 512 x 512 crops that the models
see.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames import masks as frame_masks
from diffranet_utils.frames.image import RawImage, zero_gaps
from diffranet_utils.frames.masks import Flag, block_mean

REAL_VARIABLE, CROP = "DIFFRANET_REAL", 512


@dataclass(frozen=True)
class Frame:
    """One exposure of a detector, with what its header knows.

    Parameters
    ----------
    name : str
        For tables and figures.
    data : ndarray, shape (n_slow, n_fast), float32
        Counts; zero where a pixel is not usable. Those of an integrating detector may lie below
        zero.
    flags : ndarray, shape (n_slow, n_fast), uint8
        Why a pixel is not usable, `frame_masks.Flag`; zero where it is.
    wavelength_A, distance_mm, pixel_mm : float or None
    beam_fast_px, beam_slow_px : float or None
        Where the direct beam meets the detector, in pixels; None where the header is silent.
    """

    name: str
    data: np.ndarray
    flags: np.ndarray
    wavelength_A: float | None = None
    distance_mm: float | None = None
    pixel_mm: float | None = None
    beam_fast_px: float | None = None
    beam_slow_px: float | None = None

    @property
    def mask(self):
        """True where a pixel is usable, shape (n_slow, n_fast), bool."""
        return self.flags == Flag.USABLE

    @property
    def beam_px(self):
        """(slow, fast) of the direct beam; the middle of the frame where the header is silent."""
        known = self.beam_fast_px is not None and self.beam_slow_px is not None
        return (
            (self.beam_slow_px, self.beam_fast_px)
            if known
            else tuple(n / 2 for n in self.data.shape)
        )

    def flag_counts(self):
        """Number of pixels per flag, by title, zeros left out."""
        counts = np.bincount(self.flags.ravel(), minlength=len(Flag))
        return {flag.title: int(counts[flag]) for flag in Flag if counts[flag]}


@dataclass(frozen=True)
class Crops:
    """What the models see of one frame.

    Parameters
    ----------
    raw : ndarray, shape (n, size, size), uint8
        Square roots of block counts.
    mask : ndarray, shape (n, size, size), bool
        True where at least half of a block is usable.
    origins : ndarray, shape (n, 2), int64
        First row and column of each crop, in pixels of the frame.
    factor : int
        Frame pixels per crop pixel.
    """

    raw: np.ndarray
    mask: np.ndarray
    origins: np.ndarray
    factor: int


def read_frame(path, index=0, beamstop=None, bad=None, layout=None):
    """Read a frame and mask what counts nothing.

    Parameters
    ----------
    path : path-like
        Any format of `frame_formats.KNOWN`; gzip, bzip2 and xz are unpacked.
    index : int
        Which image of a file that holds several.
    beamstop : ndarray, shape (n_slow, n_fast), bool, optional
        True in the shadow; by default it is looked for around the beam.
    bad : ndarray, shape (n_slow, n_fast), bool, optional
        True for pixels to leave out besides those that the file declares bad; see
        `frame_masks.read_mask`.
    layout : crystfel.CrystfelGeometry, optional
        Lays the modules of the image on a plane.

    Returns
    -------
    Frame

    Raises
    ------
    InputError
        One line, if the file cannot be used; see `frame_formats.load`.
    """
    image = frame_formats.read_raw(path, index, layout)
    name = Path(path).name + (f"#{index}" if index else "")
    require(
        bad is None or bad.shape == image.counts.shape,
        f"The mask does not fit {name}: {image.counts.shape}.",
    )
    image = image.without(zero_gaps(image.counts)).without(bad)
    return _masked(name, image, beamstop)


def make_frame(name, counts, header, bad=None, beamstop=None):
    """Mask the pixels of an array of counts that count nothing.

    Parameters
    ----------
    name : str
    counts : ndarray, shape (n_slow, n_fast), integer or float
        As a detector writes it, with negative values and sentinels.
    header : frame_headers.Header
    bad, beamstop : ndarray, shape (n_slow, n_fast), bool, optional
        Pixels known to be bad; the shadow, which is looked for by default.

    Returns
    -------
    Frame

    Raises
    ------
    InputError
        If `bad` or `beamstop` has another shape.
    """
    require(
        bad is None or bad.shape == counts.shape,
        f"The mask does not fit {name}, whose shape is {counts.shape}.",
    )
    return _masked(name, RawImage(counts, header, bad), beamstop)


def _masked(name, image, beamstop):
    flags = frame_masks.flag_values(image)
    data = np.where(flags == Flag.USABLE, image.counts, 0).astype(np.float32)
    frame = Frame(name, data, flags, **image.header.geometry)
    if beamstop is None:
        beamstop = frame_masks.find_beamstop(data, frame.mask, *frame.beam_px[::-1])
    require(
        beamstop.shape == flags.shape,
        f"The beamstop mask has shape {beamstop.shape}, {name} {flags.shape}.",
    )
    flags[beamstop & (flags == Flag.USABLE)] = Flag.BEAMSTOP
    frame_masks.flag_pixels(data, flags)
    data[flags != Flag.USABLE] = 0
    return frame


def prepare_frame(frame, size=CROP, factor=None):
    """Downsample a frame, cut crops clear of the beamstop, take square roots to 8 bit.

    As Section 3 of the paper describes it; that text gives no factor, so a block is as large as
    leaves two crops side by side. A block that is partly masked counts what its usable pixels do,
    scaled up to a whole block.

    Parameters
    ----------
    frame : Frame
    size : int
        Edge of a crop.
    factor : int, optional
        Edge of a block, frame pixels.

    Returns
    -------
    Crops
        Four where the frame has room for two crops each way, else two or one; a frame smaller than
        a crop is padded with masked pixels.
    """
    factor = factor or max(1, min(frame.data.shape) // (2 * size))
    mean, share = block_mean(frame.data, frame.mask, factor)
    short = [max(0, size - n) for n in mean.shape]
    mean, share = (np.pad(a, ((0, short[0]), (0, short[1]))) for a in (mean, share))
    mask = share >= 0.5
    grey = np.minimum(np.sqrt(np.maximum(mean - _lowest(mean, mask), 0) * factor**2), 255).astype(
        np.uint8
    )
    grey = np.where(mask, grey, 0)
    corners = _crop_corners(frame, mean.shape, size, factor)
    cuts = [np.s_[row : row + size, column : column + size] for row, column in corners]
    raw, masks = (np.stack([layer[cut] for cut in cuts]) for layer in (grey, mask))
    return Crops(raw, masks, np.array(corners) * factor, factor)


def _lowest(mean, mask):
    """What must come off for square roots to exist: nothing, unless an integrating detector
    measures below zero.
    """
    return min(0.0, float(np.quantile(mean[mask], 0.001))) if mask.any() else 0.0


def _crop_corners(frame, shape, size, factor):
    """First rows and columns of the crops: on both sides of the beam, pushed out of the shadow
    where there is room.
    """
    shadow = frame.flags == Flag.BEAMSTOP
    starts = []
    for axis, (n, beam) in enumerate(zip(shape, frame.beam_px, strict=True)):
        if n < 2 * size:
            starts.append([(n - size) // 2])
            continue
        dark = np.flatnonzero(shadow.any(axis=1 - axis))
        before, after = (dark[0], dark[-1] + 1) if dark.size else (beam, beam)
        low = np.clip(int(before / factor) - size, 0, n - size)
        high = np.clip(int(np.ceil(after / factor)), 0, n - size)
        starts.append([int(low), int(high)])
    return [(row, column) for row in starts[0] for column in starts[1]]


def matching_gain(raw, mask, target_mean):
    """The one constant that brings the mean of all crops to that of the synthetic images.

    Parameters
    ----------
    raw : ndarray, shape (n, size, size), uint8
    mask : ndarray, same shape, bool
    target_mean : float
        Mean grey value of the synthetic images.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If no usable pixel counts anything.
    """
    total = float(raw[mask].sum(dtype=np.float64))
    require(total > 0, "All crops are black: nothing to scale.")
    return target_mean * int(mask.sum()) / total


def preprocess(raw, gain):
    """Multiply 8-bit crops by a constant: the paper's *preprocessed* images.

    Returns
    -------
    ndarray, like `raw`, uint8
        Rounded and clipped at 255.
    """
    return np.clip(np.rint(raw * np.float32(gain)), 0, 255).astype(np.uint8)
