"""Time the whole simulation, photons to label, in the paper's class mix: one core, two cores,
scaling and memory.

Writes results/bench/simulator.json, which chapter 10 shows. Run it on an idle machine: `make
bench`.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from time import perf_counter

import numpy as np

from diffranet_utils.core.files import write_json
from diffranet_utils.crystals import bragg
from diffranet_utils.crystals.crystal import mosaic_domains, random_orientation
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.stations import DIFFRANET, unit_crystal

PRESET, SEED = presets.get("smoke"), 11
N_IMAGES, REPEATS = 80, 9
MEMORY = (
    "import resource, diffranet_utils.studies.diffranet.dataset as d, "
    "diffranet_utils.studies.diffranet.stations as s\n"
    + (
        "for k in range(20): d.make_image(s.DIFFRANET, 11, 'train', k)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
)


def make_one(k):
    """Simulate one image of the class mix."""
    make_image(DIFFRANET, SEED, "train", k)


def seconds():
    """Seconds that one and two processes need for the same images, round by round in turn.

    Images are handed out one by one: they differ in cost, and a core that waits at the end of a
    short round would not do so in a data set of thousands.
    """
    context, found = get_context("spawn"), {1: [], 2: []}
    with (
        ProcessPoolExecutor(1, mp_context=context) as one,
        ProcessPoolExecutor(2, mp_context=context) as two,
    ):
        for pool in (one, two):
            list(pool.map(make_one, range(16)))  # compile and load
        for round_ in range(REPEATS):
            images = range(N_IMAGES * round_, N_IMAGES * (round_ + 1))
            for n, pool in ((1, one), (2, two)):
                start = perf_counter()
                list(pool.map(make_one, images))
                found[n].append(perf_counter() - start)
    return found[1], found[2]


def seconds_of(detector=DIFFRANET.detector, n_domains=300, oversample=2):
    """Median seconds of one Bragg image."""
    rng = np.random.default_rng(SEED)
    crystal = unit_crystal(DIFFRANET.crystal).rotated(random_orientation(rng))
    beam, domains = DIFFRANET.beam(1e12, 1.5), mosaic_domains(rng, 0.5, n_domains)
    times = []
    for _ in range(4):
        start = perf_counter()
        bragg.expected_photons(crystal, beam, detector, domains, oversample=oversample)
        times.append(perf_counter() - start)
    return median(times[1:])


def resized(factor):
    """The paper's detector with `factor` times as many, smaller pixels along each edge."""
    n = int(512 * factor)
    return Detector(n, n, 0.172 / factor, DIFFRANET.detector.distance_mm)


def scaling():
    """Seconds against domains, sub-pixels and pixels of the same field of view."""
    domains = {n: seconds_of(n_domains=n) for n in (30, 100, 300, 1000)}
    oversample = {n * n: seconds_of(oversample=n) for n in (1, 2, 3, 4)}
    pixels = {int(512 * f) ** 2: seconds_of(resized(f)) for f in (0.5, 1, 2, 3)}
    return {"domains": domains, "sub-pixels in a pixel": oversample, "pixels": pixels}


def main():
    os.environ["OMP_NUM_THREADS"] = "1"
    of_one, of_two = seconds()
    memory = float(
        subprocess.run(
            [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
        ).stdout
    )
    found = {
        "images_per_second_one_core": N_IMAGES / median(of_one),
        "images_per_second_two_cores": N_IMAGES / median(of_two),
        "two_cores_over_one": sum(of_one) / sum(of_two),
        "peak_memory_mb": memory,
        "scaling_s": scaling(),
        "n_images": N_IMAGES * REPEATS,
    }
    print(json.dumps(found, indent=1))
    write_json("results/bench/simulator.json", found | provenance.origin())


if __name__ == "__main__":
    main()
