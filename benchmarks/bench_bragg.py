"""Time one Bragg image of the paper (300 domains, 2 x 2 sub-pixels) on one core: ours beside its
peers.

Peers are the pixel loop of this repository and, where the environment variable NANOBRAGG names the
program, nanoBragg itself (compile it with -O3). Prints medians and ratios and writes
results/bench/bragg.json.
"""

import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from diffranet_utils.core.files import write_json
from diffranet_utils.crystals import bragg
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.full_shot import full_shot, station_beam
from diffranet_utils.studies.diffranet.stations import unit_crystal

REPEATS = 5
RUN = provenance.Run(presets.get("smoke"), 2019, Path("build"), Path("build"))


def timed(function, repeats=REPEATS):
    """Seconds of each call."""
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        seconds.append(perf_counter() - start)
    return seconds


def nanobragg_command(program, folder):
    """Command line of the same image, with a table of random structure factors."""
    station = RUN.preset.station
    factors = unit_crystal(station.crystal).factors
    index = np.argwhere(factors.table > 0)
    rows = np.c_[index + np.array(factors.origin), factors.table[tuple(index.T)]]
    np.savetxt(Path(folder) / "f.hkl", rows, fmt="%d %d %d %.2f")
    cell, cells, detector = station.crystal.cell, station.crystal.n_cells, station.detector
    return [
        program, "-hkl", "f.hkl", "-cell", *map(str, cell), "-misset", "10", "20", "30",
        "-lambda", str(station.wavelength_A), "-distance", str(detector.distance_mm),
        "-detpixels", str(detector.n_fast), "-pixel", str(detector.pixel_mm),
        "-Na", str(cells[0]), "-Nb", str(cells[1]), "-Nc", str(cells[2]), "-tophat_spots",
        "-oversample", "2",
        "-flux", "1e12", "-beamsize", "0.03", "-exposure", "1", "-noprogress", "-nointerpolate",
        "-nonoise",
        "-mosaic", str(station.crystal.mosaic_deg), "-mosaic_domains",
        str(station.crystal.n_domains),
    ]  # fmt: skip


def time_nanobragg(program):
    """Seconds of nanoBragg's image, without the time it takes to read the table."""
    with tempfile.TemporaryDirectory() as folder:
        command = nanobragg_command(program, folder)
        one_pixel = [*command, "-roi", "0", "1", "0", "1"]

        def run(line):
            return lambda: subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        return [
            max(a - b, 0)
            for a, b in zip(timed(run(command), 3), timed(run(one_pixel), 3), strict=True)
        ]


def main():
    station, shot = RUN.preset.station, full_shot(RUN)
    crystal = unit_crystal(station.crystal).rotated(shot.crystals[0].rotation)
    beam = station_beam(shot, station)

    def image(backend):
        return lambda: bragg.expected_photons(
            crystal, beam, station.detector, shot.crystals[0].domains, backend=backend
        )

    image("reflections")()  # compile
    seconds = {
        "reflection loop": timed(image("reflections"), 2 * REPEATS),
        "pixel loop": timed(image("pixels"), 3),
    }
    if program := os.environ.get("NANOBRAGG"):
        seconds["nanoBragg"] = time_nanobragg(program)
    ours = median(seconds["reflection loop"])
    for name, values in seconds.items():
        print(
            f"{name:16s} {median(values):8.4f} s   {median(values) / ours:7.1f} x ours   "
            f"({len(values)} runs)"
        )
    write_json("results/bench/bragg.json", {"seconds": seconds, **provenance.origin()})


if __name__ == "__main__":
    main()
