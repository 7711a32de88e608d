"""Chapter 50: the models of a run, trained on simulation, before real frames."""

import numpy as np

from diffranet_utils.records.metrics import accuracy, balanced_accuracy
from diffranet_utils.studies.diffranet import real_set
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.labels import is_hit
from diffranet_utils.studies.diffranet.real_models import baseline_values, ensure_models


def step(run):
    """Heavy step of chapter 50: the models of this run, trained on simulation, before real frames.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`; `details` names the source, real or stand-in.
    """
    models, trained = ensure_models(run)
    found = real_set.load(run)
    target = float(load_split(ensure_dataset(run), "train").images.mean())
    images, gain = real_set.image_kinds(found, target)
    values, verdicts = baseline_values(found), {}
    for name, model in models.items():
        for kind, crops in images.items():
            labels = np.asarray(model.predict(crops))
            values[f"{name}_{found.key}_{kind}_accuracy"] = accuracy(found.hits, is_hit(labels))
            values[f"{name}_{found.key}_{kind}_balanced_accuracy"] = balanced_accuracy(
                found.hits, is_hit(labels)
            )
            verdicts[f"{name} {kind}"] = labels.tolist()
    details = {
        "source": found.source,
        "frames": found.table,
        "crop_frame": found.frame.tolist(),
        "gain": gain,
    }
    details |= {
        "crop_labels": verdicts,
        "crop_spots": found.crop_spots.tolist(),
        "synthetic_mean": target,
    }
    return values, details | {
        "trained_here": trained,
        "left_out": sorted(set(run.preset.real_frames.models) - set(models)),
    }
