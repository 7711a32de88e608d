"""Whole frames of stations drawn at random, as a file holds them: what the screener is trained on.

Each frame has a detector of some family, a geometry that the screener may or may not be told, a
background of some style, nuisances of all kinds, and Bragg spots of crystals in about half of the
cases. How many spots are to be seen is known from the noiseless image.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from diffranet_utils.frames.lattice import FlatGeometry
from diffranet_utils.studies.diffranet import frame_scenes as scenes
from diffranet_utils.studies.diffranet.frame_detectors import (
    draw_detector,
    log_uniform,
    read_out,
    write_values,
)
from diffranet_utils.studies.diffranet.frame_spots import (
    lattice_spots,
    paint,
    scaled_to_show,
    visible,
)

WEAK_SPOTS, MANY_SPOTS = 3, 25  # fewer than the first are none; from the second on they are many
APART = 4.0  # widths between spots that do not run into each other
ROOM = 100.0  # pixels for each spot, times the square of its width


@dataclass(frozen=True)
class WholeFrame:
    """One simulated frame.

    Parameters
    ----------
    data : ndarray, shape (n_slow, n_fast)
        As a file holds it.
    bad : ndarray, same shape, bool, or None
        Pixels that the file declares bad.
    geometry : FlatGeometry or None
        As a header tells it: nearly right, or missing.
    n_visible, n_in_sum : int
        Bragg spots that stand out to the eye, each by itself, and when their pixels are added up;
        not counting those in gaps.
    family, style : str
    nuisances : tuple of str
    """

    data: np.ndarray
    bad: np.ndarray | None
    geometry: FlatGeometry | None
    n_visible: int
    n_in_sum: int
    family: str
    style: str
    nuisances: tuple

    @property
    def kind(self):
        """``hit``, ``weak`` (a few spots, or spots that only a sum shows) or ``miss``."""
        if self.n_visible >= MANY_SPOTS:
            return "hit"
        return "weak" if max(self.n_visible, self.n_in_sum) >= WEAK_SPOTS else "miss"


def draw_frame(rng, family=None, largest=None):
    """Draw a station and one frame of it.

    Parameters
    ----------
    rng : numpy.random.Generator
    family : str, optional
        Of detectors, see `frame_detectors.FAMILIES`.
    largest : int, optional
        Pixels that a detector has at most.

    Returns
    -------
    WholeFrame
    """
    detector = draw_detector(rng, family, largest)
    style = str(rng.choice(scenes.STYLES, p=[0.45, 0.17, 0.12, 0.08, 0.18]))
    geometry = draw_geometry(detector, style, rng)
    radius, angle = scenes.polar(geometry, detector.shape)
    photons = scenes.background(
        style, radius, angle, log_uniform(rng, 1e-3, _brightest(detector)), rng
    )
    spots = _crystal(photons, detector, geometry, style, rng)
    nuisances = _scatter(photons, spots, (radius, angle), geometry, rng)
    numbers = (0, 0) if spots is None else _still_visible(spots, photons, detector)
    values = read_out(photons, detector, rng)
    nuisances += _stray(values, detector, rng)
    data, bad = write_values(values, detector, rng)
    return WholeFrame(
        data, bad, _told(geometry, rng), *numbers, detector.family, style, tuple(nuisances)
    )


def _brightest(detector):
    """Largest mean in photons: ten thousand counts."""
    return 1e4 / detector.gain if detector.dtype != "int16" else 2e3 / detector.gain


def draw_geometry(detector, style, rng):
    """A geometry that suits the style; the beam mostly falls on the detector."""
    wavelength = log_uniform(rng, 0.6, 1.9) if rng.random() < 0.9 else log_uniform(rng, 0.12, 0.6)
    edge_A = (
        log_uniform(rng, 8, 150)
        if style in ("small angle", "grazing incidence")
        else rng.uniform(1.1, 5)
    )
    edge_A = max(edge_A, 0.75 * wavelength)
    half_mm = max(detector.shape) / 2 * detector.pixel_mm
    distance = half_mm / np.tan(2 * np.arcsin(wavelength / 2 / edge_A))
    spread = 0.05 if rng.random() < 0.6 else 0.6
    slow, fast = (n * (0.5 + rng.uniform(-spread, spread)) for n in detector.shape)
    return FlatGeometry(
        wavelength, float(distance), detector.pixel_mm * 1e3, float(fast), float(slow)
    )


def _crystal(photons, detector, geometry, style, rng):
    """Spots of crystals, painted on the image; None without a crystal."""
    if rng.random() < (0.42 if style in ("protein", "even") else 0.75):
        return None
    spots = lattice_spots(geometry, detector.shape, rng)
    if not len(spots.slow):
        return None
    wanted = int(log_uniform(rng, 2, 25) if rng.random() < 0.35 else log_uniform(rng, 25, 1200))
    spots = scaled_to_show(spots, wanted, lambda trial: _seen(trial, photons, detector)[0])
    spots = _not_crowded(spots, photons.size)
    paint(photons, spots)
    return spots


def _not_crowded(spots, n_pixels):
    """The brightest spots, so few that each stands on background."""
    most = int(n_pixels / (ROOM * np.median(spots.long_px * spots.short_px) + 150))
    return spots.select(np.argsort(-spots.photons)[: max(most, 1)])


def _seen(spots, photons, detector, under=None):
    """Spots outside of gaps that are visible to the eye, and in sum."""
    rows, columns = spots.slow.astype(int), spots.fast.astype(int)
    under = photons[rows, columns] if under is None else under
    seen = visible(spots, under, detector.spread_px, detector.noise_photons(under))
    return tuple(which & ~detector.gap[rows, columns] for which in seen)


def _still_visible(spots, photons, detector):
    """Numbers of spots that are visible after what came over them: shadows take light, scattering
    adds some.

    What lies under a spot is the darkest of the pixels a few widths away, each way.
    """
    rows, columns = spots.slow.astype(int), spots.fast.astype(int)
    away = np.ceil(4 * spots.long_px).astype(int) + 2
    around = [photons[np.clip(rows + i * away, 0, photons.shape[0] - 1),
                      np.clip(columns + j * away, 0, photons.shape[1] - 1)]
              for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]  # fmt: skip
    under = np.median(around, axis=0)
    area = 2 * np.pi * np.hypot(spots.long_px, 0.29) * np.hypot(spots.short_px, 0.29)
    left = np.minimum(spots.photons, np.maximum(photons[rows, columns] - under, 0) * area * 1.5)
    dimmed = type(spots)(spots.slow, spots.fast, left, spots.long_px, spots.short_px, spots.angle)
    to_the_eye, in_sum = _seen(dimmed, photons, detector, under)
    alone = _alone(spots, to_the_eye | in_sum, detector.spread_px)
    return int((to_the_eye & alone).sum()), int(in_sum.sum())


def _alone(spots, seen, spread_px):
    """Which spots do not run into another one that is seen."""
    alone = np.ones(len(spots.slow), bool)
    places = np.column_stack([spots.slow, spots.fast])[seen]
    if len(places) > 1:
        gap = cKDTree(places).query(places, 2)[0][:, 1]
        alone[seen] = gap > APART * np.hypot(np.hypot(spots.long_px[seen], spread_px), 0.5)
    return alone


def _scatter(photons, spots, place, geometry, rng):
    """Nuisances of light; names of those that the frame got."""
    found = []
    if rng.random() < 0.15:
        scenes.flare(photons, *place, rng)
        found.append("flare")
    if rng.random() < 0.6:
        scenes.shadows(photons, *place, rng)
        found.append("shadows")
    if rng.random() < 0.07:
        scenes.streaks(photons, geometry, rng)
        found.append("streaks")
    if rng.random() < 0.07 and spots is None:
        scenes.spotty_rings(photons, geometry, rng)
        found.append("spotty rings")
    return found


def _stray(values, detector, rng):
    """Nuisances of the detector; names of those that the frame got."""
    found = []
    if rng.random() < 0.45:
        scenes.zingers(values, detector.gain, rng)
        found.append("zingers")
    if rng.random() < 0.5:
        scenes.hot_pixels(values, detector.edges, detector.gain, rng)
        found.append("hot pixels")
    return found


def _told(geometry, rng):
    """What a header tells: nothing in a third of the cases, else a beam centre that is a pixel or
    so off.
    """
    if rng.random() < 0.35:
        return None
    error = log_uniform(rng, 0.05, 6) * rng.standard_normal(2)
    return FlatGeometry(
        geometry.wavelength_A,
        geometry.distance_mm * rng.normal(1, 0.003),
        geometry.pixel_um,
        geometry.beam_fast_px + error[0],
        geometry.beam_slow_px + error[1],
    )
