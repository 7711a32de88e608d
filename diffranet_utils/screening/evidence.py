"""Evidence of diffraction in one frame, in numbers that mean the same on every detector.

All of it comes from one list of peaks of the whole frame: how many there are and how many look like
spots, whether they lie on a lattice, whether they are as wide as each other and as the detector's
point spread lets them be, how they are spread over the frame and over resolution, and how strong
they are against their own background. None of it is a number of pixels or of counts, so that a
small module and a large detector, a counting and an integrating one, can be compared.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.lattice import (
    LatticeEvidence,
    LatticeSettings,
    lattice_evidence,
    planar_evidence,
    scattering_vectors,
)
from diffranet_utils.frames.tile_peaks import TILE, PeakSettings, TilePeaks, find_with_levels

EDGE_PX = 2.0  # a peak so near to a masked pixel may be its edge
MOST_PIXELS = 400  # a larger group of strong pixels is a shadow's edge, flare or a ring
MOST_PEAKS = 3000  # of the strongest that are looked at one by one
# frames' edges: a beam centre farther out means that the header's numbers are not understood
FAR = 1.5
SEED = 2019  # of the turns that a lattice is compared with: the same frame gives the same evidence
LATTICE = LatticeSettings(n_directions=2000, n_turns=2, most_spots=160)
LONE_RATIO = 2.0  # of a lattice of lone pixels over chance, from which they are spots
CROWDED = 0.2  # strong pixels in each tile from which they are the photons of the background
ALIKE = 2.0  # ratio of heights that photons of one energy do not exceed
MEETING = 6.0  # photons that do not meet by chance
CELLS = 8  # the frame is divided into so many by so many parts
LONG = 3.0  # a peak longer than so many times its width is a track or a streak
RING_PX, RING_AROUND_PX = 1.5, 15.0  # half widths of a ring, and of what it is compared with
FEW_RADII = 5
SAMPLE_ROWS = 64
FAR_PX = 4  # pixels so far apart share no point spread
LEAST_USABLE = 0.01  # fraction of a frame without which nothing can be said of it
NAMES = (
    "lone pixels",
    "peaks",
    "spot-like peaks",
    "clear spot-like peaks",
    "bright spot-like peaks",
    "fraction spot-like",
    "peaks beside masked pixels",
    "oversized peaks",
    "lattice can tell",
    "lattice over chance",
    "spots on lattice over chance",
    "parts of the frame with spots",
    "spots in the fullest part",
    "spots in the fullest ring",
    "spots in the fullest row or column",
    "median width",
    "spread of widths",
    "elongated peaks",
    "pixels of a peak",
    "light in the brightest pixel",
    "sharp peaks",
    "peaks sharper than the noise",
    "correlation of the noise",
    "median height",
    "spread of heights",
    "nearest neighbour",
    "innermost tenth",
    "spots in crowded rings",
    "nearer the beam than chance",
    "height falls with radius",
)
# What more of which can only speak for diffraction (1) or against it (-1).
DIRECTIONS = {
    "spot-like peaks": 1,
    "clear spot-like peaks": 1,
    "lattice over chance": 1,
    "spots on lattice over chance": 1,
    "peaks sharper than the noise": -1,
    "sharp peaks": -1,
    "spots in crowded rings": -1,
}


@dataclass(frozen=True)
class Evidence:
    """What one frame shows.

    Parameters
    ----------
    peaks : TilePeaks
        Those that count: not beside masked pixels, not oversized; the strongest first.
    spot_like : ndarray, shape (len(peaks),), bool
        Which of them have the shape of a spot; see `spot_like`.
    n_edge, n_oversized : int
        Peaks that do not count.
    lattice : LatticeEvidence
        Of the spot-like peaks.
    features : ndarray, shape (len(NAMES),), float64
    """

    peaks: TilePeaks
    spot_like: np.ndarray
    n_edge: int
    n_oversized: int
    lattice: LatticeEvidence
    features: np.ndarray

    @property
    def n_spots(self):
        """Peaks that have the shape of a spot."""
        return int(self.spot_like.sum())

    @property
    def in_words(self):
        """One line for a reader, such as ``38 of 45 spots on a lattice (9 by chance)``."""
        n, on_lattice = self.lattice.n_used, self.lattice.n_on_lattice
        if n < LATTICE.least_spots:
            return f"{self.n_spots} spots, too few to tell a lattice from chance"
        if not self.lattice.can_tell and not self.lattice.shows_lattice:
            return f"{n} spots, and chance could look like a lattice among them"
        return f"{on_lattice} of {n} spots on a lattice ({self.lattice.n_by_chance:.0f} by chance)"


def gather(image, geometry=None):
    """Look at one frame.

    Parameters
    ----------
    image : image.RawImage, or ndarray, shape (n_slow, n_fast), integer or float
        As the detector writes it; what marks bad pixels need not be declared, see `frames.image`.
    geometry : FlatGeometry, optional
        Without it the flat pattern of the spots is looked at.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError
        If the image is not of numbers, its mask has another shape, or hardly a pixel is usable.
    """
    image = image if isinstance(image, RawImage) else RawImage(np.asarray(image))
    counts, bad = image.counts, image.bad
    fits = bad is None or np.shape(bad) == counts.shape
    require(
        fits,
        f"The mask has shape {np.shape(bad)}, the frame {counts.shape}: give one value per pixel.",
    )
    usable = None if bad is None or not bad.any() else ~bad
    limits, saturation = image.search_range()
    settings = PeakSettings(saturation=saturation, min_pixels=1)
    peaks, levels = find_with_levels(counts, usable, settings, limits=limits)
    fraction = levels.n_usable.sum() / max(counts.size, 1)
    require(
        fraction >= LEAST_USABLE,
        f"{fraction:.1%} of the pixels are usable: nothing can be said of the frame.",
    )
    correlation = noise_correlation(counts, limits, usable) if len(peaks) else 0.0
    return weigh(peaks, counts.shape, plausible(geometry, counts.shape), correlation)


def plausible(geometry, shape):
    """The geometry, or None where its beam centre lies so far out that its units cannot be
    right.
    """
    if geometry is None:
        return None
    centre = np.array([geometry.beam_slow_px, geometry.beam_fast_px]) / shape
    return geometry if np.all(np.abs(centre - 0.5) <= 0.5 + FAR) else None


def noise_correlation(counts, limits, usable=None):
    """Correlation of the noise of neighbouring pixels, which a point spread makes.

    From the median absolute difference of pixels beside each other and of pixels a few apart, along
    the fast axis.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast)
    limits : tuple of two numbers
        Smallest and largest value that counts.
    usable : ndarray, same shape, bool, optional

    Returns
    -------
    float
        From 0 to below 1; 0 where counts are so few that most differences are alike.
    """
    rows = slice(None, None, max(1, counts.shape[0] // SAMPLE_ROWS))
    values = counts[rows].astype(np.float64)
    fine = (values >= limits[0]) & (values <= limits[1])
    if usable is not None:
        fine &= usable[rows]
    values[~fine] = np.nan
    near, far = (np.abs(values[:, step:] - values[:, :-step]) for step in (1, FAR_PX))
    near, far = near[np.isfinite(near)], far[np.isfinite(far)]
    if near.size < 100 or far.size < 100 or np.median(far) < 3 * (counts.dtype.kind in "iu"):
        return 0.0
    return float(np.clip(1 - (np.median(near) / max(np.median(far), 1e-9)) ** 2, 0, 0.98))


def weigh(peaks, shape, geometry, correlation):
    """Evidence of a list of peaks.

    Parameters
    ----------
    peaks : TilePeaks
        All of a frame, lone pixels too.
    shape : (int, int)
        Of the frame.
    geometry : FlatGeometry or None
    correlation : float
        See `noise_correlation`.

    Returns
    -------
    Evidence
    """
    lone = peaks.n_pixels == 1
    n_lone = int(lone.sum())
    counts = lone_spots(peaks.select(lone), geometry) if n_lone >= LATTICE.least_spots else False
    peaks = peaks.select((lone & counts) | (~lone & ~single_photons(peaks, shape)))
    edge = peaks.touches_masked | (peaks.masked_distance_px <= EDGE_PX)
    oversized = ~edge & (peaks.n_pixels > MOST_PIXELS)
    counted = (int(edge.sum()), int(oversized.sum()))
    kept = peaks.select(np.flatnonzero(~edge & ~oversized)[:MOST_PEAKS])
    shapes = Shapes.of(kept, correlation)
    like = shapes.spot_like | (kept.n_pixels == 1)
    spots = kept.select(like)
    lattice = _lattice(spots, geometry)
    place = (shape, _centre(shape, geometry))
    features = [
        np.log1p(n_lone),
        *_numbers(like, shapes, counted, lattice),
        *_spread(spots, *place),
    ]
    features += [
        *_widths(shapes, correlation),
        *_heights(shapes.height[like]),
        *_distances(spots, *place),
    ]
    features += _radii(
        np.hypot(spots.slow - place[1][0], spots.fast - place[1][1]), shapes.height[like], *place
    )
    return Evidence(kept, like, *counted, lattice, np.array(features, np.float64))


def lone_spots(lone, geometry):
    """Whether lone pixels are spots, as a small beam makes them on a detector without point spread:
    on a lattice.

    Parameters
    ----------
    lone : TilePeaks
        The strongest first.
    geometry : FlatGeometry or None

    Returns
    -------
    bool
    """
    inner = lone.select(lone.masked_distance_px > EDGE_PX)
    if len(inner) < LATTICE.least_spots:
        return False
    found = _lattice(inner.select(slice(LATTICE.most_spots)), geometry)
    return bool(found.ratio >= LONE_RATIO and found.n_on_lattice >= 2 * (found.n_by_chance + 1))


def single_photons(peaks, shape):
    """Which peaks are no more than a few photons on a detector that shows each of them.

    An integrating detector in weak light has a strong pixel in every part of the frame, and all are
    about as high. A spot must then hold more light than photons that meet by chance.

    Parameters
    ----------
    peaks : TilePeaks
    shape : (int, int)

    Returns
    -------
    ndarray, shape (len(peaks),), bool
    """
    height = peaks.peak - peaks.background
    lone = peaks.n_pixels <= 2
    tiles = max(shape[0] * shape[1] / TILE**2, 1)
    if lone.sum() < CROWDED * tiles:
        return np.zeros(len(peaks), bool)
    middle, high = np.quantile(height[lone], [0.5, 0.9])
    if high > ALIKE * middle:
        return np.zeros(len(peaks), bool)
    return peaks.counts < MEETING * middle


@dataclass(frozen=True)
class Shapes:
    """Sizes of peaks, each array of shape (n,).

    Parameters
    ----------
    height : ndarray
        Largest value over the background, in units of the threshold.
    width_px : ndarray
        Standard deviation of a round Gaussian that has as many pixels above the threshold.
    elongation : ndarray
    share : ndarray
        Of the light in the brightest pixel.
    n_pixels : ndarray
    sharper : ndarray, bool
        Narrower than the point spread that the noise shows.
    saturated : ndarray, bool
    """

    height: np.ndarray
    width_px: np.ndarray
    elongation: np.ndarray
    share: np.ndarray
    n_pixels: np.ndarray
    sharper: np.ndarray
    saturated: np.ndarray

    @classmethod
    def of(cls, peaks, correlation):
        """Shapes of a list of peaks, given the correlation of the noise."""
        step = np.maximum(peaks.threshold - peaks.background, 1e-9)
        height = np.maximum((peaks.peak - peaks.background) / step, 1.0)
        # n pixels of a Gaussian h times the threshold: n = 2 pi width^2 ln h
        width = np.sqrt(peaks.n_pixels / (2 * np.pi * np.maximum(np.log(height), 0.25)))
        slow, fast, mixed = peaks.moments.T
        half_sum, half_gap = (slow + fast) / 2, np.hypot((slow - fast) / 2, mixed)
        long, short = (np.sqrt(np.maximum(half_sum + k * half_gap, 0) + 1 / 12) for k in (1, -1))
        share = (peaks.peak - peaks.background) / np.maximum(peaks.counts, 1e-9)
        # the noise of a Gaussian point spread correlates with exp(-1 / 4 width^2) at a pixel's
        # distance
        spread = 0.5 / np.sqrt(-np.log(correlation)) if correlation > 0.02 else 0.0
        sharper = (width < 0.75 * spread) & (height > 1.5)
        return cls(
            height, width, long / short, share, peaks.n_pixels, sharper, peaks.touches_saturated
        )

    @property
    def spot_like(self):
        """Which are shaped like a spot: no track, no lone pixel, not sharper than the detector can
        be.
        """
        small_and_saturated = self.saturated & (self.n_pixels <= 4)
        return (self.elongation < LONG) & ~self.sharper & ~small_and_saturated & ~self._lone

    @property
    def _lone(self):
        """One bright pixel that has hardly touched the next: a hot pixel or a stray charge."""
        return (self.share > 0.9) & (self.height > 2)


def _lattice(spots, geometry):
    rng = np.random.default_rng(SEED)
    if geometry is None:
        return planar_evidence(spots.slow, spots.fast, rng, settings=LATTICE)
    return lattice_evidence(scattering_vectors(spots.slow, spots.fast, geometry), rng, LATTICE)


def _centre(shape, geometry):
    """Slow and fast pixel of the direct beam; the middle of the frame where it is unknown."""
    if geometry is None:
        return shape[0] / 2, shape[1] / 2
    return geometry.beam_slow_px, geometry.beam_fast_px


def _numbers(like, shapes, counted, lattice):
    n = like.size
    tells = np.isfinite(lattice.score)
    return [
        np.log1p(n),
        np.log1p(like.sum()),
        np.log1p((like & (shapes.height > 1.5)).sum()),
        np.log1p((like & (shapes.height > 4)).sum()),
        like.mean() if n else 0.0,
        *np.log1p(counted),
        float(tells and lattice.can_tell),
        np.log(lattice.ratio) if tells else 0.0,
        np.log((lattice.n_on_lattice + 1) / (lattice.n_by_chance + 1)) if tells else 0.0,
    ]


def _spread(spots, shape, centre):
    """Over parts of the frame, rings around the beam, rows and columns: fractions of the spots."""
    n = len(spots)
    if n == 0:
        return [0.0] * 4
    rows = np.minimum(spots.slow * CELLS / shape[0], CELLS - 1).astype(int)
    columns = np.minimum(spots.fast * CELLS / shape[1], CELLS - 1).astype(int)
    in_parts = np.bincount(rows * CELLS + columns, minlength=CELLS * CELLS)
    # A part that n random spots leave empty says nothing: compare with what they would fill.
    filled = np.count_nonzero(in_parts) / (CELLS * CELLS * (1 - (1 - 1 / CELLS**2) ** n))
    radius = np.hypot(spots.slow - centre[0], spots.fast - centre[1])
    return [
        filled,
        in_parts.max() / n,
        _fullest(radius, 3.0) / n,
        max(_fullest(spots.slow, 2.0), _fullest(spots.fast, 2.0)) / n,
    ]


def _fullest(values, width):
    """Largest number of values within a window of a width."""
    ordered = np.sort(values)
    ends = np.searchsorted(ordered, ordered + width, side="right")
    return int((ends - np.arange(len(ordered))).max())


def _widths(shapes, correlation):
    width = shapes.width_px
    if not width.size:
        return [0.0] * 7 + [correlation]
    middle = np.median(width)
    return [
        middle,
        np.subtract(*np.quantile(width, [0.75, 0.25])) / max(middle, 0.1),
        np.mean(shapes.elongation >= LONG),
        np.log(np.median(shapes.n_pixels)),
        np.median(shapes.share),
        np.mean(shapes.n_pixels <= 2),
        shapes.sharper.mean(),
        correlation,
    ]


def _heights(height):
    if not height.size:
        return [0.0, 0.0]
    low, middle, high = np.log(np.quantile(height, [0.1, 0.5, 0.9]))
    return [middle, high - low]


def _distances(spots, shape, centre):
    """Nearest neighbours against what random places give, and how close to the beam the inner tenth
    lies.
    """
    places = np.column_stack([spots.slow, spots.fast])[:400]
    if len(places) < 2:
        return [1.0, 0.0]
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    expected = 0.5 * np.sqrt(
        shape[0] * shape[1] / len(places)
    )  # Clark and Evans (1954), doi:10.2307/1931034
    radius = np.hypot(spots.slow - centre[0], spots.fast - centre[1])
    return [np.median(gaps.min(axis=1)) / expected, np.quantile(radius, 0.1) / np.hypot(*shape)]


def _radii(radius, height, shape, centre):
    """Spots whose ring holds more than its surroundings do, and how number and height fall away
    from the beam.

    Grains of a powder and the noise of a sharp ring crowd in rings; Bragg spots are more and
    stronger near the beam, stray charge is alike everywhere.
    """
    n = len(radius)
    if n < FEW_RADII:
        return [0.0, 0.0, 0.0]
    ordered = np.sort(radius)
    here, around = (
        np.searchsorted(ordered, radius + w, side="right")
        - np.searchsorted(ordered, radius - w)
        - 1
        for w in (RING_PX, RING_AROUND_PX)
    )
    expected = (around - here) * RING_PX / (RING_AROUND_PX - RING_PX)
    crowded = here > expected + 3 * np.sqrt(expected + 1)
    rows, columns = np.meshgrid(*(np.arange(4, size, 8) for size in shape), indexing="ij")
    anywhere = np.sort(np.hypot(rows - centre[0], columns - centre[1]).ravel())
    nearer = 1 - 2 * np.searchsorted(anywhere, radius).mean() / anywhere.size
    ranks = [values.argsort().argsort() for values in (radius, height)]
    falls = -np.corrcoef(*ranks)[0, 1] * np.sqrt(
        n - 1
    )  # about normal where height and radius are independent
    return [crowded.mean(), nearer * np.sqrt(3 * n), falls]
