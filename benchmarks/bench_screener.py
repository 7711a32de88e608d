"""Time the screener: six-megapixel CBF files to verdicts, blank frames in memory, and the command
from its start.

Writes results/bench/screener.json, which chapter 51 shows. Run it on an idle machine: `make bench`.
The files are written here, as large as a PILATUS 6M, half of them blank; where DIALS is installed,
its `dials.find_spots` reads the same files on the same core. Everything runs on one core but where
it says two.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from diffranet_utils.core.files import write_json
from diffranet_utils.records import provenance
from diffranet_utils.screening import judge
from diffranet_utils.screening.screener import Screener, screen_paths

SHAPE, N_FILES, REPEATS = (2527, 2463), 20, 3
HEADER = """# Detector: PILATUS 6M, S/N 60-0000
# Pixel_size 172e-6 m x 172e-6 m
# Count_cutoff 1000000 counts
# Wavelength 1.0 A
# Detector_distance 0.35 m
# Beam_xy (1231.5, 1263.5) pixels"""


def seconds(function):
    """Median seconds of a call."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return median(times)


def write_frames(folder):
    """Files of counting noise that falls off from the beam, every second with spots on a square
    lattice.
    """
    from fabio.cbfimage import CbfImage

    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE) - np.array(SHAPE)[:, None, None] / 2
    light = 0.3 + 20 * np.exp(-np.hypot(y, x) / 600)
    gaps = np.zeros(SHAPE, bool)
    gaps[np.arange(SHAPE[0]) % 212 >= 195] = gaps[:, np.arange(SHAPE[1]) % 494 >= 487] = True
    for k in range(N_FILES):
        counts = rng.poisson(light).astype(np.int32)
        if k % 2:
            for row, column in np.argwhere(np.ones((24, 24))) * 100 + 50:
                counts[row : row + 3, column : column + 3] += rng.poisson(30, (3, 3))
        counts[gaps] = -1
        header = {
            "_array_data.header_convention": "PILATUS_1.2",
            "_array_data.header_contents": HEADER,
        }
        CbfImage(data=counts, header=header).write(str(folder / f"frame_{k + 1:05d}.cbf"))
    return sorted(folder.glob("*.cbf"))


def command_seconds(*words):
    """Seconds of `diffranet screen` in a process of its own, caches warm."""
    words = [sys.executable, "-m", "diffranet_utils.cli.main", "screen", *map(str, words)]
    return seconds(lambda: subprocess.run(words, check=True, capture_output=True))


def dials_seconds(files, folder):
    """Seconds of dials.find_spots on one core over the files; None where it is not installed."""
    if shutil.which("dials.find_spots") is None:
        return None
    words = [
        "dials.find_spots",
        *map(str, files),
        "nproc=1",
        f"output.reflections={folder / 'strong.refl'}",
    ]
    start = perf_counter()
    subprocess.run(words, check=True, capture_output=True, cwd=folder)
    return perf_counter() - start


def blank_rate(screener, shape=(4000, 4000)):
    """Megapixels a second of blank frames in memory, one core."""
    blank = np.random.default_rng(2).poisson(0.5, shape).astype(np.uint16)
    screener.screen(blank)
    return blank.size / 1e6 / seconds(lambda: screener.screen(blank))


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) if hasattr(
        os, "sched_setaffinity"
    ) else None
    screener = Screener(judge.load(), "screener")
    with tempfile.TemporaryDirectory() as name:
        files = write_frames(Path(name))
        verdicts = [record["verdict"] for record in screen_paths(files, screener)]
        found = {
            "files_per_second": len(files) / seconds(lambda: list(screen_paths(files, screener))),
            "first_verdict_seconds": command_seconds(files[0]),
            "blank_megapixels_per_second": blank_rate(screener),
            "verdicts": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
        }
        dials = dials_seconds(files, Path(name))
        found["dials_files_per_second"] = None if dials is None else len(files) / dials
    found |= {
        "n_files": N_FILES,
        "megapixels_of_a_file": SHAPE[0] * SHAPE[1] / 1e6,
        "repeats": REPEATS,
    }
    print(json.dumps(found, indent=1))
    write_json("results/bench/screener.json", found | provenance.origin())


if __name__ == "__main__":
    main()
