"""Train and evaluate DeepFreak: stochastic gradient descent that can be stopped, resumed and
repeated.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffranet_utils.core import distributed
from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.progress import progress
from diffranet_utils.learning.checkpoints import (
    load_network,
    restore_state,
    save_network,
    save_state,
)
from diffranet_utils.learning.networks.topologies import map_sizes
from diffranet_utils.learning.predict import (
    TrainedNetwork,
    mixed_precision,
    pick_device,
    predict_proba,
    take,
)
from diffranet_utils.learning.training_settings import (
    PAPER_CONFIGURATIONS,
    SMALL,
    Settings,
    learning_rate_at,
)

__all__ = [
    "PAPER_CONFIGURATIONS", "SMALL", "Divergence", "Evaluation", "Settings", "TrainedNetwork",
    "evaluate",
    "first_images", "learning_rate_at", "load_network", "pixel_mean", "save_network", "train",
    "turned",
]  # fmt: skip
CHECK_EVERY = 20  # steps between two looks at the loss: each look makes a GPU wait


class Divergence(DiffranetError):
    """The loss is no longer a finite number."""


def pixel_mean(images):
    """Mean of each pixel over images, on the scale 0 to 1.

    Parameters
    ----------
    images : ndarray, shape (n, h, w), uint8
        May be memory-mapped.

    Returns
    -------
    ndarray, shape (h, w), float32
    """
    total = np.zeros(images.shape[1:], dtype=np.int64)
    for start in range(0, len(images), 256):
        total += images[start : start + 256].sum(axis=0, dtype=np.int64)
    return (total / (255.0 * len(images))).astype(np.float32)


def turned(batch, generator):
    """Give each image of a batch one of the eight symmetries of the square, at random.

    Parameters
    ----------
    batch : Tensor, shape (n, channels, size, size)
    generator : torch.Generator

    Returns
    -------
    Tensor, same shape
    """
    drawn = torch.randint(8, (len(batch),), generator=generator).tolist()
    mirrored = [image.flip(-1) if k >= 4 else image for image, k in zip(batch, drawn, strict=True)]
    return torch.stack(
        [torch.rot90(image, k % 4, (-2, -1)) for image, k in zip(mirrored, drawn, strict=True)]
    )


def train(network, training, settings, validation=None, checkpoint=None, device=None):
    """Train a network in place, or go on where a checkpoint left off.

    Under torch's launcher, ``torchrun``, each process takes its share of every batch; see
    `distributed`.

    Parameters
    ----------
    network : DeepFreak
    training, validation : Split
        ``images`` (n, size, size) uint8 and ``labels`` (n,), 1 to 5.
    settings : Settings
    checkpoint : path-like, optional
        File written after every epoch; if it exists, training goes on from it. On a processor the
        numbers are the same as without the stop, for the same number of threads; a GPU adds up in
        no fixed order.
    device : str or torch.device, optional

    Returns
    -------
    list of dict
        One per epoch: ``epoch``, ``learning_rate``, ``loss``, ``accuracy``, ``seconds`` and, with a
        validation split, ``validation_loss`` and ``validation_accuracy``.

    Raises
    ------
    Divergence
        If the loss becomes infinite or not a number.
    InputError
        If images or settings do not fit, or the checkpoint belongs to other settings or images.
    """
    device = pick_device(device)
    distributed.join(device)
    _check_data(network, training, settings)
    require(
        validation is not None or not settings.patience,
        "Stopping early needs a validation split: give one.",
    )
    mean = torch.from_numpy(pixel_mean(training.images))
    with torch.no_grad():
        network.pixel_mean.copy_(mean.mean() if settings.scalar_mean else mean)
    network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(),
        settings.learning_rate,
        settings.momentum,
        weight_decay=settings.weight_decay,
    )
    shared = _comparable(settings, network)
    resumed = checkpoint is not None and Path(checkpoint).exists()
    history = restore_state(checkpoint, network, optimizer, shared)["history"] if resumed else []
    images, labels = (
        _on_device(training.images, device),
        torch.from_numpy(np.asarray(training.labels) - 1),
    )
    shared_network = distributed.shared(network, device)
    for epoch in range(len(history), settings.epochs):
        if _given_up(history, settings):
            break
        row = _train_epoch(shared_network, optimizer, (images, labels), settings, epoch)
        _refresh_statistics(network, images, settings)
        if validation is not None:
            seen = evaluate(network, validation, device)
            row |= {"validation_loss": seen.loss, "validation_accuracy": seen.accuracy}
        history.append(row)
        if checkpoint is not None and distributed.is_leader():
            save_state(checkpoint, network, optimizer, {"settings": shared, "history": history})
    return history


def _given_up(history, settings):
    losses = [row["validation_loss"] for row in history] if settings.patience else []
    return len(losses) > settings.patience and min(losses[-settings.patience :]) >= min(
        losses[: -settings.patience]
    )


def _train_epoch(network, optimizer, data, settings, epoch):
    images, labels = data
    device = next(network.parameters()).device
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(settings, epoch)
    weights = settings.class_weights and torch.tensor(settings.class_weights, device=device)
    criterion = nn.CrossEntropyLoss(weight=weights)
    # The order depends on seed and epoch alone, so a resumed training sees the same batches.
    generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    order = torch.randperm(len(labels), generator=generator)
    network.train()
    loss_sum, right, start = (
        torch.zeros((), device=device),
        torch.zeros((), device=device),
        time.perf_counter(),
    )
    with progress(total=len(labels), title=f"epoch {epoch + 1}/{settings.epochs}") as bar:
        for step, index in enumerate(map(distributed.share, order.split(settings.batch_size))):
            if len(index) == 0:  # the last batch has fewer images than there are processes
                continue
            target, batch = labels[index].to(device), take(images, index, device)
            with mixed_precision(device):
                scores = network(turned(batch, generator) if settings.turned else batch)
                loss = criterion(scores, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(index)
            right += (scores.argmax(dim=1) == target).sum()
            bar.update(len(index))
            if step % CHECK_EVERY == 0:
                _check_finite(loss, settings, epoch)
    loss_sum, right = distributed.total(loss_sum), distributed.total(right)
    _check_finite(loss_sum, settings, epoch)
    return {
        "epoch": epoch + 1,
        "learning_rate": float(learning_rate_at(settings, epoch)),
        "loss": float(loss_sum) / len(labels),
        "accuracy": float(right) / len(labels),
        "seconds": time.perf_counter() - start,
    }


def _check_finite(loss, settings, epoch):
    loss = float(loss.detach())
    if not isfinite(loss):
        rate = learning_rate_at(settings, epoch)
        raise Divergence(
            f"The loss is {loss} in epoch {epoch + 1} at learning rate {rate:.3g}: lower the rate."
        )


def _refresh_statistics(network, images, settings, batch_size=16):
    """Let the batch normalisations average over a fixed sample of training images.

    While training, each batch is normalised by itself; for evaluation torch keeps an average over
    roughly the last ten batches. With one image per batch those are ten images, and the result
    would hang on which ones came last. One more pass over `settings.n_statistics` images, in
    batches of 16 and without a gradient, replaces that average.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    sample = torch.randperm(len(images), generator=generator)[: settings.n_statistics]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches that follow
    network.train()
    device = network.pixel_mean.device
    with torch.no_grad(), mixed_precision(device):
        for index in sample.split(batch_size):
            network(take(images, index, device))


@dataclass(frozen=True)
class Evaluation:
    """What a network says of a split.

    Parameters
    ----------
    predicted : ndarray, shape (n,), int64
        Classes, 1 to 5.
    probabilities : ndarray, shape (n, 5), float64
    loss, accuracy, seconds : float
        Mean cross-entropy, share of right answers, time that the network took.
    """

    predicted: np.ndarray
    probabilities: np.ndarray
    loss: float
    accuracy: float
    seconds: float


def evaluate(network, split, device=None, title=None):
    """Classify a split and compare with its labels.

    Parameters
    ----------
    network : DeepFreak
    split : Split
    device, title : optional
        See `inference.predict_proba`, also for the errors.

    Returns
    -------
    Evaluation
    """
    start = time.perf_counter()
    probabilities = predict_proba(network, split.images, device, title)
    seconds, truth = time.perf_counter() - start, np.asarray(split.labels)
    predicted = probabilities.argmax(axis=1) + 1
    loss = float(
        -np.log(np.maximum(probabilities[np.arange(len(truth)), truth - 1], 1e-300)).mean()
    )
    return Evaluation(predicted, probabilities, loss, float((predicted == truth).mean()), seconds)


def _check_data(network, training, settings):
    labels = np.asarray(training.labels)
    n_classes = network.classifier.out_features
    require(
        len(labels) == len(training.images) > 0,
        f"{len(training.images)} images with {len(labels)} labels.",
    )
    require(
        labels.min() >= 1 and labels.max() <= n_classes,
        f"Labels outside 1 to {n_classes}: check the split.",
    )
    n = distributed.n_processes()
    require(
        settings.batch_size >= n,
        f"Batches of {settings.batch_size} for {n} processes: take larger batches.",
    )
    last = map_sizes(network.topology, network.pixel_mean.shape[-1])["stage 4"]
    smallest = (len(labels) - 1) % settings.batch_size + 1
    require(
        smallest * last > 1,
        f"A batch of one image leaves topology {network.topology.name} one pixel per channel to "
        "normalise: use two.",
    )


def _on_device(images, device):
    """Hold 8-bit images on the GPU if they fill less than half of its free memory."""
    if device.type != "cuda" or images.nbytes > 0.5 * torch.cuda.mem_get_info(device)[0]:
        return images
    return torch.from_numpy(np.array(images)).to(device)


def _comparable(settings, network):
    """What two parts of one training share: a step schedule may be prolonged, a cosine may not."""
    kept = settings if settings.schedule == "cosine" else replace(settings, epochs=0)
    shared = asdict(kept) | {"topology": asdict(network.topology)}
    return json.loads(json.dumps(shared))  # tuples become lists, as in the file


def first_images(split, n):
    """The first `n` images of a split; they are independent draws, so no shuffling is needed."""
    return replace(split, images=split.images[:n], labels=split.labels[:n], ids=split.ids[:n])
