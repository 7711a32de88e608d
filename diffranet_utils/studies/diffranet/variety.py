"""Stations drawn at random, one property after the other: what a model must see to ignore it at a
beamline.
"""

from dataclasses import dataclass, replace

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.detector import Readout, to_8bit
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.instrument.shadows import Beamstop, Modules, Shadows
from diffranet_utils.studies.diffranet.experiment import Borders, CrystalRecipe, Spectrum
from diffranet_utils.studies.diffranet.labels import is_hit
from diffranet_utils.studies.diffranet.shots import ShotImage, render_shot, sample_shot
from diffranet_utils.studies.diffranet.stations import (
    DIFFRANET,
    LYSOZYME,
    PHOTOSYSTEM_II,
    THAUMATIN,
)

# Seven crystal systems of very different cells; those of the other stations come last.
CRYSTALS = (
    CrystalRecipe(
        "proteinase K", (67.9, 67.9, 102.5, 90, 90, 90), "P 43 21 2", 16_000, 18.0, 1.8, 0.2, 100
    ),
    CrystalRecipe("insulin", (78.9, 78.9, 78.9, 90, 90, 90), "I 21 3", 9_600, 20.0, 1.7, 0.2, 100),
    CrystalRecipe(
        "myoglobin", (64.5, 30.9, 34.8, 90, 105.8, 90), "P 1 21 1", 2_600, 15.0, 1.6, 0.2, 100
    ),
    CrystalRecipe(
        "triclinic lysozyme",
        (27.3, 31.9, 34.3, 88.5, 108.6, 111.9),
        "P 1",
        1_000,
        15.0,
        1.6,
        0.2,
        100,
    ),
    CrystalRecipe(
        "bacteriorhodopsin", (62.4, 62.4, 111.0, 90, 90, 120), "P 63", 10_800, 40.0, 2.2, 0.5, 150
    ),
    CrystalRecipe(
        "trypsin", (54.9, 58.5, 67.6, 90, 90, 90), "P 21 21 21", 6_800, 15.0, 1.7, 0.2, 100
    ),
    CrystalRecipe(
        "photosystem I", (281.0, 281.0, 165.2, 90, 90, 120), "P 63", 300_000, 70.0, 3.5, 0.5, 200
    ),
    LYSOZYME,
    THAUMATIN,
    PHOTOSYSTEM_II,
)
FEW_SPOTS = Borders(15, 120, 400)  # a still with fewer than about fifteen spots is seldom indexed
PIXELS_MM = (0.055, 0.075, 0.110, 0.150, 0.172, 0.344)


def _log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def geometry(station, rng):
    """Wavelength, pixel, resolution at the edge, and a beam centre anywhere on the image or at its
    edge.
    """
    wavelength, pixel = rng.uniform(0.8, 1.9), float(rng.choice(PIXELS_MM))
    edge_A = max(rng.uniform(1.6, 4.0), 0.75 * wavelength)
    distance = 400 * pixel / np.tan(2 * np.arcsin(wavelength / 2 / edge_A))
    n_slow, n_fast = station.detector.shape
    slow, fast = rng.uniform(-0.3, 1.3, 2).clip(0, 1) * (n_slow, n_fast)
    detector = Detector(
        n_slow, n_fast, pixel, float(distance), beam_fast_px=float(fast), beam_slow_px=float(slow)
    )
    # A beam is as bright as the detector can take: what a pixel of this size at this distance sees
    # stays alike.
    solid_angle = (pixel / distance) ** 2 / (0.172 / 80.0) ** 2
    return replace(
        station,
        detector=detector,
        wavelength_A=float(wavelength),
        photons=station.photons / solid_angle,
    )


def background(station, rng):
    """Water from a thin film to a thick jet, air from none to a long path."""
    layers = [Layer("water", _log_uniform(rng, 0.002, 0.2))]
    if rng.random() < 0.7:
        layers.append(Layer("air", _log_uniform(rng, 1.0, 100.0)))
    return replace(station, layers=tuple(layers))


def readout(station, rng):
    """A counting detector, a fibre-coupled or directly lit charge-coupled device, or an integrating
    one of tiles.
    """
    kind, seed = rng.integers(4), int(rng.integers(1, 50))
    noise = {"calibration_rms": _log_uniform(rng, 0.003, 0.05), "calibration_seed": seed}
    if kind == 0:
        found = Readout(point_spread="none", offset=0.0, read_noise=0.0, **noise)
    elif kind == 3:
        found = Readout(
            point_spread="none",
            offset=rng.uniform(3, 30),
            read_noise=_log_uniform(rng, 0.1, 3),
            **noise,
        )
    else:
        spread = {"point_spread": ("fiber", "gaussian")[kind - 1],
            "fwhm_um": station.detector.pixel_mm * 1e3
                  * rng.uniform(0.3, 1.5)}  # fmt: skip
        found = Readout(
            offset=rng.uniform(5, 60), read_noise=_log_uniform(rng, 0.5, 6), **spread, **noise
        )
    return replace(station, readout=found)


def shadows(station, rng):
    """Gaps between modules, a beamstop with or without an arm, hot and dead pixels."""
    tile, gap = rng.integers(150, 520, 2), rng.integers(1, 20, 2)
    modules = Modules(
        tuple(map(int, tile)), tuple(map(int, gap)), tuple(map(int, rng.integers(0, 200, 2)))
    )
    pixel = station.detector.pixel_mm
    stop = Beamstop(
        pixel * rng.uniform(5, 40), pixel * rng.uniform(2, 20) * rng.integers(2),
        float(rng.uniform(0, 360)),
        transmission=float(rng.uniform(0, 0.1)),
    )  # fmt: skip
    chosen = Shadows(
        stop if rng.random() < 0.7 else None, modules if rng.random() < 0.6 else None,
        hot=_log_uniform(rng, 1e-7, 1e-4), dead=_log_uniform(rng, 1e-7, 1e-4),
            seed=int(rng.integers(1, 50)),
    )  # fmt: skip
    return replace(station, shadows=chosen)


def spots(station, rng):
    """Size and mosaicity of the crystals' blocks, crystal sizes, a second crystal, and the spectrum
    of the pulse.
    """
    mosaic = _log_uniform(rng, 0.03, 1.0)
    crystal = replace(station.crystal, mosaic_deg=mosaic,
        n_domains=int(np.clip(300 * mosaic, 40, 250)),
                      domain_um=_log_uniform(rng, 0.06, 0.25))  # fmt: skip
    stream = replace(station.stream, edge_median_um=_log_uniform(rng, 3, 30), edge_max_um=60.0,
                     p_another=0.15 * rng.integers(2))  # fmt: skip
    pink = Spectrum(bandpass=0.004, n_wavelengths=3) if rng.random() < 0.2 else Spectrum()
    return replace(station, crystal=crystal, stream=stream, spectrum=pink)


def crystals(station, rng):
    """One of ten proteins, from a cell of 30 angstrom to one of 300."""
    chosen = CRYSTALS[rng.integers(len(CRYSTALS))]
    own = station.crystal  # what the property before has set stays
    return replace(station, crystal=replace(chosen, mosaic_deg=own.mosaic_deg,
    n_domains=own.n_domains,
                                            domain_um=own.domain_um))  # fmt: skip


def ice(station, rng):
    """Powder rings of ice on a quarter of the shots, from a trace to a thick layer."""
    return replace(
        station, stream=replace(station.stream, p_ice=0.25, ice_um=_log_uniform(rng, 1, 60))
    )


def exposure(station, rng):
    """Brightness over five decades, from a few photons on the whole detector to a flood."""
    return replace(station, photons=station.photons * _log_uniform(rng, 3e-5, 3.0))


# In the order in which a ladder adds them.
PROPERTIES = {
    "geometry": geometry, "background": background, "readout": readout, "shadows": shadows,
    "spots": spots,
    "crystals": crystals, "ice": ice, "exposure": exposure,
}  # fmt: skip


def varied_station(rng, properties=tuple(PROPERTIES), base=DIFFRANET):
    """Draw a station.

    Parameters
    ----------
    rng : numpy.random.Generator
    properties : sequence of str
        Keys of `PROPERTIES`; all others stay those of `base`.
    base : Station

    Returns
    -------
    Station

    Raises
    ------
    InputError
        If a property is unknown.
    """
    unknown = set(properties) - set(PROPERTIES)
    require(
        not unknown, f"Unknown property {sorted(unknown)}: choose from {', '.join(PROPERTIES)}."
    )
    # Many crystals show too little at a weak exposure: more of them keep hits and misses in
    # balance.
    station = replace(base, stream=replace(base.stream, p_crystal=0.7), borders=FEW_SPOTS)
    for name, change in PROPERTIES.items():
        if name in properties:
            station = change(station, rng)
    return station


@dataclass(frozen=True)
class Crop:
    """A simulated image as a screener meets it.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        Zero where masked.
    mask : ndarray, same shape, bool
        True where usable; the detector knows its gaps and most, not all, of its bad pixels.
    hit : bool or None
        None where a crystal shows a few spots, too few to be a hit and too many to be none.
    label : Label
    """

    image: np.ndarray
    mask: np.ndarray
    hit: bool | None
    label: int


def draw_crop(rng, properties=tuple(PROPERTIES), base=DIFFRANET):
    """Draw a station, and one shot of it.

    Parameters
    ----------
    rng : numpy.random.Generator
    properties : sequence of str
    base : Station

    Returns
    -------
    Crop
    """
    station = varied_station(rng, properties, base)
    shot = render_shot(sample_shot(rng, station), station)
    counts = shot.counts
    if "readout" in properties:
        counts = unevenness(counts, station, rng)
    if "shadows" in properties:
        counts = warm_pixels(counts, rng)
    if "exposure" in properties and rng.random() < 0.5:
        counts = counts * np.float32(
            _log_uniform(rng, 0.3, 10.0)
        )  # units of charge that one photon makes
    return crop_of(shot, counts)


def unevenness(counts, station, rng):
    """Add what an integrating detector leaves uncorrected: a level for each tile, and a common one
    for each row.
    """
    readout, modules = station.readout, station.shadows.modules
    if readout.offset == 0:  # it counts photons
        return counts
    level = readout.read_noise * rng.uniform(0, 0.4)
    rows = rng.normal(0, level, counts.shape[0])[:, None]
    tiles = np.zeros(counts.shape)
    if modules is not None:
        lines = zip(counts.shape, modules.first, modules.shape, modules.gap, strict=True)
        slow, fast = ((np.arange(n) + first) // (size + gap) for n, first, size, gap in lines)
        tiles = rng.normal(0, 3 * level + 1e-9, (slow.max() + 1, fast.max() + 1))[
            slow[:, None], fast
        ]
    return np.clip(counts + rows + tiles, 0, readout.saturation).astype(np.float32)


def warm_pixels(counts, rng):
    """Raise a few single pixels, and now and then a pair, that no mask knows."""
    counts = counts.copy()
    for _ in range(rng.poisson(_log_uniform(rng, 0.1, 6.0))):
        slow, fast = (int(rng.integers(0, n - 1)) for n in counts.shape)
        height = np.sqrt(counts[slow, fast] + 10) * _log_uniform(rng, 4, 60)
        counts[slow, fast : fast + 1 + (rng.random() < 0.2)] += np.float32(height)
    return counts


def crop_of(shot: ShotImage, counts=None):
    """Turn a shot into what is left of it after masking and conversion to 8 bits.

    Parameters
    ----------
    shot : shots.ShotImage
    counts : ndarray, shape (n_slow, n_fast), float32, optional
        What the detector writes, where that is not `shot.counts`.

    Returns
    -------
    Crop
    """
    mask = np.ones(shot.image.shape, bool)
    for name in ("gap", "dead", "hot"):
        mask &= ~shot.masks.get(name, ~mask)
    image = np.where(mask, to_8bit(shot.counts if counts is None else counts), 0).astype(np.uint8)
    few = shot.truth["n_visible"] > 0 and not is_hit(shot.label)
    return Crop(image, mask, None if few else bool(is_hit(shot.label)), int(shot.label))
