"""Peak memory of `diffranet screen` on a long folder beside a short one: it must not grow with the
number of frames.

Writes results/bench/screener_memory.json. The frames are links to one of 512 x 512 pixels, so the
disk stays empty; spots are counted, without the model, so that ten thousand frames take minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from fabio.cbfimage import CbfImage

from diffranet_utils.core.files import write_json
from diffranet_utils.records import provenance

SIZES = (500, 10_000)
PROGRAM = (sys.executable, "-m", "diffranet_utils.cli.main")


def folder_of(n, root):
    """A folder of n links to one frame."""
    folder = Path(root) / str(n)
    folder.mkdir()
    first = folder / "frame_000000.cbf"
    CbfImage(data=np.random.default_rng(1).poisson(20, (512, 512)).astype(np.int32)).write(
        str(first)
    )
    for k in range(1, n):
        os.link(first, folder / f"frame_{k:06d}.cbf")
    return folder


def screen(n):
    """Screen n frames in a process of its own: peak MB of that process, seconds, lines written."""
    with tempfile.TemporaryDirectory() as root:
        table = Path(root) / "verdicts.csv"
        command = [*PROGRAM, "screen", folder_of(n, root), "--model", "count", "--out", table]
        start = perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, f"screen ended with {status}"
        lines = len(table.read_text().splitlines()) - 1
    return {"peak_MB": usage.ru_maxrss / 1024, "seconds": perf_counter() - start, "frames": lines}


def main():
    found = {str(n): screen(n) for n in SIZES}
    small, large = (found[str(n)]["peak_MB"] for n in SIZES)
    print(json.dumps(found | {"ratio": large / small}, indent=1))
    write_json(
        "results/bench/screener_memory.json",
        {"folders": found, "ratio": large / small} | provenance.origin(),
    )


if __name__ == "__main__":
    main()
