"""Time texture features beside scikit-image, and frames/s from an 8-bit image to its class.

Writes results/bench/features.json, which chapters 30 and 32 show. Run it on an idle machine: `make
bench`. The models are those of a run of chapter 32, by default build/results/full/models; give
another folder as argument.
"""

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from diffranet_utils.core.files import write_json
from diffranet_utils.core.progress import progress
from diffranet_utils.features import texture as features
from diffranet_utils.learning.fitted import load_model
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.dataset import make_image

N_IMAGES, REPEATS, N_SPEED = 24, 5, 600


def skimage_glcm(image):
    angles = np.deg2rad(features.ANGLES_DEG)
    matrix = graycomatrix(image, features.DISTANCES, angles, symmetric=True, normed=True)
    return [graycoprops(matrix, name) for name in features.PROPERTIES]


PAIRS = {
    "glcm": (lambda image: features.glcm_features(image[None]), skimage_glcm),
    "lbp": (
        lambda image: features.lbp_codes(image, 24, 3),
        lambda image: local_binary_pattern(image, 24, 3, method="uniform"),
    ),
}


def seconds(function, image):
    start = perf_counter()
    function(image)
    return perf_counter() - start


def beside_skimage(images):
    """Median seconds per image of both, timed in turns, and their ratio."""
    found = {}
    for name, (ours, theirs) in PAIRS.items():
        ours(images[0])  # compile
        times = [
            (seconds(ours, image), seconds(theirs, image))
            for _ in range(REPEATS)
            for image in images
        ]
        us, them = (median(column) for column in zip(*times, strict=True))
        found[name] = {
            "seconds": us,
            "skimage_seconds": them,
            "ratio": median(b / a for a, b in times),
        }
    return found


def frames_per_second(folder, images):
    """Images/s from 8-bit image to class for each model of chapter 32, on one thread and on two."""
    found = {}
    for path in sorted(folder.glob("*.skops")):
        rates = {}
        for n_workers in (1, 2):
            model = load_model(path, n_workers)
            if hasattr(model.classifier, "n_jobs"):
                model.classifier.n_jobs = n_workers
            model.predict(images[:20])
            rates[n_workers] = median(
                len(images) / seconds(model.predict, images) for _ in range(3)
            )
        facts = json.loads(path.with_suffix(".json").read_text())
        accuracy = facts["values"][f"{path.stem}_test_accuracy"]
        found[path.stem] = {
            "images_per_second": rates,
            "config": facts["config"],
            "test_accuracy": accuracy,
        }
    return found


def main(folder="build/results/full/models"):
    preset = presets.get("full")
    numbers = progress(range(N_SPEED), title="images")
    images = np.stack([make_image(preset.station, 5, "test", number).image for number in numbers])
    found = {
        "n_images": N_IMAGES,
        "repeats": REPEATS,
        "n_speed": N_SPEED,
        "preset": Path(folder).parent.name,
    }
    found |= {
        "features": beside_skimage(images[:N_IMAGES]),
        "models": frames_per_second(Path(folder), images),
    }
    print(json.dumps(found, indent=1))
    write_json("results/bench/features.json", found | provenance.origin())


if __name__ == "__main__":
    main(*sys.argv[1:])
