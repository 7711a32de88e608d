"""One shot: draw its pulse and crystal, render the image, and read the label off the noiseless truth."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from . import background, bragg
from .crystal import mosaic_domains, random_orientation
from .detector import noise_gain, read_out, spread, to_8bit
from .geometry import Beam
from .labels import Label
from .stations import unit_crystal

N_SIGMA = 5.0  # a spot is visible when it stands this far above the noise of its surroundings
N_EDGES = 64  # crystal sizes drawn in advance; the first that shows enough spots is taken


@dataclass(frozen=True)
class Shot:
    """Everything random about one exposure, drawn before anything is computed.

    Parameters
    ----------
    photons : float
        Pulse energy as a number of photons; zero for a blank shot.
    wavelength_A : float
    rotation : ndarray, shape (3, 3), float64, or None
        Orientation of the crystal; None if there is none in the beam.
    domains : ndarray, shape (n_domains, 3, 3), float64, or None
        Rotations of its mosaic domains.
    edges_um : ndarray, shape (N_EDGES,), float64, or None
        Crystal edges in the order in which they are tried.
    noise_seed : int
        Seed of counting and read noise.
    """

    photons: float
    wavelength_A: float
    rotation: np.ndarray | None
    domains: np.ndarray | None
    edges_um: np.ndarray | None
    noise_seed: int


@dataclass(frozen=True)
class ShotImage:
    """A rendered shot with its truth.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8
        What the detector writes.
    label : Label
    truth : dict
        Pulse energy, wavelength, crystal edge, n_visible and orientation.
    bragg, background : ndarray, shape (n_slow, n_fast), float32
        Expected photons per pixel.
    """

    image: np.ndarray
    label: Label
    truth: dict
    bragg: np.ndarray
    background: np.ndarray


def sample_shot(rng, preset):
    """Draw one shot.

    Pulse energy ~ N(1, energy_sigma), negative values set to zero; wavelength ~ N(1, wavelength_sigma);
    a crystal is present in a share of the pulses that are not blank; its orientation is uniform, its edge
    log-normal up to a limit.

    Parameters
    ----------
    rng : numpy.random.Generator
    preset : Preset
        Its `station` is simulated.

    Returns
    -------
    Shot
    """
    station = preset.station
    photons = station.photons * max(0.0, 1 + station.energy_sigma * rng.standard_normal())
    wavelength = station.wavelength_A * (1 + station.wavelength_sigma * rng.standard_normal())
    noise_seed = int(rng.integers(2**63))
    if photons == 0 or rng.random() >= station.stream.p_crystal:
        return Shot(photons, wavelength, None, None, None, noise_seed)
    recipe = station.crystal
    rotation = random_orientation(rng)
    domains = mosaic_domains(rng, recipe.mosaic_deg, recipe.n_domains)
    return Shot(photons, wavelength, rotation, domains, sample_edges(rng, station.stream, N_EDGES), noise_seed)


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
        edges[too_large] = stream.edge_median_um * rng.lognormal(0, stream.edge_sigma, int(too_large.sum()))
    return edges


def render_shot(shot, preset):
    """Compute the image of a shot and label it by what its noiseless pattern shows.

    Parameters
    ----------
    shot : Shot
    preset : Preset
        As given to `sample_shot`.

    Returns
    -------
    ShotImage
    """
    station = preset.station
    beam = Beam(shot.wavelength_A, shot.photons, station.beam_um)
    back = background.expected_photons(beam, station.detector, station.layers)
    pattern, edge, visible = _crystal_pattern(shot, station, beam, back)
    rng = np.random.default_rng(shot.noise_seed)
    image = to_8bit(read_out(back + pattern, station.detector, station.readout, rng))
    truth = {
        "pulse_photons": shot.photons,
        "wavelength_A": shot.wavelength_A,
        "edge_um": edge,
        "n_visible": visible,
        "rotation": None if shot.rotation is None else shot.rotation.ravel().tolist(),
    }
    return ShotImage(image, label_of(shot, visible, station.borders), truth, pattern, back)


def label_of(shot, n_visible, borders):
    """Class of a shot from its truth.

    Parameters
    ----------
    shot : Shot
    n_visible : int
    borders : Borders

    Returns
    -------
    Label
        No-crystal for a crystal too small to show `borders.weak` spots at any size drawn, since a
        label says what the picture shows.
    """
    if shot.photons == 0:
        return Label.BLANK
    for label, border in ((Label.STRONG, borders.strong), (Label.GOOD, borders.good), (Label.WEAK, borders.weak)):
        if n_visible >= border:
            return label
    return Label.NO_CRYSTAL


def unit_pattern(shot, station, beam):
    """Expected Bragg photons of one simulated block, and the cells it stands for.

    Returns
    -------
    pattern : ndarray, shape (n_slow, n_fast), float32
    cells : int
        Multiply by ``edge^3 / volume / cells`` for a crystal of that edge.
    """
    crystal = unit_crystal(station.crystal).rotated(shot.rotation)
    pattern = bragg.expected_photons(crystal, beam, station.detector, shot.domains)
    return pattern, int(np.prod(crystal.n_cells))


def _crystal_pattern(shot, station, beam, back):
    """Bragg photons, edge and visible spots of the first crystal size that shows enough."""
    if shot.rotation is None:
        return np.zeros(station.detector.shape, np.float32), 0.0, 0
    unit, cells = unit_pattern(shot, station, beam)
    blurred = spread(unit, station.detector.pixel_mm * 1e3, station.readout)
    volume = unit_crystal(station.crystal).volume_A3
    for edge in shot.edges_um:
        scale = np.float32((edge * 1e4) ** 3 / volume / cells)
        visible = count_visible(blurred, scale, back, station)
        if visible >= station.borders.weak:
            break
    return unit * scale, float(edge), visible


def count_visible(blurred, scale, back, station):
    """Count the spots that an ideal observer would see.

    A spot is a local maximum (3 x 3) of the point-spread Bragg image above 5 sigma, with
    ``sigma^2 = w (B + (c B)^2) + read_noise^2``: B the expected background, c the calibration
    error, w the sum of the squared point spread.

    Parameters
    ----------
    blurred : ndarray, shape (n_slow, n_fast), float32
        Point-spread Bragg photons of one simulated block.
    scale : float
        Blocks in the crystal.
    back : ndarray, shape (n_slow, n_fast), float32
        Expected background photons.
    station : Station

    Returns
    -------
    int
    """
    readout = station.readout
    weight = noise_gain(station.detector.pixel_mm * 1e3, readout)
    variance = weight * (back + (readout.calibration_rms * back) ** 2) + readout.read_noise**2
    return int(_local_maxima(blurred, (N_SIGMA / scale) ** 2 * variance))


@njit(cache=True, nogil=True)
def _local_maxima(image, threshold2):
    """Count interior pixels that exceed their threshold and their eight neighbours."""
    count = 0
    for i in range(1, image.shape[0] - 1):
        for j in range(1, image.shape[1] - 1):
            v = image[i, j]
            if v * v <= threshold2[i, j]:
                continue
            # Later neighbours may tie, earlier ones may not: a flat top counts once.
            earlier = max(image[i - 1, j - 1], image[i - 1, j], image[i - 1, j + 1], image[i, j - 1])
            later = max(image[i, j + 1], image[i + 1, j - 1], image[i + 1, j], image[i + 1, j + 1])
            count += v > earlier and v >= later
    return count
