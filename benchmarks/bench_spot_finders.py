"""Spot finders on the same frames: what each finds, how much of it is right, and how long it takes.

Frames of the book's photon-counting station are written as PILATUS files. Which spots are visible
is known from the noiseless image (`labelling.count_visible`), so that each program's spots can be
counted as right or wrong. Programs that are not installed are left out: `dials.find_spots` (DIALS,
with its defaults) and peakfinder8 (as the package `ondamonitor` compiles it, in its usual settings
for counting detectors). Writes results/bench/spot_finders.json, which the page on other programs
shows.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from diffranet_utils.core.files import write_json
from diffranet_utils.frames.lattice import FlatGeometry
from diffranet_utils.instrument.detector import spread
from diffranet_utils.instrument.shadows import Modules
from diffranet_utils.records import provenance
from diffranet_utils.records.metrics import proportion
from diffranet_utils.screening.evidence import gather
from diffranet_utils.studies.diffranet import labelling, shots
from diffranet_utils.studies.diffranet.stations import PILATUS

N_FRAMES, NEAR_PX, SEED = 60, 2.0, 2019
# A PILATUS 300K at the place of the station's detector: three modules of 195 x 487 pixels.
STATION = replace(
    PILATUS,
    detector=replace(
        PILATUS.detector, n_slow=619, n_fast=487, beam_slow_px=310.5, beam_fast_px=244.5
    ),
    shadows=replace(PILATUS.shadows, modules=Modules((195, 487), (17, 7))),
)
READER = """
import json, sys
from dials.array_family import flex
table = flex.reflection_table.from_file(sys.argv[1])
print(json.dumps([[*place[:2], k] for place, k in zip(table["xyzobs.px.value"], table["id"])]))
"""


def truth_of(picture):
    """Places (fast, slow; pixels) of the spots that an ideal observer sees."""
    pixel_um = STATION.detector.pixel_mm * 1e3
    spots = spread(picture.bragg, pixel_um, STATION.readout)
    sigma = np.sqrt(labelling.noise_variance(picture.background, STATION))
    spots = spots * ~picture.masks["gap"]
    seen = (spots == maximum_filter(spots, 3)) & (spots > labelling.N_SIGMA * sigma)
    slow, fast = np.nonzero(seen)
    return np.column_stack([fast, slow]) + 0.5


def write_frame(path, counts, wavelength_A):
    """One image as a PILATUS writes it."""
    from fabio.cbfimage import CbfImage

    detector = STATION.detector
    header = "\n".join(
        [
            "# Detector: PILATUS 300K, S/N 3-0000",
            "# 2026-01-01T12:00:00.000",
            f"# Pixel_size {detector.pixel_mm * 1e3:.0f}e-6 m x {detector.pixel_mm * 1e3:.0f}e-6 m",
            "# Exposure_time 0.0990 s",
            "# Exposure_period 0.1000 s",
            "# Start_angle 0.0000 deg.",
            "# Angle_increment 0.0000 deg.",
            "# Count_cutoff 1000000 counts",
            f"# Wavelength {wavelength_A:.5f} A",
            f"# Detector_distance {detector.distance_mm / 1e3} m",
            f"# Beam_xy ({detector.beam_fast_px}, {detector.beam_slow_px}) pixels",
        ]
    )
    contents = {
        "_array_data.header_convention": "PILATUS_1.2",
        "_array_data.header_contents": header,
    }
    CbfImage(data=counts, header=contents).write(str(path))


def make_frames(folder):
    """Write the frames; returns files, images and the places of their visible spots."""
    files, images, truths = [], [], []
    for number in range(N_FRAMES):
        shot = shots.sample_shot(np.random.default_rng([SEED, number]), STATION)
        picture = shots.render_shot(shot, STATION)
        files.append(folder / f"frame_{number:05d}.cbf")
        counts = np.where(picture.masks["gap"], -1, np.rint(picture.counts)).astype(np.int32)
        images.append(counts)
        truths.append(truth_of(picture))
        write_frame(files[-1], counts, shot.wavelength_A)
    return files, images, truths


def ours(images):
    """The screener's spots: those as wide as the detector's spots are."""
    detector = STATION.detector
    geometry = FlatGeometry(
        STATION.wavelength_A,
        detector.distance_mm,
        detector.pixel_mm * 1e3,
        detector.beam_fast_px,
        detector.beam_slow_px,
    )
    found = []
    for image in images:
        evidence = gather(image, geometry)
        spots = evidence.peaks.select(evidence.spot_like)
        found.append(np.column_stack([spots.fast, spots.slow]))
    return found


def dials(files, folder, *settings):
    """Spots of dials.find_spots, on one core."""
    words = ["dials.find_spots", *map(str, files), "nproc=1", *settings]
    strong = folder / "strong.refl"
    subprocess.run(
        [*words, f"output.reflections={strong}"], check=True, capture_output=True, cwd=folder
    )
    reader = folder / "reader.py"
    reader.write_text(READER)
    with open(shutil.which("dials.find_spots"), encoding="utf-8") as script:
        python = script.readline().removeprefix("#!").strip()  # the one that DIALS is made for
    run = [*python.split(), str(reader), str(strong)]
    places = np.array(json.loads(subprocess.run(run, check=True, capture_output=True).stdout))
    places = places.reshape(-1, 3)
    return [places[places[:, 2].astype(int) == k, :2] for k in range(len(files))]


def peakfinder8(images):
    """Spots of Cheetah's peak finder (Barty et al., 2014, J. Appl. Cryst. 47, 1118)."""
    finder = import_module("om.algorithms._crystallography").peakfinder_8
    n_slow, n_fast = images[0].shape
    slow, fast = np.indices((n_slow, n_fast))
    detector = STATION.detector
    radius = np.hypot(fast - detector.beam_fast_px, slow - detector.beam_slow_px)
    none = np.zeros(1, np.int32)
    found = []
    for image in images:
        table = finder(
            5000, image.astype(np.float32), (image >= 0).astype(np.int8),
            radius.astype(np.float32), 0, none, none, 0,
            n_fast, n_slow, 1, 1, 5.0, 5.0, 1, 20, 3,
        )  # fmt: skip
        found.append(np.column_stack([table[0], table[1]]) + 0.5)
    return found


def compared(found, truths):
    """How many spots are right, and how many of the visible ones are found."""
    right = shown = recalled = n = 0
    for places, truth in zip(found, truths, strict=True):
        n, shown = n + len(places), shown + len(truth)
        if len(places) and len(truth):
            right += int(np.sum(cKDTree(truth).query(places)[0] <= NEAR_PX))
            recalled += int(np.sum(cKDTree(places).query(truth)[0] <= NEAR_PX))
    false = [len(places) for places, truth in zip(found, truths, strict=True) if not len(truth)]
    return {
        "found": n,
        "right": proportion(right, n) if n else None,
        "of_the_visible": proportion(recalled, shown),
        "most_on_an_empty_frame": max(false, default=0),
    }


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, images, truths = make_frames(folder)
        programs = {"ours": lambda: ours(images)}
        if shutil.which("dials.find_spots"):
            programs["dials.find_spots"] = lambda: dials(files, folder)
            small = "min_spot_size=2"  # by default spots of fewer than six pixels are left out
            programs[f"dials.find_spots {small}"] = lambda: dials(files, folder, small)
        try:
            import_module("om.algorithms._crystallography")
            programs["peakfinder8"] = lambda: peakfinder8(images)
        except ImportError:
            print("peakfinder8 is not installed", file=sys.stderr)
        rows = {}
        ours(images[:1])  # compiled
        for program, find in programs.items():
            start = perf_counter()
            found = find()
            seconds = perf_counter() - start
            rows[program] = compared(found, truths) | {"seconds_a_frame": seconds / len(files)}
    record = {
        "station": "pilatus",
        "n_frames": N_FRAMES,
        "n_empty": sum(not len(truth) for truth in truths),
        "n_visible": sum(map(len, truths)),
        "near_px": NEAR_PX,
        "programs": rows,
    }
    print(json.dumps(record, indent=1))
    write_json("results/bench/spot_finders.json", record | provenance.origin())


if __name__ == "__main__":
    main()
