"""Time the screener: prepared images/s on one core and on two, and the whole way from a six-megapixel CBF to a verdict.

Writes results/bench/screener.json, which chapter 51 shows. Run it on an idle machine: `make bench`. The CBF is written
here, as large as a PILATUS 6M; the baseline, spots counted on the same prepared images, is timed beside.
"""

import json
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from fabio.cbfimage import CbfImage

from diffranet_utils.core.files import write_json
from diffranet_utils.frames import peaks
from diffranet_utils.frames import read as frames
from diffranet_utils.records import provenance
from diffranet_utils.screening import model as screener_model
from diffranet_utils.screening import screener as screening
from diffranet_utils.studies.diffranet import crop_tables
from diffranet_utils.studies.diffranet.study import STUDY

N_IMAGES, REPEATS = 200, 5
SHAPE_6M = (2527, 2463)


def seconds(function):
    """Median seconds of a call."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return median(times)


def prepared():
    """Simulated crops and masks of one station that the model has not met."""
    crops = [crop_tables.draw(np.random.default_rng([5, k]), station="pilatus") for k in range(N_IMAGES)]
    return np.stack([crop.image for crop in crops]), np.stack([crop.mask for crop in crops])


def count_spots(images, masks):
    """The baseline on prepared images: grey values are square roots of counts."""
    for image, mask in zip(images, masks, strict=True):
        peaks.find_peaks(np.square(image, dtype=np.float32), mask)


def whole_way():
    """Seconds to read, mask, count, prepare and judge one frame of six megapixels."""
    data = np.random.default_rng(1).poisson(20, SHAPE_6M).astype(np.int32)
    screener = screening.load_screener(STUDY, n_workers=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "six.cbf"
        CbfImage(data=data).write(str(path))
        screener.screen(path)
        return {"read": seconds(lambda: frames.read_frame(path)), "all": seconds(lambda: screener.screen(path))}


def main():
    images, masks = prepared()
    rates = {}
    for n_workers in (1, 2):
        model = screener_model.load(n_workers=n_workers)
        model.forest.n_jobs = n_workers
        model.predict_proba(images[:10], masks[:10])
        rates[n_workers] = N_IMAGES / seconds(lambda model=model: model.predict_proba(images, masks))
    count_spots(images[:2], masks[:2])
    counting = N_IMAGES / seconds(lambda: count_spots(images, masks))
    found = {"images_per_second": rates, "spot_count_images_per_second": {1: counting}, "cbf_6m_seconds": whole_way()}
    found |= {"n_images": N_IMAGES, "repeats": REPEATS}
    print(json.dumps(found, indent=1))
    write_json("results/bench/screener.json", found | provenance.origin())


if __name__ == "__main__":
    main()
