"""Where the network looks: SmoothGrad maps of drops, scored against the renderer's masks."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from diffranet_utils.learning.attention import concentration, smooth_gradients
from diffranet_utils.records.metrics import mean_interval

from .crops import brought_to
from .dataset import truth_of
from .labels import CLASSES, Label
from .preprocess import centre_crop

N_SAMPLES = 16
NOISE = 0.15
"""Noise over the range of the values, -1 to 1: between the 10 and 20 % that Smilkov et al. (2017)
recommend.
"""

REACH = 0.015
"""How far beside a crystal or grain attention still counts as on it, over the side of the
square.
"""


@dataclass(frozen=True)
class Look:
    """One picture, where the network looked, and where it should.

    Attributes
    ----------
    square : ndarray, shape (crop, crop, 3), uint8
        What the network saw.
    attention : ndarray, shape (crop, crop), float32
        Zero or more.
    mask : ndarray, shape (crop, crop), bool
        Crystals or grains and what is next to them.
    predicted : int
        Class.
    """

    square: np.ndarray
    attention: np.ndarray
    mask: np.ndarray
    predicted: int


def attention_map(network, square, label):
    """SmoothGrad of one class (Smilkov et al., 2017, arXiv:1706.03825), the largest of the three
    colours.

    Parameters
    ----------
    network : Inception
        In evaluation mode, on the CPU.
    square : ndarray, shape (crop, crop, 3), uint8
    label : int
        The class that is explained.

    Returns
    -------
    ndarray, shape (crop, crop), float32
    """
    batch = _batch(square)
    maps = smooth_gradients(network, batch, torch.tensor([int(label)]), N_SAMPLES, 2 * NOISE)
    return maps[0].amax(0).numpy()


def look(network, framing, row, shares):
    """Explain the class of one picture of the manifest.

    Parameters
    ----------
    network : Inception
        In evaluation mode, on the CPU.
    framing : settings.Framing
    row : namedtuple
        Of the manifest.
    shares : str
        As the set was made with.

    Returns
    -------
    Look
    """
    drop = truth_of(row, shares)
    square = centre_crop(brought_to(drop.picture, framing.short_side), framing.crop)
    with torch.inference_mode():
        predicted = int(network(_batch(square)).argmax())
    truth = drop.crystals if row.label == Label.CRYSTALS else drop.grains
    return Look(
        square, attention_map(network, square, row.label), target_mask(truth, framing), predicted
    )


def target_mask(truth, framing):
    """Truth of a whole picture as the network's square has it, widened by `REACH`.

    Parameters
    ----------
    truth : ndarray, shape (height, width), bool
    framing : settings.Framing

    Returns
    -------
    ndarray, shape (crop, crop), bool
    """
    three = np.repeat(truth.astype(np.uint8)[..., None] * 255, 3, axis=2)
    # A hair may cover a small part of a pixel of the smaller picture: any part counts.
    square = centre_crop(brought_to(three, framing.short_side), framing.crop)[..., 0] > 0
    side = 2 * max(1, round(REACH * framing.crop)) + 1
    return cv2.dilate(square.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def score(looked):
    """How much of the attention is on the mask: ``share``, ``area`` and, as a control, ``turned``.

    The control is the same mask turned by 180 degrees: as large, as far from the middle, but in
    another place.
    """
    share, area = concentration(looked.attention, looked.mask)
    return {
        "share": share,
        "area": area,
        "turned": concentration(looked.attention, looked.mask[::-1, ::-1])[0],
    }


def scores(network, framing, rows, shares, n_explained):
    """Score the attention on the first pictures of crystals and of precipitate whose mask the
    square has.

    Parameters
    ----------
    network : Inception
        In evaluation mode, on the CPU.
    framing : settings.Framing
    rows : DataFrame
        Of the manifest.
    shares : str
        As the set was made with.
    n_explained : int
        Pictures of each class.

    Returns
    -------
    list of dict
        ``id``, ``class``, ``predicted`` and the three of `score`.
    """
    found = []
    for label in (Label.CRYSTALS, Label.PRECIPITATE):
        of_class = rows[rows.label == label].head(n_explained)
        for row in of_class.itertuples():
            looked = look(network, framing, row, shares)
            if looked.mask.any():
                about = {
                    "id": row.id,
                    "class": CLASSES[label],
                    "predicted": CLASSES[looked.predicted],
                }
                found.append(about | score(looked))
    return found


def attention_values(found):
    """Record entries: attention on crystals and grains over what their area asks for, and the
    control's.
    """
    values = {}
    for name in (CLASSES[Label.CRYSTALS], CLASSES[Label.PRECIPITATE]):
        mine = [row for row in found if row["class"] == name]
        if len(mine) < 2:
            continue
        for key, column in (("attention_on", "share"), ("attention_on_turned", "turned")):
            entry = mean_interval([row[column] / row["area"] for row in mine])
            values[f"{key}_{name}"] = entry | {
                "unit": "times its area",
                "interval": "t 95 % over pictures",
            }
    return values


def _batch(square):
    values = torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1)[None].float()
    return values / 127.5 - 1
