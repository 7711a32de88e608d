"""Heavy steps of the simulation chapters: timings, layers of an image, and what makes a pattern strong."""

import os
from dataclasses import asdict, replace
from time import perf_counter

import numpy as np

from diffranet_utils.crystals import bragg, nanobragg
from diffranet_utils.crystals.crystal import mosaic_domains, random_orientation
from diffranet_utils.instrument import background, geometry
from diffranet_utils.instrument.detector import noise_gain, point_spread, read_out, spread, to_8bit
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.stations import unit_crystal

DOMAIN_COUNTS = (1, 3, 10, 30, 100, 300)
EDGES_UM = (4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)
ENERGIES = (0.25, 1.0, 2.0)  # of the mean pulse


def full_shot(run, number=0, edge_um=15.0):
    """A shot at the mean pulse energy with a crystal in the beam, the same for the same run.

    Parameters
    ----------
    run : provenance.Run
    number : int
        Which orientation.
    edge_um : float
        Crystal edge.

    Returns
    -------
    Shot
    """
    station, rng = run.preset.station, np.random.default_rng([run.seed, 1000, number])
    rotation = random_orientation(rng)
    domains = mosaic_domains(rng, station.crystal.mosaic_deg, station.crystal.n_domains)
    pose = shots.Pose(rotation, domains, np.array([edge_um]))
    return shots.Shot(station.photons, station.wavelength_A, (pose,), number)


def station_beam(shot, station):
    """The beam of one shot."""
    return station.beam(shot.photons, shot.wavelength_A)


def bragg_step(run):
    """Time the reflection loop against the pixel loop on one image, and vary the number of domains.

    Where the environment variable DIFFRANET_REFERENCE names images of nanoBragg, compare with these too.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    station, shot = run.preset.station, full_shot(run)
    crystal, beam = unit_crystal(station.crystal).rotated(shot.crystals[0].rotation), station_beam(shot, station)
    images, seconds = {}, {}
    for backend in ("reflections", "pixels"):
        bragg.expected_photons(
            crystal, beam, station.detector, shot.crystals[0].domains[:1], backend=backend
        )  # compile first
        start = perf_counter()
        images[backend] = bragg.expected_photons(
            crystal, beam, station.detector, shot.crystals[0].domains, backend=backend
        )
        seconds[backend] = perf_counter() - start
    lit = images["pixels"] > 0
    differing = np.abs(images["reflections"] - images["pixels"])[lit] > 1e-4 * images["pixels"][lit]
    values = {
        "seconds_per_bragg_image": plain_value(seconds["reflections"], "s"),
        "speed_over_pixel_loop": plain_value(seconds["pixels"] / seconds["reflections"], "x"),
        "lit_pixels": plain_value(int(lit.sum()), "pixel"),
        "differing_pixels": plain_value(int(differing.sum() + (images["reflections"][~lit] > 0).sum()), "pixel"),
    }
    details = {"domains": [_domain_row(crystal, beam, station, shot, n) for n in DOMAIN_COUNTS]}
    folder = os.environ.get("DIFFRANET_REFERENCE")
    return values, details | {"nanobragg": nanobragg.compare_all(folder) if folder else []}


def _domain_row(crystal, beam, station, shot, n):
    """What a pattern of the first n domains looks like, and what it costs."""
    start = perf_counter()
    image = bragg.expected_photons(crystal, beam, station.detector, shot.crystals[0].domains[:n])
    seconds = perf_counter() - start
    brightest = np.sort(image[image > 0])[::-1]
    half = int(np.searchsorted(np.cumsum(brightest), 0.5 * brightest.sum())) + 1
    return {"domains": n, "seconds": seconds, "lit_pixels": int((image > 0).sum()), "pixels_with_half": half}


def detector_step(run):
    """Mean photons of every layer of one image, and the variance that the detector adds.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    station, shot = run.preset.station, full_shot(run)
    beam = station_beam(shot, station)
    layers = {layer.material: background.expected_photons(beam, station.detector, (layer,)) for layer in station.layers}
    values = {
        f"mean_{name}_photons": plain_value(float(image.mean()), "photons per pixel") for name, image in layers.items()
    }
    ring = np.argmax(layers["water"])  # the brightest pixel of the water lies on its ring
    ring_A = float(geometry.resolution(station.detector, shot.wavelength_A).flat[ring])
    values["water_ring_spacing"] = plain_value(ring_A, "Å")
    readout, pixel_um = station.readout, station.detector.pixel_mm * 1e3
    centre = point_spread(np.zeros((1, 1)), np.zeros((1, 1)), readout.point_spread, readout.fwhm_um / pixel_um)
    values["centre_pixel_share"] = plain_value(float(centre[0, 0]), "of the light")
    values["noise_gain"] = plain_value(noise_gain(pixel_um, readout), "of the counting variance")
    transfer = [photon_transfer(station, level, run.seed) for level in np.geomspace(1, 3000, 14)]
    gaps = [abs(row["variance"] / row["expected_variance"] - 1) for row in transfer]
    values["largest_gap_to_closed_form"] = plain_value(100 * max(gaps), "% of the variance")
    return values, {"transfer": transfer}


def expected_variance(station, level, fixed_pattern=True):
    """Variance of a flat field in closed form, away from the edges and from saturation.

    ``w (B + (c B)^2) + r^2 + 1/12``: B the expected photons, c the calibration error, w the sum of the squared
    point spread, r the read noise; rounding down adds the last term.

    Parameters
    ----------
    station : Station
    level : float or ndarray
        Expected photons per pixel.
    fixed_pattern : bool
        False leaves out the calibration error, as the difference of two exposures does.

    Returns
    -------
    float or ndarray
        Photons squared.
    """
    readout = station.readout
    uneven = (readout.calibration_rms * level) ** 2 if fixed_pattern else 0.0
    return noise_gain(station.detector.pixel_mm * 1e3, readout) * (level + uneven) + readout.read_noise**2 + 1 / 12


def photon_transfer(station, level, seed):
    """Mean and variance of a flat field, as a detector test measures them.

    Parameters
    ----------
    station : Station
    level : float
        Expected photons per pixel.
    seed : int

    Returns
    -------
    dict
        ``level``, ``mean``, ``variance`` of one exposure with ``expected_variance`` in closed form, and
        ``difference_variance``, half the variance of the difference of two exposures: what remains when the fixed
        pattern cancels; ``grey_difference_variance`` is the same after the square root to 8 bits.
    """
    rng = np.random.default_rng([seed, 2000])
    flat = np.full(station.detector.shape, level)
    inner = (slice(32, -32), slice(32, -32))
    one, two = (read_out(flat, station.detector, station.readout, rng)[inner] for _ in range(2))
    return {
        "level": float(level),
        "mean": float(one.mean()),
        "variance": float(one.var()),
        "expected_variance": expected_variance(station, float(level)),
        "difference_variance": float((one - two).var() / 2),
        "grey_difference_variance": float((to_8bit(one) - to_8bit(two).astype(float)).var() / 2),
    }


def classes_step(run):
    """Visible spots against crystal edge and pulse energy, for several orientations.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    n = 3 if run.preset.name == "smoke" else 12
    rows = [row for number in range(n) for row in visible_spots(run, number)]
    mean = [np.mean([r["n_visible"] for r in rows if r["edge_um"] == e and r["energy"] == 1.0]) for e in EDGES_UM]
    at_ten = float(mean[EDGES_UM.index(10)])
    values = {"visible_spots_10um": plain_value(at_ten, f"spots, mean of {n} orientations")}
    borders = asdict(run.preset.station.borders)
    for name, border in borders.items():
        edge = float(np.interp(np.log1p(border), np.log1p(mean), EDGES_UM))
        values[f"{name}_edge_um"] = plain_value(edge, "µm at the mean pulse")
    return values, {"rows": rows, "borders": borders}


def visible_spots(run, number):
    """Count visible spots of one orientation for every edge and energy.

    The Bragg pattern is computed once and scaled: it is proportional to the crystal's volume and the pulse.

    Parameters
    ----------
    run : provenance.Run
    number : int
        Which orientation.

    Returns
    -------
    list of dict
        ``edge_um``, ``energy`` (of the mean pulse), ``orientation``, ``n_visible``.
    """
    station, shot = run.preset.station, full_shot(run, number)
    unit, cells = shots.unit_pattern(shot.crystals[0], station, station_beam(shot, station))
    blurred = spread(unit, station.detector.pixel_mm * 1e3, station.readout)
    volume, rows = unit_crystal(station.crystal).volume_A3, []
    for energy in ENERGIES:
        beam = station_beam(replace(shot, photons=energy * shot.photons), station)
        back = background.expected_photons(beam, station.detector, station.layers)
        for edge in EDGES_UM:
            scale = energy * (edge * 1e4) ** 3 / volume / cells
            visible = shots.count_visible(blurred, scale, back, station)
            rows.append({"edge_um": edge, "energy": energy, "orientation": number, "n_visible": visible})
    return rows
