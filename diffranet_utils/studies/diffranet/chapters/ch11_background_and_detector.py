"""Chapter 11: photons of every layer, and the variance that the detector adds."""

import numpy as np

from diffranet_utils.instrument import background, geometry
from diffranet_utils.instrument.detector import (
    expected_variance,
    noise_gain,
    point_spread,
    read_out,
    to_8bit,
)
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.diffranet.full_shot import full_shot, station_beam


def step(run):
    """Mean photons of every layer of one image, and the variance that the detector adds.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    station, shot = run.preset.shots.experiment, full_shot(run)
    beam = station_beam(shot, station)
    layers = {
        layer.material: background.expected_photons(beam, station.detector, (layer,))
        for layer in station.layers
    }
    values = {
        f"mean_{name}_photons": plain_value(float(image.mean()), "photons per pixel")
        for name, image in layers.items()
    }
    ring = np.argmax(layers["water"])  # the brightest pixel of the water lies on its ring
    ring_A = float(geometry.resolution(station.detector, shot.wavelength_A).flat[ring])
    values["water_ring_spacing"] = plain_value(ring_A, "Å")
    readout, pixel_um = station.readout, station.detector.pixel_mm * 1e3
    centre = point_spread(
        np.zeros((1, 1)), np.zeros((1, 1)), readout.point_spread, readout.fwhm_um / pixel_um
    )
    values["centre_pixel_share"] = plain_value(float(centre[0, 0]), "of the light")
    values["noise_gain"] = plain_value(noise_gain(pixel_um, readout), "of the counting variance")
    transfer = [photon_transfer(station, level, run.seed) for level in np.geomspace(1, 3000, 14)]
    gaps = [abs(row["variance"] / row["expected_variance"] - 1) for row in transfer]
    values["largest_gap_to_closed_form"] = plain_value(100 * max(gaps), "% of the variance")
    return values, {"transfer": transfer}


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
        ``level``, ``mean``, ``variance`` of one exposure with ``expected_variance`` in closed form,
        and ``difference_variance``, half the variance of the difference of two exposures: what
        remains when the fixed pattern cancels; ``grey_difference_variance`` is the same after the
        square root to 8 bits.
    """
    rng = np.random.default_rng([seed, 2000])
    flat = np.full(station.detector.shape, level)
    inner = (slice(32, -32), slice(32, -32))
    one, two = (read_out(flat, station.detector, station.readout, rng)[inner] for _ in range(2))
    return {
        "level": float(level),
        "mean": float(one.mean()),
        "variance": float(one.var()),
        "expected_variance": expected_variance(
            station.readout, station.detector.pixel_mm * 1e3, float(level)
        ),
        "difference_variance": float((one - two).var() / 2),
        "grey_difference_variance": float((to_8bit(one) - to_8bit(two).astype(float)).var() / 2),
    }
