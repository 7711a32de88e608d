"""Train a network on curves: Adam, class weights, steps of the learning rate, checkpoints.

Source: Liu, Tao, Hsu, Du & Billinge (2019), Acta Cryst. A75, 633, section 3.2.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.learning.checkpoints import read_tensors, write_tensors
from diffranet_utils.learning.predict import pick_device
from diffranet_utils.studies.space_groups.models import N_CLASSES, class_weights, learning_rate

FIRST_POINT = 1.5 * 23.0 / np.pi  # r of the study's first point in steps of its grid
LARGEST_STRAIN = 0.1
LOBES = 4  # of the interpolating kernel on either side


@dataclass(frozen=True)
class FitSettings:
    """How a network is trained; by default as the paper did.

    Parameters
    ----------
    epochs, batch_size : int
        Passes through the curves and curves of one step.
    rate : float
        First learning rate of Adam. The paper's 0.1 diverges here at once, see chapter 91.
    drops : tuple of float
        Fractions of the epochs after which the rate falls to a tenth: 81 and 122 of 164.
    weighted : bool
        Weight each class in the loss by the inverse of its frequency.
    noise : float
        Standard deviation of white noise that is added to each normalised curve in each epoch.
    strain : float
        Each batch is stretched or shrunk along r by up to this fraction: a crystal whose lengths
        all grow alike keeps its group.
    weight_decay : float
        Decoupled decay of the weights (AdamW); the paper has none.
    seed : int
        Of the order of the curves, the dropout and the noise.
    """

    epochs: int = 164
    batch_size: int = 64
    rate: float = 1e-3
    drops: tuple = (81 / 164, 122 / 164)
    weighted: bool = True
    noise: float = 0.0
    strain: float = 0.0
    weight_decay: float = 0.0
    seed: int = 0

    def __post_init__(self):
        """Check the numbers (raises `InputError`)."""
        require(
            self.epochs >= 1 and self.batch_size >= 2 and self.rate > 0 and self.noise >= 0,
            f"{self.epochs} epochs in batches of {self.batch_size} at rate {self.rate}, noise "
            f"{self.noise}: "
            "give at least 1 epoch, 2 curves, a positive rate and no negative noise.",
        )
        require(
            0 <= self.strain <= LARGEST_STRAIN,
            f"A strain of {self.strain}: give 0 to {LARGEST_STRAIN}, so that few points leave the "
            "curve.",
        )

    def rate_of(self, epoch):
        """Learning rate of an epoch, counted from 0."""
        return learning_rate(
            epoch, self.rate, tuple(round(drop * self.epochs) for drop in self.drops)
        )


def fit_network(network, x, labels, settings, test=None, checkpoint=None):
    """Train a network in place, or go on where a checkpoint left off.

    Parameters
    ----------
    network : torch.nn.Module
        From curves of shape (n, n_points) to scores of shape (n, n_classes).
    x : ndarray, shape (n, n_points)
        Normalised curves.
    labels : ndarray of int, shape (n,)
        Class of each.
    settings : FitSettings
    test : tuple of ndarray, optional
        Curves and labels whose loss and accuracy are followed, as in the paper's Figure 5.
    checkpoint : path-like, optional
        Written after each epoch; a training that was stopped goes on from it.

    Returns
    -------
    list of dict
        For each epoch ``epoch``, ``rate``, ``loss``, ``accuracy`` and, with a test set,
        ``test_loss`` and ``test_accuracy``.

    Raises
    ------
    InputError
        If curves and labels do not fit, or the checkpoint is of other settings.
    """
    require(
        len(x) == len(labels) > 1,
        f"{len(x)} curves with {len(labels)} labels: give a label for each of two.",
    )
    device = pick_device()
    network.to(device)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.rate, weight_decay=settings.weight_decay
    )
    weights = class_weights(labels) if settings.weighted else np.ones(N_CLASSES)
    criterion = nn.CrossEntropyLoss(
        torch.tensor(weights / weights[weights > 0].mean(), dtype=torch.float32).to(device)
    )
    history = _restored(checkpoint, network, optimiser, settings)
    curves, truth = torch.as_tensor(np.asarray(x, np.float32)), torch.as_tensor(np.asarray(labels))
    for epoch in progress(range(len(history), settings.epochs), title="network", unit="epoch"):
        row = _epoch(network, optimiser, criterion, (curves, truth), settings, epoch)
        if test is not None:
            row |= _followed(network, test)
        history.append(row)
        if checkpoint is not None:
            _store(checkpoint, network, optimiser, settings, history)
    return history


def _epoch(network, optimiser, criterion, data, settings, epoch):
    curves, truth = data
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    torch.manual_seed(settings.seed * 100_003 + epoch)  # dropout draws from torch's own generator
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_of(epoch)
    network.train()
    total, right = 0.0, 0
    order = torch.randperm(len(truth), generator=generator)
    for index in order.split(settings.batch_size):
        if len(index) < 2:  # a batch normalisation needs two
            continue
        batch, target = curves[index], truth[index].to(device)
        if settings.strain:
            drawn = settings.strain * (2 * float(torch.rand(1, generator=generator)) - 1)
            batch = batch @ torch.as_tensor(stretching(batch.shape[1], drawn))
        if settings.noise:
            batch = batch + settings.noise * torch.randn(batch.shape, generator=generator)
        scores = network(batch.to(device))
        loss = criterion(scores, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(index)
        right += int((scores.argmax(dim=1) == target).sum())
    return {
        "epoch": epoch + 1,
        "rate": settings.rate_of(epoch),
        "loss": total / len(truth),
        "accuracy": right / len(truth),
    }


def stretching(n_points, strain, first=FIRST_POINT):
    """Matrix that stretches curves along r, by the Lanczos kernel: points lie as the band limit
    asks.

    Parameters
    ----------
    n_points : int
        Points of a curve.
    strain : float
        Relative growth of all lengths.
    first : float
        r of the first point, in steps of the grid.

    Returns
    -------
    ndarray, shape (n_points, n_points), float32
        For ``curves @ matrix``; where r leaves the curve its end is repeated.
    """
    wanted = (first + np.arange(n_points)) / (1 + strain) - first
    away = np.clip(wanted, 0, n_points - 1) - np.arange(n_points)[:, None]
    kernel = np.sinc(away) * np.sinc(away / LOBES) * (np.abs(away) < LOBES)
    return (kernel / kernel.sum(axis=0)).astype(np.float32)


def _followed(network, test):
    probabilities = predict(network, test[0])
    picked = probabilities[np.arange(len(test[1])), test[1]]
    return {
        "test_loss": float(-np.log(np.maximum(picked, 1e-12)).mean()),
        "test_accuracy": float((probabilities.argmax(axis=1) == test[1]).mean()),
    }


def scores_of(network, x, batch_size=512):
    """Scores before the softmax, shape (n, n_classes), float64; the network is left in evaluation
    mode.
    """
    device = next(network.parameters()).device
    network.eval()
    curves = torch.as_tensor(np.asarray(x, np.float32))
    with torch.inference_mode():
        parts = [network(batch.to(device)).double().cpu() for batch in curves.split(batch_size)]
    return torch.cat(parts).numpy()


def predict(network, x):
    """Probability of each class.

    Parameters
    ----------
    network : torch.nn.Module or list of them
        An ensemble's probabilities are averaged.
    x : ndarray, shape (n, n_points)
        Normalised curves.

    Returns
    -------
    ndarray, shape (n, n_classes), float64
    """
    networks = network if isinstance(network, (list, tuple)) else [network]
    scores = [torch.as_tensor(scores_of(member, x)).softmax(dim=1).numpy() for member in networks]
    return np.mean(scores, axis=0)


def _store(path, network, optimiser, settings, history):
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for k, state in optimiser.state_dict()["state"].items():
        tensors |= {
            f"optimiser.{k}.{name}": torch.as_tensor(value) for name, value in state.items()
        }
    write_tensors(path, tensors, {"settings": asdict(settings), "history": history})


def _restored(path, network, optimiser, settings):
    """Load a checkpoint, if there is one, and return the history so far."""
    if path is None or not Path(path).exists():
        return []
    tensors, about = read_tensors(path)
    same = about["settings"] == json.loads(json.dumps(asdict(settings)))
    require(
        same,
        f"{path} was trained with {about['settings']}. Delete it, or train with the same settings.",
    )
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    )
    state = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, k, field = name.split(".", 2)
            state.setdefault(int(k), {})[field] = tensor
    optimiser.load_state_dict(
        {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
    )
    return about["history"]
