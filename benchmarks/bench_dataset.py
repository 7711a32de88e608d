"""Time the making and reading of data sets: images/s on one and two workers, memory against size,
first batch.

Writes results/bench/dataset.json, which chapter 20 shows. Run it on an idle machine: `make bench`.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from torch.utils.data import DataLoader

from diffranet_utils.core.files import write_json
from diffranet_utils.data.build import build_dataset
from diffranet_utils.data.loaders import SplitDataset
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import dataset, presets

RATE = replace(
    presets.get("smoke"), n_train=800, n_validation=20, n_test=20
)  # starting processes must not count
SIZES = (1_000, 5_000, 20_000)
# A build of images that cost nothing: what grows is bookkeeping alone.
MEMORY = """
import resource, sys, tempfile
from dataclasses import replace
from diffranet_utils.data.build import build_dataset
from diffranet_utils.instrument.geometry import Detector
from diffranet_utils.studies.diffranet import dataset, presets
from diffranet_utils.studies.diffranet.stations import DIFFRANET, Stream
detector = Detector(32, 32, 2.75, 80.0)
station = replace(DIFFRANET, name="empty", detector=detector, stream=Stream(p_crystal=0.0))
sizes = {"n_train": int(sys.argv[1]), "n_validation": 1, "n_test": 1}
preset = replace(presets.get("smoke"), station=station, **sizes)
with tempfile.TemporaryDirectory() as root:
    build_dataset(root, dataset.recipe(preset), 1, workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def rate(workers):
    """Images per second of a whole build, files and manifest included."""
    with tempfile.TemporaryDirectory() as root:
        start = perf_counter()
        build_dataset(root, dataset.recipe(RATE), 5, workers=workers)
        seconds = perf_counter() - start
        images = [p.stat().st_size for p in Path(root).rglob("*.pgm")]
        start = perf_counter()
        next(iter(DataLoader(SplitDataset(dataset.load_split(root, "train")), batch_size=64)))
        return len(images) / seconds, sum(images) / len(images), perf_counter() - start


def memory(n):
    """Peak memory of a build of `n` images, megabytes."""
    command = [sys.executable, "-c", MEMORY, str(n)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    dataset.make_image(RATE.station, 5, "train", 0)  # compile
    (one, size, first), (two, _, _) = rate(1), rate(2)
    found = {
        "images_per_second": {1: one, 2: two},
        "bytes_per_image": size,
        "seconds_to_first_batch": first,
        "memory_mb": {n: memory(n) for n in SIZES},
        "n_images": sum(RATE.split_sizes.values()),
    }
    print(json.dumps(found, indent=1))
    write_json("results/bench/dataset.json", found | provenance.origin())


if __name__ == "__main__":
    main()
