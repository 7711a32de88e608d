"""Sessions at a beamline: one user, material and set-up, and the patterns taken with them.

A session is drawn once; its patterns differ in exposure, thickness and counting noise, as those of
one user's beam time do. So a split by session asks what a split of images at random does not:
whether a method knows the technique or the user.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.studies.scattering import detector, giwaxs, saxs, waxs
from diffranet_utils.studies.scattering.camera import Camera
from diffranet_utils.studies.scattering.detector import Readout
from diffranet_utils.studies.scattering.gisaxs import (
    SHAPES,
    Islands,
    Medium,
    Surface,
    island_pattern,
    lattice_factor,
    paracrystal_factor,
    roughness_pattern,
)
from diffranet_utils.studies.scattering.labels import TECHNIQUES

#: Width and height of PILATUS 1M, 300K, 2M, 100K, 300K-W and 900K-W, EIGER 4M and 9M, round image
#: plates and CCDs of 345, 165 and 62 mm, and square panels.
DETECTORS_MM = (
    (168.7, 179.4),
    (83.8, 106.5),
    (253.7, 288.8),
    (83.8, 33.5),
    (253.7, 33.5),
    (253.7, 106.5),
    (155.2, 162.5),
    (233.1, 244.6),
    (345.0, 345.0),
    (165.0, 165.0),
    (62.0, 62.0),
    (200.0, 200.0),
    (410.0, 410.0),
)
GAPS = ((0, 0), (0, 0), (1, 1), (4, 1), (2, 0), (7, 2), (0, 2), (3, 3), (0, 1))
GEOMETRIES = 4  # kept in memory: all patterns of a session share one
TURNED = 0.2  # of the detectors are mounted on their side or read out from another corner
SEEN = 0.5  # a feature is seen where it is this much of all else


@dataclass(frozen=True)
class Session:
    """One beam time.

    Parameters
    ----------
    technique : str
    camera : Camera
    readout : Readout
    scatter : callable
        Takes the camera, a strength of the sample near 1 and a generator; gives a dict of
        intensities by feature, each of shape (n, n).
    horizon : ndarray, shape (n, n), bool, optional
        Pixels below the sample's horizon, as the detector stands upright.
    turns : int
        Quarter turns by which the detector is mounted, or its images are stored.
    """

    technique: str
    camera: Camera
    readout: Readout
    scatter: Callable = field(hash=False)
    horizon: np.ndarray | None = field(hash=False, default=None)
    turns: int = 0


@dataclass(frozen=True)
class Pattern:
    """One picture and the truth about it.

    Parameters
    ----------
    image : ndarray, shape (n, n), uint8
    counts : ndarray, shape (n, n), int64
        Photons.
    technique : str
    masks : dict of str to ndarray of bool
        Where rings, arcs, rods, peaks, halo, Yoneda band and horizon are seen.
    """

    image: np.ndarray
    counts: np.ndarray
    technique: str
    masks: dict


def draw_session(technique, seed, number, n=256):
    """Draw a session.

    Parameters
    ----------
    technique : str
        One of `TECHNIQUES`.
    seed, number : int
        Of the data set and of the session within its technique.
    n : int
        Pixels of a side.

    Returns
    -------
    Session

    Raises
    ------
    InputError
        If there is no such technique.
    """
    known = ", ".join(TECHNIQUES)
    require(technique in TECHNIQUES, f"Unknown technique {technique!r}: choose one of {known}.")
    rng = np.random.default_rng([seed, TECHNIQUES.index(technique), number])
    session = DRAW[technique](rng, n)
    readout = draw_readout(rng)
    turns = int(rng.integers(1, 4)) if rng.random() < TURNED else 0
    return replace(session, readout=readout, turns=turns)


def draw_readout(rng):
    """A detector, its beamstop and its display: counters with gaps, CCDs with an offset."""
    is_ccd = rng.random() < 0.25
    return Readout(
        photons=float(np.exp(rng.uniform(np.log(15), np.log(50_000)))),
        gaps=(0, 0) if is_ccd else GAPS[rng.integers(len(GAPS))],
        gap_px=int(rng.integers(1, 8)),
        stop_px=float(rng.choice([0, rng.uniform(2, 8), rng.uniform(6, 18)], p=[0.2, 0.6, 0.2])),
        stop_arm_deg=float(rng.choice([0, 90, 180, 270, rng.uniform(0, 360)])),
        stray=float(10 ** rng.uniform(-5, -1.3)),
        n_zingers=int(rng.integers(0, 15)),
        offset=float(np.exp(rng.uniform(np.log(5), np.log(1000)))) if is_ccd else 0.0,
        noise=float(rng.uniform(0.5, 4)) if is_ccd else 0.0,
        scale=float(10 ** rng.uniform(-0.5, 1.5)),
        aperture=float(rng.uniform(0.7, 1.1)) if rng.random() < 0.25 else 0.0,
    )


def take(session, rng):
    """Take one pattern of a session.

    Parameters
    ----------
    session : Session
    rng : numpy.random.Generator

    Returns
    -------
    Pattern
    """
    parts = session.scatter(session.camera, float(rng.lognormal(0, 0.2)), rng)
    readout = replace(session.readout, photons=session.readout.photons * rng.lognormal(0, 0.4))
    shadow = detector.gap_mask(session.camera.n, readout.gaps, readout.gap_px)
    shadow |= detector.aperture_mask(session.camera.n, readout.aperture)
    shadow |= detector.stop_mask(session.camera, readout.stop_px, readout.stop_arm_deg)
    total = np.sum(list(parts.values()), axis=0)
    counts = detector.count(total, shadow, readout, rng)
    masks = {
        name: (part > SEEN * (total - part)) & (part > 1e-3 * part[~shadow].max()) & ~shadow
        for name, part in parts.items()
        if name != "rest"
    }
    if session.horizon is not None:
        masks["horizon"] = session.horizon
    counts = np.rot90(counts, session.turns)
    masks = {name: np.rot90(mask, session.turns) for name, mask in masks.items()}
    return Pattern(detector.picture(counts, readout.scale), counts, session.technique, masks)


def _camera(rng, n, distance_mm, wavelength_A, beam_down=None):
    """A station; the beam meets most detectors in the middle, some at an edge, and misses a few."""
    width, height = DETECTORS_MM[rng.integers(len(DETECTORS_MM))]
    return Camera(
        width,
        height,
        float(np.exp(rng.uniform(*np.log(distance_mm)))),
        float(rng.uniform(*wavelength_A)),
        beam_right=_beam(rng),
        beam_down=_beam(rng) if beam_down is None else float(rng.uniform(*beam_down)),
        n=n,
    )


def _beam(rng):
    """Place of the beam along one side, as a fraction of it."""
    reach = ((0.3, 0.7), (0.0, 1.0), (-0.35, 1.35))
    return float(rng.uniform(*reach[rng.choice(3, p=(0.65, 0.23, 0.12))]))


@lru_cache(maxsize=GEOMETRIES)
def _transmission(camera):
    return camera.transmission()


@lru_cache(maxsize=GEOMETRIES)
def _grazing(camera, incidence_deg):
    return camera.grazing(incidence_deg)


def _draw_saxs(rng, n):
    camera = _camera(rng, n, (700, 9000), (0.6, 1.6))
    kind = ("dilute", "hard", "mesophase", "stack", "fibre", "calibrant")[rng.integers(6)]
    size = float(np.exp(rng.uniform(np.log(20), np.log(150))))
    facts = {
        "kind": kind,
        "size_A": size,
        "spread": float(rng.uniform(0.03, 0.2)),
        "fraction": float(rng.uniform(0.1, 0.4)),
        "phase": list(saxs.MESOPHASES)[rng.integers(len(saxs.MESOPHASES))],
        "parasitic": float(10 ** rng.uniform(-2, 0)),
    }
    return Session("SAXS", camera, None, partial(_saxs_parts, facts))


def _saxs_parts(facts, camera, strength, rng):
    q, chi = _transmission(camera)
    grid = np.geomspace(max(q.min(), 1e-4), q.max(), 400)
    size, kind = facts["size_A"] * (1 + 0.02 * rng.normal()), facts["kind"]
    parasitic = facts["parasitic"] / strength * np.interp(q, grid, (grid / grid[40]) ** -3.5)
    parts = {"rest": 1e-3 * parasitic + 1e-4}
    if kind == "fibre":
        lengths = partial(saxs.cylinder_amplitude, radius_A=size, length_A=40 * size)
        return parts | {"halo": saxs.oriented_pattern(lengths, q, chi, 12.0)}
    if kind in ("dilute", "hard"):
        curve = saxs.size_average(saxs.sphere_form, grid, size, facts["spread"])
        if kind == "hard":
            curve = curve * saxs.hard_sphere_factor(grid, 1.1 * size, facts["fraction"])
        return parts | {"halo": np.interp(q, grid, curve)}
    if kind == "stack":
        peaks = saxs.stack_factor(grid, 3 * size, 12, 0.2 * size * facts["spread"]) - 0.9
        return parts | {"ring": np.interp(q, grid, np.maximum(peaks, 0) / 10 * np.exp(-5 * grid))}
    period = 58.38 if kind == "calibrant" else 2.5 * size  # silver behenate; Huang et al. 1993
    phase = "lamellar" if kind == "calibrant" else facts["phase"]
    first = 2 * np.pi / period
    peaks = saxs.mesophase_factor(grid, phase, first, 0.02 * first + 3e-4, 0.15 * period)
    centre = 0.3 * (1 + (grid * 2 * size) ** 2) ** -2
    return parts | {"ring": np.interp(q, grid, peaks), "halo": np.interp(q, grid, centre)}


def _draw_waxs(rng, n):
    camera = _camera(rng, n, (70, 450), (0.2, 1.55))
    largest = _transmission(camera)[0].max()
    if rng.random() < 0.6:
        name = list(waxs.CUBIC)[rng.integers(len(waxs.CUBIC))]
        rings = waxs.powder_rings(name, largest)
        rings = rings[0], rings[1] * np.exp(-0.06 * rings[0] ** 2) / 12
    else:  # a semicrystalline polymer or organic powder: few rings of low order
        places = np.sort(rng.uniform(0.6, min(largest, 3.5), rng.integers(2, 9)))
        rings = places, rng.exponential(1.0, places.size)
    facts = {
        "rings": rings,
        "width_A": float(10 ** rng.uniform(-2.1, -1.2)),
        "texture": (float(rng.uniform(0, np.pi)), float(rng.uniform(0.5, 4))),
        "textured": bool(rng.random() < 0.35),
        "grains": float(10 ** rng.uniform(-0.5, 2.5)),
        "halo": float(10 ** rng.uniform(-2, 0.1)),
        "halo_q_A": float(rng.uniform(1.2, 2.2)),
    }
    return Session("WAXS", camera, None, partial(_waxs_parts, facts))


def _waxs_parts(facts, camera, strength, rng):
    q, chi = _transmission(camera)
    texture = facts["texture"] if facts["textured"] else None
    rings = waxs.ring_pattern(q, chi, facts["rings"], facts["width_A"], texture)
    rings = rings * waxs.grainy(q, chi, facts["grains"], rng) * strength
    air = 0.4 * np.exp(-q / 0.5) + 0.05
    amorphous = facts["halo"] * waxs.halo(q, facts["halo_q_A"], 0.35)
    name = "arc" if facts["textured"] else "ring"
    return {"rest": air, name: rings, "halo": amorphous}


def _draw_gisaxs(rng, n):
    incidence = float(rng.uniform(0.12, 0.45))
    camera = _above_horizon(_camera(rng, n, (1000, 6500), (0.8, 1.6), (0.5, 1.05)), incidence)
    wave = camera.wavelength_A
    film = Medium.of_density(float(rng.uniform(0.25, 0.4)), wave) if rng.random() < 0.4 else None
    thickness = float(rng.uniform(200, 900)) if film else 0.0
    surface = Surface(wave, incidence, Medium.of_density(0.7, wave), film, thickness)
    radius = float(np.exp(rng.uniform(np.log(20), np.log(120))))
    height = min(radius * float(rng.uniform(0.6, 2.5)), thickness or np.inf)
    facts = {
        "surface": surface,
        "islands": Islands(SHAPES[rng.integers(len(SHAPES))], radius, height, 0.12, 5),
        "order": ("none", "paracrystal", "lattice")[rng.integers(3)],
        "distance_A": radius * float(rng.uniform(2.2, 4)),
        "disorder": float(rng.uniform(0.08, 0.3)),
        "rough": float(10 ** rng.uniform(-2.5, -0.5)),
    }
    horizon = _grazing(camera, incidence)[0] < 0
    return Session("GISAXS", camera, None, partial(_gisaxs_parts, facts), horizon)


def _gisaxs_parts(facts, camera, strength, rng):
    surface, distance = facts["surface"], facts["distance_A"] * (1 + 0.01 * rng.normal())
    exit_angle, q = _grazing(camera, surface.incidence_deg)
    plane = np.hypot(q[0], q[1])
    structure = np.ones_like(plane)
    if facts["order"] == "paracrystal":
        structure = paracrystal_factor(plane, distance, facts["disorder"] * distance, 30 * distance)
    elif facts["order"] == "lattice":
        structure = lattice_factor(plane, "hexagonal", distance, 0.1 / distance, 0.05 * distance)
    pattern = island_pattern(surface, facts["islands"], structure, exit_angle, plane, n_q=256)
    pattern = pattern / max(np.quantile(pattern, 0.999), 1e-300) * strength
    rough = facts["rough"] * roughness_pattern(surface, 400.0, 0.5, exit_angle, plane)
    return {"rest": 1e-5 + _specular(camera, surface), "rod": pattern, "yoneda": rough}


def _specular(camera, surface):
    """The reflected beam and its rod, narrow in the plane of incidence."""
    exit_angle, q = _grazing(camera, surface.incidence_deg)
    width = 2 * camera.wavenumber * camera.width_mm / camera.n / camera.distance_mm
    spot = np.exp(-(((exit_angle - np.radians(surface.incidence_deg)) * 1000) ** 2))
    return np.where(exit_angle > 0, (5 * spot + 0.05) * np.exp(-((q[1] / width) ** 2)), 0)


def _above_horizon(camera, incidence_deg):
    """The same station with the sample's horizon where the beam would have been."""
    rise_mm = camera.distance_mm * np.tan(np.radians(incidence_deg))
    return replace(camera, beam_down=float(camera.beam_down + rise_mm / camera.height_mm))


def _draw_giwaxs(rng, n):
    incidence = float(rng.uniform(0.1, 0.3))
    camera = _above_horizon(_camera(rng, n, (90, 450), (0.7, 1.55), (0.6, 1.15)), incidence)
    lamellar, stacking = rng.uniform(0.25, 0.6), rng.uniform(1.5, 1.9)
    orders = np.arange(1, 5)
    out_of_plane = np.stack([lamellar * orders, 0 * orders, 1 / orders**2], axis=1)
    in_plane = np.array([[stacking, np.pi / 2, 0.6]])
    mixed = np.stack(
        [rng.uniform(0.5, 2.6, 6), rng.uniform(0.1, np.pi / 2, 6), rng.exponential(0.3, 6)], axis=1
    )
    facts = {
        "arcs": np.concatenate([out_of_plane, in_plane, mixed[: rng.integers(0, 7)]]),
        "width_A": float(10 ** rng.uniform(-1.9, -1.3)),
        "spread": float(np.radians(10 ** rng.uniform(0.5, 1.6))),
        "rods": np.stack([rng.uniform(1.0, 2.0, 3), rng.exponential(0.5, 3)], axis=1),
        "has_rods": bool(rng.random() < 0.35),
        "halo": float(10 ** rng.uniform(-2, 0.1)),
        "incidence_deg": incidence,
    }
    horizon = _grazing(camera, incidence)[0] < 0
    return Session("GIWAXS", camera, None, partial(_giwaxs_parts, facts), horizon)


def _giwaxs_parts(facts, camera, strength, rng):
    exit_angle, q = _grazing(camera, facts["incidence_deg"])
    length, chi = giwaxs.polar(q)
    above = exit_angle > 0
    wave = Surface(camera.wavelength_A, 0.2, Medium.of_density(0.7, camera.wavelength_A))
    yoneda = roughness_pattern(wave, 8.0, 0.4, exit_angle, np.hypot(q[0], q[1]))
    spread = facts["spread"] * (1 + 0.05 * rng.normal())
    arcs = giwaxs.arc_pattern(length, chi, facts["arcs"], facts["width_A"], spread)
    parts = {"rest": np.where(above, 0.1 * np.exp(-length / 0.4) + 0.02, 0.002)}
    parts |= {"arc": strength * arcs * above, "yoneda": 0.3 * yoneda}
    parts["halo"] = facts["halo"] * waxs.halo(length, 1.5, 0.35) * above
    if facts["has_rods"]:
        parts["rod"] = giwaxs.rod_pattern(q, facts["rods"], facts["width_A"], 0.8) * above
    return parts


DRAW = {"SAXS": _draw_saxs, "WAXS": _draw_waxs, "GISAXS": _draw_gisaxs, "GIWAXS": _draw_giwaxs}
