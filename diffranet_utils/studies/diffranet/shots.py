"""One shot: draw its pulse and crystal, render the image, and read the label off the noiseless
truth.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.crystals import bragg, disorder
from diffranet_utils.crystals.crystal import mosaic_domains, random_orientation
from diffranet_utils.instrument import background, shadows
from diffranet_utils.instrument.background import Layer
from diffranet_utils.instrument.detector import read_out, spread, to_8bit
from diffranet_utils.studies.diffranet.labelling import count_visible, label_of
from diffranet_utils.studies.diffranet.labels import Label
from diffranet_utils.studies.diffranet.stations import unit_crystal

N_EDGES = 64  # crystal sizes drawn in advance; the first that shows enough spots is taken


@dataclass(frozen=True)
class Pose:
    """One crystal in the beam.

    Parameters
    ----------
    rotation : ndarray, shape (3, 3), float64
        Orientation.
    domains : ndarray, shape (n_domains, 3, 3), float64
        Rotations of its mosaic domains.
    edges_um : ndarray, shape (N_EDGES,), float64
        Edges in the order in which they are tried.
    """

    rotation: np.ndarray
    domains: np.ndarray
    edges_um: np.ndarray


@dataclass(frozen=True)
class Shot:
    """Everything random about one exposure, drawn before anything is computed.

    Parameters
    ----------
    photons : float
        Pulse energy as a number of photons; zero for a blank shot.
    wavelength_A : float
    crystals : tuple of Pose
        Empty where there is none in the beam.
    noise_seed : int
        Seed of counting and read noise.
    ice_um : float
        Thickness of ice in the beam, beside that of the station's layers.
    """

    photons: float
    wavelength_A: float
    crystals: tuple
    noise_seed: int
    ice_um: float = 0.0


@dataclass(frozen=True)
class ShotImage:
    """A rendered shot with its truth.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        What is kept of it.
    label : Label
    truth : dict
        Pulse energy, wavelength, crystals, ice, n_visible and orientations.
    bragg, background : ndarray, shape (n_slow, n_fast), float32
        Expected photons per pixel, before any shadow.
    counts : ndarray, shape (n_slow, n_fast), float32
        What the detector writes.
    masks : dict
        Name to ndarray, shape (n_slow, n_fast), bool: pixels ``stopped``, ``gap``, ``hot``,
        ``dead``; empty where the station has no shadows.
    """

    image: np.ndarray
    label: Label
    truth: dict
    bragg: np.ndarray
    background: np.ndarray
    counts: np.ndarray
    masks: dict


def sample_shot(rng, station):
    """Draw one shot.

    Pulse energy ~ N(1, energy_sigma), negative values set to zero; wavelength ~ N(1,
    wavelength_sigma); a crystal is present in a share of the pulses that are not blank; its
    orientation is uniform, its edge log-normal up to a limit. More crystals, and ice, come where
    the station's stream has them.

    Parameters
    ----------
    rng : numpy.random.Generator
    station : Station

    Returns
    -------
    Shot
    """
    photons = station.photons * max(0.0, 1 + station.energy_sigma * rng.standard_normal())
    wavelength = station.wavelength_A * (1 + station.wavelength_sigma * rng.standard_normal())
    noise_seed = int(rng.integers(2**63))
    if photons == 0:
        return Shot(photons, wavelength, (), noise_seed)
    crystals = _sample_crystals(rng, station)
    # Drawn last and only where asked for, so that stations without ice keep their shots.
    icy = station.stream.p_ice > 0 and rng.random() < station.stream.p_ice
    return Shot(photons, wavelength, crystals, noise_seed, station.stream.ice_um if icy else 0.0)


def _sample_crystals(rng, station):
    stream, recipe, crystals = station.stream, station.crystal, []
    chance = stream.p_crystal
    while chance > 0 and rng.random() < chance:
        rotation = random_orientation(rng)
        domains = mosaic_domains(rng, recipe.mosaic_deg, recipe.n_domains)
        crystals.append(Pose(rotation, domains, sample_edges(rng, stream, N_EDGES)))
        chance = stream.p_another
    return tuple(crystals)


def sample_edges(rng, stream, n):
    """Crystal edges: log-normal, redrawn where they exceed the limit.

    Parameters
    ----------
    rng : numpy.random.Generator
    stream : Stream
    n : int

    Returns
    -------
    ndarray, shape (n,), float64
        Micrometre.
    """
    edges = np.full(n, np.inf)
    while (too_large := edges > stream.edge_max_um).any():
        edges[too_large] = stream.edge_median_um * rng.lognormal(
            0, stream.edge_sigma, int(too_large.sum())
        )
    return edges


def render_shot(shot, station, backend="auto"):
    """Compute the image of a shot and label it by what its noiseless pattern shows.

    Parameters
    ----------
    shot : Shot
    station : Station
        As given to `sample_shot`.
    backend : str
        Who computes the Bragg spots, see `bragg.expected_photons`.

    Returns
    -------
    ShotImage
    """
    beam, shade = (
        station.beam(shot.photons, shot.wavelength_A),
        shadows.shade(station.detector, station.shadows),
    )
    back = background.expected_photons(beam, station.detector, station_layers(shot, station))
    pattern, back, edges, visible = _crystal_patterns(shot, station, beam, back, backend)
    counts = expose(back + pattern, station, np.random.default_rng(shot.noise_seed))
    truth = {
        "pulse_photons": shot.photons,
        "wavelength_A": shot.wavelength_A,
        "edge_um": edges[0] if edges else 0.0,
        "other_edges_um": edges[1:],
        "n_crystals": len(edges),
        "ice_um": _ice_um(shot, station),
        "n_visible": visible,
        "rotation": [float(x) for pose in shot.crystals for x in pose.rotation.flat],
    }
    masks = {} if shade is None else shade.masks()
    label = label_of(shot.photons, visible, station.borders)
    return ShotImage(to_8bit(counts), label, truth, pattern, back, counts, masks)


def expose(expected, station, rng):
    """One exposure of what is expected: shadows, counting, read-out.

    Parameters
    ----------
    expected : ndarray, shape (n_slow, n_fast), float32
        Photons per pixel before any shadow.
    station : Station
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float32
        Counts.
    """
    detector, readout = station.detector, station.readout
    shade = shadows.shade(detector, station.shadows)
    if shade is None:
        return read_out(expected, detector, readout, rng)
    return shade.read(
        read_out(expected * shade.transmission, detector, readout, rng), readout.saturation
    )


def station_layers(shot, station):
    """Layers that the pulse crosses: those of the station, and the shot's ice."""
    return (*station.layers, Layer("ice", shot.ice_um * 1e-3)) if shot.ice_um else station.layers


def _ice_um(shot, station):
    """Thickness of all ice that the pulse crosses."""
    return shot.ice_um + 1e3 * sum(
        layer.thickness_mm for layer in station.layers if layer.material == "ice"
    )


def spot_lists(shot, image, station):
    """Every spot of a rendered shot, crystal by crystal.

    Parameters
    ----------
    shot : Shot
    image : ShotImage
        Of this shot.
    station : Station

    Returns
    -------
    list of ndarray
        One table per crystal as `bragg.spot_list` gives it, photons of the whole crystal, before
        any shadow.
    """
    beam, form = station.beam(shot.photons, shot.wavelength_A), unit_crystal(station.crystal)
    tables = []
    for pose, edge in zip(shot.crystals, crystal_edges(image.truth), strict=True):
        turned = form.rotated(pose.rotation)
        table = bragg.spot_list(
            turned, beam, station.detector, pose.domains, oversample=station.oversample
        )
        table["photons"] *= (edge * 1e4) ** 3 / (form.volume_A3 * np.prod(form.n_cells))
        tables.append(table)
    return tables


def crystal_edges(truth):
    """Edges of all crystals of a shot from its truth, micrometre."""
    return [truth["edge_um"], *truth["other_edges_um"]] if truth["n_crystals"] else []


def unit_pattern(pose, station, beam, backend="auto"):
    """Expected Bragg photons of one simulated block of a crystal, and the cells it stands for.

    Parameters
    ----------
    pose : Pose
    station : Station
    beam : Beam
    backend : str
        See `bragg.expected_photons`.

    Returns
    -------
    pattern : ndarray, shape (n_slow, n_fast), float32
    cells : int
        Multiply by ``edge^3 / volume / cells`` for a crystal of that edge.
    """
    crystal = unit_crystal(station.crystal).rotated(pose.rotation)
    shape = {"oversample": station.oversample, "spot": station.spot}
    pattern = bragg.expected_photons(
        crystal, beam, station.detector, pose.domains, backend=backend, **shape
    )
    return pattern, int(np.prod(crystal.n_cells))


def _crystal_patterns(shot, station, beam, back, backend):
    """Bragg photons, background with disorder, edges and visible spots at the first sizes that show
    enough.
    """
    if not shot.crystals:
        return np.zeros(station.detector.shape, np.float32), back, [], 0
    units = [unit_pattern(pose, station, beam, backend)[0] for pose in shot.crystals]
    blurred = [spread(unit, station.detector.pixel_mm * 1e3, station.readout) for unit in units]
    form = unit_crystal(station.crystal)
    block = form.volume_A3 * np.prod(form.n_cells)
    one_cell = None
    if station.disorder:
        one_cell = disorder.disorder_photons(
            beam, station.detector, station.crystal, station.disorder
        )
    for edges in zip(*(pose.edges_um for pose in shot.crystals), strict=True):
        scales = [np.float32((edge * 1e4) ** 3 / block) for edge in edges]
        behind = (
            back
            if one_cell is None
            else back + one_cell * np.float32(sum(scales) * np.prod(form.n_cells))
        )
        visible = count_visible(_weighted(blurred, scales), 1.0, behind, station)
        if visible >= station.borders.weak:
            break
    return _weighted(units, scales), behind, [float(edge) for edge in edges], visible


def _weighted(images, scales):
    return sum(image * scale for image, scale in zip(images, scales, strict=True))
