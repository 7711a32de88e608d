"""How much of a network's attention falls on visible spots."""

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from diffranet_utils.data.build import image_number
from diffranet_utils.instrument.detector import spread
from diffranet_utils.learning.attention import METHODS, concentration
from diffranet_utils.records.metrics import mean_interval
from diffranet_utils.records.tables import grouped
from diffranet_utils.studies.diffranet.dataset import make_image
from diffranet_utils.studies.diffranet.labelling import N_SIGMA, noise_variance
from diffranet_utils.studies.diffranet.labels import is_hit

RADIUS_PX = 2  # attention so near to a visible spot counts as on it


def spot_mask(station, seed, split, number, radius=RADIUS_PX):
    """Pixels near a visible spot of a simulated image, from its noiseless layers.

    Parameters
    ----------
    station, seed, split, number
        Which image, as for `dataset.make_image`.
    radius : int
        Pixels around a visible one that count too.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), bool
    """
    image = make_image(station, seed, split, number)
    seen = spread(image.bragg, station.detector.pixel_mm * 1e3, station.readout)
    lit = seen > N_SIGMA * np.sqrt(noise_variance(image.background, station))
    return maximum_filter(lit, 2 * radius + 1)


def attention_on_spots(network, split, name, run, n_images, methods=None):
    """Score the attention on images with visible spots.

    Parameters
    ----------
    network : DeepFreak
    split : Split
        A simulated split of `run`.
    name : str
        Its name.
    run : provenance.Run
    n_images : int
        The first so many images of classes weak, good and strong.
    methods : dict of str to callable, optional
        By default `METHODS`.

    Returns
    -------
    list of dict
        Per image and method: ``id``, ``label``, ``predicted``, ``method``, ``share``, ``area``, and
        as a control ``turned``, the share on the same spots turned by 90 degrees about the middle
        of the image.
    """
    network.cpu().eval()
    rows = []
    for k in np.flatnonzero(is_hit(split.labels))[:n_images]:
        image = np.asarray(split.images[k : k + 1])
        with torch.no_grad():
            predicted = int(network(torch.from_numpy(image.copy())[:, None]).argmax()) + 1
        mask = spot_mask(run.preset.dataset.experiment, run.seed, name, image_number(split.ids[k]))
        for method, explain in (methods or METHODS).items():
            attention = explain(network, image, [predicted])[0]
            share, area = concentration(attention, mask)
            about = {
                "id": split.ids[k],
                "label": int(split.labels[k]),
                "predicted": predicted,
                "method": method,
            }
            rows.append(
                {
                    **about,
                    "share": share,
                    "area": area,
                    "turned": concentration(attention, np.rot90(mask))[0],
                }
            )
    return rows


def attention_values(rows):
    """Record entries: mean share of the attention on spots, and on spots turned, per method, and of
    the pixels.
    """
    values = {}
    for method, mine in grouped(rows, "method").items():
        key = method.lower().replace("-", "_")
        values[f"{key}_share_on_spots"] = _over_images([row["share"] for row in mine])
        values[f"{key}_share_on_turned_spots"] = _over_images([row["turned"] for row in mine])
        values["area_of_spots"] = _over_images([row["area"] for row in mine])
    return values


def _over_images(shares):
    entry = mean_interval(shares)  # over few images it reaches beyond what a share can be
    limits = {"low": max(entry["low"], 0.0), "high": min(entry["high"], 1.0)}
    return entry | limits | {"interval": "t 95 % over images, within 0 and 1"}
