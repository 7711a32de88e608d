"""Chapter 10: time the Bragg image, and compare it with nanoBragg's."""

import os
from time import perf_counter

import numpy as np

from diffranet_utils.crystals import bragg, nanobragg
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.diffranet.full_shot import full_shot, station_beam
from diffranet_utils.studies.diffranet.stations import unit_crystal

DOMAIN_COUNTS = (1, 3, 10, 30, 100, 300)


def step(run):
    """Time the reflection loop against the pixel loop on one image, and vary the number of domains.

    Where the environment variable DIFFRANET_REFERENCE names images of nanoBragg, compare with these
    too.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    station, shot = run.preset.shots.experiment, full_shot(run)
    crystal, beam = (
        unit_crystal(station.crystal).rotated(shot.crystals[0].rotation),
        station_beam(shot, station),
    )
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
        "differing_pixels": plain_value(
            int(differing.sum() + (images["reflections"][~lit] > 0).sum()), "pixel"
        ),
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
    return {
        "domains": n,
        "seconds": seconds,
        "lit_pixels": int((image > 0).sum()),
        "pixels_with_half": half,
    }
