"""Heavy step of chapter 80: render the set, time the renderer, and confuse some labels as people
do.
"""

from time import process_time

import numpy as np

from diffranet_utils.core.files import read_json
from diffranet_utils.data.split import load_manifest
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.drops import dataset, label_noise
from diffranet_utils.studies.drops.imagers import IMAGERS
from diffranet_utils.studies.drops.labels import CLASSES, Label

N_TIMED = 3  # pictures of each imager


def step(run):
    """Render what is missing of the set and describe it.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    root = dataset.ensure_dataset(run)
    card, manifest = read_json(root / "card.json"), load_manifest(root)
    rates = imager_rates(run.seed)
    values = {
        "pictures": plain_value(len(manifest), "picture"),
        "pictures_per_second_per_core": plain_value(
            len(rates) / sum(1 / r for r in rates.values()), "picture/s"
        ),
    }
    if card["made"] >= len(manifest):  # a resumed build timed only a part
        words = f"picture/s, {card['workers']} processes"
        values["pictures_per_second"] = plain_value(len(manifest) / card["seconds"], words)
    counts = np.bincount(manifest.label, minlength=len(CLASSES))
    values |= {
        f"share_{name}": metrics.proportion(n, len(manifest))
        for name, n in zip(CLASSES, counts, strict=True)
    }
    noisy = label_noise.with_noise(np.random.default_rng(run.seed), manifest.label)
    values["label_noise"] = metrics.proportion(int(noisy.wrong.sum()), len(manifest))
    return values, {
        "card": card,
        "imagers": manifest.imager.value_counts().to_dict(),
        "varieties": manifest.variety.value_counts().to_dict(),
        "rates": rates,
        "noise": metrics.confusion(noisy.true, noisy.given, Label),
    }


def imager_rates(seed):
    """Pictures a second of processor time for each imager, classes in proportion: what one idle
    core renders.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of str to float
    """
    rates = {}
    for imager in IMAGERS:
        dataset.make_for(imager, np.random.default_rng(seed))  # compile
        start = process_time()
        for k in range(N_TIMED):
            dataset.make_for(imager, np.random.default_rng([seed, k]))
        rates[imager.name] = N_TIMED / (process_time() - start)
    return rates
