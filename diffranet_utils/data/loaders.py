"""Splits for PyTorch: a Dataset for a DataLoader, or all images on the GPU at once."""

import numpy as np
import torch
from torch.utils.data import Dataset


class SplitDataset(Dataset):
    """A `dataset.Split` for a DataLoader; images stay in the memory map until they are asked for.

    Parameters
    ----------
    split : dataset.Split
    """

    def __init__(self, split):
        self.split = split

    def __len__(self):
        """Number of images."""
        return len(self.split.labels)

    def __getitem__(self, k):
        """Image, shape (1, n_slow, n_fast), uint8, and class index from 0."""
        return torch.from_numpy(np.array(self.split.images[k]))[None], int(self.split.labels[k]) - 1


def on_device(split, device):
    """A whole split as tensors on a device, 8 bits a pixel.

    Parameters
    ----------
    split : dataset.Split
    device : str or torch.device

    Returns
    -------
    images : Tensor, shape (n, n_slow, n_fast), uint8
    classes : Tensor, shape (n,), int64
        Class indices from 0.
    """
    images = torch.from_numpy(np.array(split.images)).to(device)
    return images, torch.from_numpy(np.asarray(split.labels) - 1).to(device)
