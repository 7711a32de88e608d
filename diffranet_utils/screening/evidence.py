"""Evidence of diffraction in one frame, in numbers that mean the same on every detector.

All of it comes from one list of peaks of the whole frame: how many there are, whether they lie on a lattice, whether
they are as wide as each other, how they are spread over the frame and over resolution, and how strong they are
against their own background. None of it is a number of pixels or of counts, so that a small module and a large
detector, a counting and an integrating one, can be compared.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.frames.lattice import (
    FlatGeometry,
    LatticeEvidence,
    LatticeSettings,
    lattice_evidence,
    planar_evidence,
    scattering_vectors,
)
from diffranet_utils.frames.tile_peaks import PeakSettings, TilePeaks, find_tile_peaks

EDGE_PX = 2.0  # a peak so near to a masked pixel may be its edge
MOST_PIXELS = 400  # a larger group of strong pixels is a shadow's edge, flare or a ring
SEED = 2019  # of the turns that a lattice is compared with: the same frame gives the same evidence
LATTICE = LatticeSettings(n_turns=2)
CELLS = 8  # the frame is divided into so many by so many parts
NAMES = (
    "peaks",
    "strong peaks",
    "very strong peaks",
    "peaks beside masked pixels",
    "oversized peaks",
    "lattice over chance",
    "peaks on lattice over chance",
    "parts of the frame with peaks",
    "peaks in the fullest part",
    "peaks in the fullest ring",
    "peaks in the fullest row or column",
    "median width",
    "spread of widths",
    "elongated peaks",
    "pixels of a peak",
    "sharp peaks",
    "median height",
    "spread of heights",
    "nearest neighbour",
    "innermost tenth",
)


@dataclass(frozen=True)
class Evidence:
    """What one frame shows.

    Parameters
    ----------
    peaks : TilePeaks
        Those that count: not beside masked pixels, not oversized; the strongest first.
    n_edge, n_oversized : int
        Peaks that do not count.
    lattice : LatticeEvidence
    features : ndarray, shape (len(NAMES),), float64
    """

    peaks: TilePeaks
    n_edge: int
    n_oversized: int
    lattice: LatticeEvidence
    features: np.ndarray

    @property
    def in_words(self):
        """One line for a reader, such as ``38 of 45 spots on a lattice (9 by chance)``."""
        n, on_lattice = self.lattice.n_used, self.lattice.n_on_lattice
        if n < LATTICE.least_spots:
            return f"{len(self.peaks)} spots, too few to tell a lattice from chance"
        if not self.lattice.can_tell:
            return f"{n} spots, so close to the beam that chance looks like a lattice"
        return f"{on_lattice} of {n} spots on a lattice ({self.lattice.n_by_chance:.0f} by chance)"


def gather(frame, usable=None, geometry=None, saturation=np.inf):
    """Look at one frame.

    Parameters
    ----------
    frame : ndarray, shape (n_slow, n_fast), integer or float
        Counts as the detector writes them.
    usable : ndarray, same shape, bool, optional
        True where a pixel counts; see `frames.tile_peaks.tile_levels`.
    geometry : FlatGeometry, optional
        Without it the flat pattern of the spots is looked at.
    saturation : float
        Value from which a pixel is saturated.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError
        If `frame` is no numeric image, or `usable` has another shape.
    """
    peaks = find_tile_peaks(frame, usable, PeakSettings(saturation=saturation))
    edge = peaks.touches_masked | (peaks.masked_distance_px <= EDGE_PX)
    oversized = ~edge & (peaks.n_pixels > MOST_PIXELS)
    kept = peaks.select(~edge & ~oversized)
    lattice = _lattice(kept, geometry)
    counted = (int(edge.sum()), int(oversized.sum()))
    features = _features(kept, counted, lattice, frame.shape, geometry)
    return Evidence(kept, *counted, lattice, features)


def _lattice(peaks, geometry):
    rng = np.random.default_rng(SEED)
    if geometry is None:
        return planar_evidence(peaks.slow, peaks.fast, rng, settings=LATTICE)
    return lattice_evidence(scattering_vectors(peaks.slow, peaks.fast, geometry), rng, LATTICE)


def _features(peaks, counted, lattice, shape, geometry):
    n = len(peaks)
    height = (peaks.peak - peaks.background) / np.maximum(peaks.sigma, 1e-9)
    tells = n >= LATTICE.least_spots
    numbers = [
        np.log1p(n),
        np.log1p(np.count_nonzero(height > 10)),
        np.log1p(np.count_nonzero(height > 30)),
        *np.log1p(counted),
        np.log(lattice.ratio) if tells else 0.0,
        np.log((lattice.n_on_lattice + 1) / (lattice.n_by_chance + 1)) if tells else 0.0,
    ]
    if n == 0:
        return np.array([*numbers, *np.zeros(len(NAMES) - len(numbers))])
    numbers += [*_spread(peaks, shape, _centre(shape, geometry)), *_shapes(peaks), *_heights(height)]
    return np.array([*numbers, *_distances(peaks, shape, _centre(shape, geometry))])


def _centre(shape, geometry):
    """Slow and fast pixel of the direct beam; the middle of the frame where it is unknown."""
    if geometry is None:
        return shape[0] / 2, shape[1] / 2
    return geometry.beam_slow_px, geometry.beam_fast_px


def _spread(peaks, shape, centre):
    """Over parts of the frame, rings around the beam, rows and columns: fractions of the peaks."""
    n = len(peaks)
    rows = np.minimum(peaks.slow * CELLS / shape[0], CELLS - 1).astype(int)
    columns = np.minimum(peaks.fast * CELLS / shape[1], CELLS - 1).astype(int)
    in_parts = np.bincount(rows * CELLS + columns, minlength=CELLS * CELLS)
    # A part that n random peaks leave empty says nothing: compare with what they would fill.
    filled = np.count_nonzero(in_parts) / (CELLS * CELLS * (1 - np.exp(-n / CELLS**2)))
    radius = np.hypot(peaks.slow - centre[0], peaks.fast - centre[1])
    return [
        filled,
        in_parts.max() / n,
        _fullest(radius, 3.0) / n,
        max(_fullest(peaks.slow, 2.0), _fullest(peaks.fast, 2.0)) / n,
    ]


def _fullest(values, width):
    """Largest number of values within a window of a width."""
    ordered = np.sort(values)
    return int((np.searchsorted(ordered, ordered + width, side="right") - np.arange(len(ordered))).max())


def _shapes(peaks):
    width = peaks.width_px
    slow, fast, mixed = peaks.moments.T
    half_sum, half_gap = (slow + fast) / 2, np.hypot((slow - fast) / 2, mixed)
    long, short = np.sqrt(half_sum + half_gap), np.sqrt(np.maximum(half_sum - half_gap, 0))
    middle = np.median(width)
    return [
        middle,
        np.subtract(*np.quantile(width, [0.75, 0.25])) / max(middle, 0.1),
        np.mean(long > 3 * np.maximum(short, 0.3)),
        np.log(np.median(peaks.n_pixels)),
        np.mean(peaks.n_pixels <= 2),
    ]


def _heights(height):
    low, middle, high = np.log(np.maximum(np.quantile(height, [0.1, 0.5, 0.9]), 1e-3))
    return [middle, high - low]


def _distances(peaks, shape, centre):
    """Nearest neighbours against what random places give, and how close to the beam the inner tenth lies."""
    places = np.column_stack([peaks.slow, peaks.fast])[:400]
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    expected = 0.5 * np.sqrt(shape[0] * shape[1] / len(places))  # Clark and Evans (1954), doi:10.2307/1931034
    nearest = np.median(gaps.min(axis=1)) / expected if len(places) > 1 else 1.0
    radius = np.hypot(peaks.slow - centre[0], peaks.fast - centre[1])
    return [nearest, np.quantile(radius, 0.1) / np.hypot(*shape)]
