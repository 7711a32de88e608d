"""Probabilities of the four classes for pictures of drops."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from diffranet_utils.core.progress import progress
from diffranet_utils.learning.predict import mixed_precision, pick_device

from .crops import Crops, batches
from .labels import CLASSES

BATCH = {"cpu": 8, "cuda": 128}


@dataclass(frozen=True)
class Predictions:
    """What a network says of a set.

    Attributes
    ----------
    numbers : ndarray, shape (n,), int64
        Places of the judged pictures in the set; those of no use are missing.
    labels : ndarray, shape (n,), int64
        Their labels.
    probabilities : ndarray, shape (n, 4), float64
    seconds : float
        Time of reading and judging.
    """

    numbers: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    seconds: float

    @property
    def classes(self):
        """Most probable class, ndarray of shape (n,), int64."""
        return self.probabilities.argmax(1)

    @property
    def accuracy(self):
        """Share of right classes; NaN without a picture."""
        return float((self.classes == self.labels).mean()) if len(self.labels) else float("nan")


def predict(network, shelf, crop, device=None, title=None, n_workers=0):
    """Judge the centre of every picture of a shelf.

    Parameters
    ----------
    network : Inception
        Left in evaluation mode and on `device`.
    shelf : crops.Shelf
    crop : int
        Side of the square, pixels.
    device : str or torch.device, optional
    title : str, optional
        Shows a progress bar under this name.
    n_workers : int
        Processes that read pictures.

    Returns
    -------
    Predictions
    """
    device, start = pick_device(device), time.perf_counter()
    network.to(device, memory_format=torch.channels_last).eval()
    size, n = BATCH.get(device.type, 8), len(shelf.entries)
    numbers = [list(range(first, min(first + size, n))) for first in range(0, n, size)]
    made = batches(Crops(shelf, crop), numbers, n_workers)
    made = made if title is None else progress(made, total=len(numbers), title=title, unit="batch")
    kept, scores = [], [torch.zeros(0, len(CLASSES))]
    with torch.inference_mode(), mixed_precision(device):
        for which, batch in made:
            if batch is not None:
                kept += which
                scores.append(network(batch.to(device)).float().cpu())
    probabilities = torch.cat(scores).double().softmax(1).numpy()
    kept = np.array(kept, dtype=np.int64)
    labels = shelf.labels[kept] if len(kept) else np.zeros(0, np.int64)
    return Predictions(kept, labels, probabilities, time.perf_counter() - start)
