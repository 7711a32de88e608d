"""Train any network of the catalogue on grey images, and take its features: plain SGD on one
device.

The learning rate falls as 1 / (1 + decay * step), as in Keras, in which the scattering study was
written (Ushizima et al. 2021, section 4.2 gives the rate, the decay, the epochs and the batch).
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.progress import progress
from diffranet_utils.learning.predict import pick_device

AT_ONCE = 64  # images in one forward pass


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
    learning_rate : float
    decay : float
        See the module's first lines.
    momentum : float
        The study names none.
    seed : int
        Of the order of the images and of the dropout.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-3
    decay: float = 1e-4
    momentum: float = 0.9
    seed: int = 0

    def __post_init__(self):
        """Refuse what cannot be trained; raises InputError."""
        fine = self.epochs >= 0 and self.batch_size >= 2 and self.learning_rate > 0
        require(fine, "Give 0 or more epochs, batches of 2 or more, a learning rate above 0.")


def as_input(images, n_channels=1, size=None, mean=0.5, std=0.25):
    """Grey images as a network takes them.

    Parameters
    ----------
    images : ndarray, shape (n, h, w), uint8
    n_channels : int
        The grey channel is repeated so often.
    size : int, optional
        Side to which they are scaled, averaging where they shrink; by default as they are.
    mean, std : float or sequence of float
        Of the grey values divided by 255, one for all channels or one each.

    Returns
    -------
    Tensor, shape (n, n_channels, size, size), float32
    """
    x = torch.from_numpy(np.array(images, dtype=np.float32))[:, None] / 255
    if size is not None and x.shape[-2:] != (size, size):
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    mean, std = (torch.as_tensor(v, dtype=torch.float32).reshape(1, -1, 1, 1) for v in (mean, std))
    return (x.expand(-1, n_channels, -1, -1) - mean) / std


def fit(network, x, labels, schedule, device=None, title="train"):
    """Train a network; it is changed in place and left in evaluation mode.

    Parameters
    ----------
    network : nn.Module
    x : Tensor, shape (n, n_channels, h, w)
        See `as_input`.
    labels : array_like, shape (n,), int
        Classes from 0.
    schedule : Schedule
    device : str, optional
        By default the GPU if there is one.
    title : str
        Of the progress bar.

    Returns
    -------
    dict
        ``losses``, the mean of each epoch, and ``seconds``.

    Raises
    ------
    DiffranetError
        If the loss is no longer a finite number.
    """
    require(len(x) == len(labels) > 1, f"{len(x)} images with {len(labels)} labels: give one each.")
    device, start, losses = pick_device(device), time.perf_counter(), []
    network.to(device).train()
    labels = torch.as_tensor(np.asarray(labels), dtype=torch.long)
    optimizer = torch.optim.SGD(network.parameters(), schedule.learning_rate, schedule.momentum)
    order = torch.Generator().manual_seed(schedule.seed)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + schedule.decay * k))
    with torch.random.fork_rng():
        torch.manual_seed(schedule.seed)  # dropout draws from torch's global generator
        for _ in progress(range(schedule.epochs), title=title, unit="epoch"):
            batches = torch.randperm(len(x), generator=order).split(schedule.batch_size)
            steps = [
                _step(network, optimizer, rate, x[b], labels[b]) for b in batches if len(b) > 1
            ]
            losses.append(float(torch.stack(steps).mean()))
            if not np.isfinite(losses[-1]):
                raise DiffranetError(f"The loss is {losses[-1]}: lower the learning rate.")
    network.eval()
    return {"losses": losses, "seconds": time.perf_counter() - start}


def _step(network, optimizer, rate, x, labels):
    device = next(network.parameters()).device
    loss = F.cross_entropy(network(x.to(device)), labels.to(device))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    rate.step()
    return loss.detach()


@torch.inference_mode()
def features_of(network, x):
    """What the classifier of a network builds on.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, with ``features``.
    x : Tensor, shape (n, n_channels, h, w)

    Returns
    -------
    ndarray, shape (n, n_features), float32
    """
    return _in_parts(network, network.features, x)


@torch.inference_mode()
def probabilities_of(network, x):
    """Softmax of a network's scores, ndarray of shape (n, n_classes), float32; see
    `features_of`.
    """
    return _in_parts(network, lambda part: torch.softmax(network(part), dim=1), x)


def _in_parts(network, function, x):
    device = next(network.parameters()).device
    return np.concatenate([function(part.to(device)).cpu().numpy() for part in x.split(AT_ONCE)])
