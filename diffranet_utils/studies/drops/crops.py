"""Crops of labelled pictures for the network: read, brought to one height, cut, changed,
batched.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from . import readers
from .preprocess import centre_crop, distorted, random_crop

MEMORY = 2 << 30
"""Most bytes of pictures that are kept decoded; the others are read again in every epoch."""


def brought_to(picture, short_side):
    """Scale a picture so that its shorter side has `short_side` pixels.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
    short_side : int

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Smaller ones are means of the pixels that they cover.
    """
    height, width = picture.shape[:2]
    factor = short_side / min(height, width)
    if factor == 1:
        return picture
    size = max(short_side, round(width * factor)), max(short_side, round(height * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=way)


@dataclass
class Kept:
    """Decoded pictures of one height, by file and place in it, up to a number of bytes."""

    memory: int = MEMORY
    pictures: dict = field(default_factory=dict, repr=False)
    n_bytes: int = 0

    def keep(self, key, picture):
        """Keep a picture while there is room."""
        if self.n_bytes + picture.nbytes <= self.memory:
            self.pictures[key], self.n_bytes = picture, self.n_bytes + picture.nbytes


@dataclass
class Shelf:
    """Pictures of a set at the height that the network sees, kept in memory while there is room.

    Attributes
    ----------
    entries : sequence of readers.Entry
    short_side : int
    kept : Kept
        Pictures that are decoded already.
    left_out : dict of int to readers.LeftOut
        Pictures that turned out to be of no use, by their place in `entries`.
    """

    entries: tuple
    short_side: int
    kept: Kept = field(default_factory=Kept, repr=False)
    left_out: dict = field(default_factory=dict)

    @property
    def labels(self):
        """Class indices, ndarray of shape (n,), int64."""
        return np.array([entry.label for entry in self.entries], dtype=np.int64)

    def part(self, places, labels=None):
        """Some of the pictures, with other labels if they are given; what is decoded is shared.

        Parameters
        ----------
        places : sequence of int
        labels : sequence of int, optional
            One for each place.

        Returns
        -------
        Shelf
        """
        entries = [self.entries[k] for k in places]
        if labels is not None:
            entries = [
                replace(entry, label=int(label))
                for entry, label in zip(entries, labels, strict=True)
            ]
        return Shelf(tuple(entries), self.short_side, self.kept)

    def picture(self, k):
        """Return picture `k`, shape (h, w, 3), uint8, or None if it is of no use."""
        entry = self.entries[k]
        key = entry.path, entry.record
        if key in self.kept.pictures:
            return self.kept.pictures[key]
        if k in self.left_out:
            return None
        found, bad = None, []
        # A picture may be smaller than what it is brought to, but not than half of it.
        for _, picture in readers.pictures([entry], bad, self.short_side // 2):
            found = brought_to(picture, self.short_side)
        if found is None:
            self.left_out[k] = bad[0]
        else:
            self.kept.keep(key, found)
        return found


class Crops(Dataset):
    """Crops of a shelf's pictures by number, as tensors; None where a picture is of no use.

    Parameters
    ----------
    shelf : Shelf
    crop : int
        Side, pixels.
    distortion : preprocess.Distortion or None
        How training crops are changed.
    seed : sequence of int or None
        Random crops, each drawn from this seed and its number, so that they do not depend on the
        order or the process; None cuts the centre and changes nothing.
    """

    def __init__(self, shelf, crop, distortion=None, seed=None):
        self.shelf, self.crop, self.distortion, self.seed = shelf, crop, distortion, seed

    def __len__(self):
        return len(self.shelf.entries)

    def __getitem__(self, k):
        """Return (k, tensor of shape (3, crop, crop), float32 from -1 to 1) or (k, None)."""
        picture = self.shelf.picture(k)
        if picture is None:
            return k, None
        return k, torch.from_numpy(self._square(picture, k)).permute(2, 0, 1) * 2 - 1

    def _square(self, picture, k):
        if self.seed is None:
            return centre_crop(picture, self.crop).astype(np.float32) / 255
        rng = np.random.default_rng([*self.seed, k])
        square = random_crop(rng, picture, self.crop)
        if self.distortion is None:
            return square.astype(np.float32) / 255
        return distorted(rng, square, self.distortion)


def _collate(items):
    good = [(k, crop) for k, crop in items if crop is not None]
    lost = [k for k, crop in items if crop is None]
    if not good:
        return [], None, lost
    crops = torch.stack([crop for _, crop in good]).contiguous(memory_format=torch.channels_last)
    return [k for k, _ in good], crops, lost


def batches(crops, numbers, n_workers=0):
    """Yield batches of crops.

    Parameters
    ----------
    crops : Crops
    numbers : list of list of int
        Which pictures each batch has.
    n_workers : int
        Processes that read and change pictures; 0 does it here.

    Yields
    ------
    numbers : list of int
        Those of use.
    batch : Tensor, shape (n, 3, crop, crop), float32, or None
        None where no picture of the batch is of use.
    """
    loader = DataLoader(crops, batch_sampler=numbers, num_workers=n_workers, collate_fn=_collate)
    for kept, batch, lost in loader:
        for k in lost:  # a worker's own notes end with it
            crops.shelf.picture(k)
        yield kept, batch
