"""Chapter 20: build the data set and time it."""

from time import perf_counter

import numpy as np

from diffranet_utils.core.files import read_json
from diffranet_utils.data.split import load_manifest
from diffranet_utils.records.metrics import proportion
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, make_image
from diffranet_utils.studies.diffranet.labels import CLASS_NAMES


def step(run):
    """Heavy step of chapter 20: build the set, and measure the rate of simulation from scratch.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    root = ensure_dataset(run)
    card, manifest = read_json(root / "card.json"), load_manifest(root)
    for k in range(3):  # compile, and make the table of structure factors
        make_image(run.preset.dataset.experiment, run.seed, "validation", k)
    start, n = perf_counter(), 20
    for k in range(n):
        make_image(run.preset.dataset.experiment, run.seed, "train", k)
    values = {
        "images_per_second_per_core": plain_value(
            n / (perf_counter() - start), "image/s on one core"
        ),
        "images": plain_value(len(manifest), "image"),
    }
    if card["made"] >= len(manifest):  # a resumed build timed only a part
        values["images_per_second"] = plain_value(
            len(manifest) / card["seconds"], f"image/s, {card['workers']} processes"
        )
    shares = np.bincount(manifest.label, minlength=6)[1:]
    values |= {
        f"share_{name}": proportion(k, len(manifest))
        for name, k in zip(CLASS_NAMES, shares, strict=True)
    }
    return values, {"card": card}
