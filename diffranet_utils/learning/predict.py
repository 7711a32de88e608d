"""Classify images with a network, batch by batch, on a processor or a GPU."""

import os
from dataclasses import dataclass, field

import numpy as np
import torch

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.learning.networks.resnet import DeepFreak


def pick_device(device=None):
    """The device to compute on: the one named, else this process's GPU, else the processor."""
    gpu = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # torchrun numbers the processes of a machine
    return torch.device(device or (gpu if torch.cuda.is_available() else "cpu"))


def predict_proba(network, images, device=None, title=None):
    """Probability of each class, batch by batch.

    Parameters
    ----------
    network : DeepFreak
        Left in evaluation mode and on `device`.
    images : ndarray or Tensor, shape (n, size, size), uint8
        The network subtracts its own per-pixel mean.
    device : str or torch.device, optional
    title : str, optional
        Shows a progress bar under this name.

    Returns
    -------
    ndarray, shape (n, n_classes), float64

    Raises
    ------
    InputError
        If the images are not 8-bit or have another size than the network was built for.
    """
    device = pick_device(device)
    size = tuple(network.pixel_mean.shape[1:])
    fits = (
        images.ndim == 3 and tuple(images.shape[1:]) == size and str(images.dtype).endswith("uint8")
    )
    given = f"Images of shape {tuple(images.shape)} and type {images.dtype}"
    require(fits, f"{given}: this network needs shape (n, {size[0]}, {size[1]}) and type uint8.")
    network.to(device, memory_format=torch.channels_last).eval()
    step = 256 if device.type == "cuda" else 4  # on a processor small batches stay in its caches
    starts = range(0, len(images), step)
    bar = starts if title is None else progress(starts, title=title, unit="batch")
    with torch.inference_mode(), mixed_precision(device):
        scores = [
            network(take(images, slice(start, start + step), device)).float() for start in bar
        ]
    if not scores:
        return np.zeros((0, network.classifier.out_features))
    return torch.cat(scores).double().softmax(dim=1).cpu().numpy()


def mixed_precision(device):
    """Context that computes in bfloat16 on a GPU that has it, and in float32 elsewhere."""
    use = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=use)


def take(images, index, device):
    """Some images as a batch for the network.

    Parameters
    ----------
    images : ndarray or Tensor, shape (n, h, w), uint8
        An array may be memory-mapped; a tensor stays on its device.
    index : slice or Tensor of int64
    device : torch.device

    Returns
    -------
    Tensor, shape (m, 1, h, w), uint8
    """
    if isinstance(images, torch.Tensor):
        chosen = images[index if isinstance(index, slice) else index.to(images.device)]
    else:
        chosen = torch.from_numpy(
            np.array(images[index if isinstance(index, slice) else index.numpy()])
        )
    return chosen.to(device, non_blocking=True).unsqueeze(1)


@dataclass
class TrainedNetwork:
    """A network with the story of its training.

    Parameters
    ----------
    network : DeepFreak
    about : dict
        ``topology``, ``image_size``, ``n_classes`` and whatever `save_network` was given.
    device : str or torch.device, optional
    """

    network: DeepFreak
    about: dict = field(default_factory=dict)
    device: str | None = None

    def predict_proba(self, images):
        """Probability of each class; (n, size, size) uint8 -> (n, 5) float64."""
        return predict_proba(self.network, images, self.device)

    def predict(self, images):
        """Most probable class, 1 to 5; (n, size, size) uint8 -> (n,) int64."""
        return self.predict_proba(images).argmax(axis=1) + 1
