"""Train the network for drops as the paper does; stop early, stop and go on, on several GPUs
too.
"""

import json
import time
from dataclasses import asdict
from math import isfinite
from pathlib import Path

import torch
from torch import nn

from diffranet_utils.core import distributed
from diffranet_utils.core.errors import require
from diffranet_utils.core.progress import progress
from diffranet_utils.learning.checkpoints import read_tensors, write_tensors
from diffranet_utils.learning.predict import mixed_precision, pick_device
from diffranet_utils.learning.rmsprop import RmsProp, RunningMean
from diffranet_utils.learning.training import Divergence

from .crops import Crops, batches
from .predict import predict


class Trainer:
    """One training: the network, its optimiser, the running mean of its weights, its history.

    Parameters
    ----------
    network : Inception
        Trained in place.
    settings : settings.Training
    crop : int
        Side of the crops, pixels.
    seed : int
        Of the crops and of their order.
    device : str or torch.device, optional
    """

    def __init__(self, network, settings, crop, seed, device=None):
        self.device = pick_device(device)
        distributed.join(self.device)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.settings, self.crop, self.seed, self.history = settings, crop, seed, []
        self.optimizer = RmsProp(
            network.parameters(),
            settings.learning_rate,
            settings.momentum,
            settings.decay,
            settings.epsilon,
        )
        self.mean = RunningMean(network, settings.average)
        self._shared = distributed.shared(network, self.device)

    def fit(self, training, validation=None, checkpoint=None, n_workers=0):
        """Train to the end, or go on where a checkpoint left off; leave the mean weights in place.

        Parameters
        ----------
        training : crops.Shelf
        validation : crops.Shelf, optional
        checkpoint : path-like, optional
            Written after every epoch.
        n_workers : int
            Processes that read and change pictures.

        Returns
        -------
        list of dict
            One per epoch: ``epoch``, ``learning_rate``, ``loss``, ``accuracy``, ``seconds`` and,
            with a validation set, ``validation_accuracy`` of the mean weights.

        Raises
        ------
        Divergence
            If the loss becomes infinite or not a number.
        InputError
            If early stopping has no validation set, or the checkpoint is of other settings.
        """
        needs = self.settings.patience and validation is None
        require(not needs, "Stopping early needs validation pictures: give some.")
        if checkpoint is not None and Path(checkpoint).exists():
            self._restore(checkpoint)
        while len(self.history) < self.settings.epochs and not self._given_up():
            row = self._epoch(len(self.history), training, n_workers)
            if validation is not None:
                row["validation_accuracy"] = self._validate(validation, n_workers)
            self.history.append(row)
            if checkpoint is not None and distributed.is_leader():
                self._save(checkpoint)
        self.network.load_state_dict(self.mean.mean)
        return self.history

    def _given_up(self):
        seen = (
            [row["validation_accuracy"] for row in self.history] if self.settings.patience else []
        )
        recent, before = seen[-self.settings.patience :], seen[: -self.settings.patience]
        return bool(before) and max(recent) <= max(before)

    def _epoch(self, epoch, training, n_workers):
        rate, start = self.settings.rate_at(epoch), time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        crops = Crops(training, self.crop, self.settings.distortion, (self.seed, epoch))
        numbers = self._numbers(len(training.entries), epoch)
        title = f"epoch {epoch + 1}/{self.settings.epochs}"
        sums = torch.zeros(3, dtype=torch.float64)
        made = batches(crops, numbers, n_workers)
        for which, batch in progress(made, total=len(numbers), title=title, unit="batch"):
            if len(which) > 1:  # one picture alone cannot be normalised
                sums += self._step(batch, torch.from_numpy(training.labels[which]))
        loss, right, n = distributed.total(sums).tolist()
        require(n > 0, "No picture of the training set can be used: see what was left out.")
        if not isfinite(loss):
            raise Divergence(f"The loss is {loss} at learning rate {rate:.3g}: lower the rate.")
        return {
            "epoch": epoch + 1,
            "learning_rate": rate,
            "loss": loss / n,
            "accuracy": right / n,
            "seconds": time.perf_counter() - start,
        }

    def _numbers(self, n, epoch):
        # The order depends on seed and epoch alone, so a resumed training sees the same batches.
        generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
        parts = torch.randperm(n, generator=generator).split(self.settings.batch_size)
        return [numbers for part in parts if (numbers := distributed.share(part).tolist())]

    def _step(self, batch, labels):
        batch, labels = batch.to(self.device), labels.to(self.device)
        with mixed_precision(self.device):
            scores = self._shared(batch)
            loss = nn.functional.cross_entropy(scores, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.mean.update()
        right = (scores.argmax(1) == labels).sum().item()
        return torch.tensor([loss.item() * len(labels), right, len(labels)], dtype=torch.float64)

    def _validate(self, validation, n_workers):
        """Accuracy with the mean weights, which are used at test time; the trained ones come
        back.
        """
        trained = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self.mean.mean)
        accuracy = predict(
            self.network, validation, self.crop, self.device, None, n_workers
        ).accuracy
        self.network.load_state_dict(trained)
        return accuracy

    def _facts(self):
        facts = {"settings": asdict(self.settings), "crop": self.crop, "seed": self.seed}
        facts["settings"]["epochs"] = 0  # a training may be prolonged
        return json.loads(json.dumps(facts))

    def _slots(self):
        """Every tensor of the training by name, as it is in memory."""
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"mean.{name}": t for name, t in self.mean.mean.items()}
        for name, weight in self.network.named_parameters():
            for slot, tensor in self.optimizer.state[weight].items():
                tensors[f"{slot}.{name}"] = tensor
        return tensors

    def _save(self, path):
        about = self._facts() | {"history": self.history, "steps": self.mean.steps}
        write_tensors(path, self._slots(), about)

    def _restore(self, path):
        tensors, about = read_tensors(path)
        facts = self._facts()
        same = all(about.get(key) == value for key, value in facts.items())
        require(same, f"{path} was trained with other settings: delete it or choose another file.")
        for weight in self.network.parameters():
            self.optimizer.state[weight] = {k: torch.empty_like(weight) for k in ("square", "step")}
        with torch.no_grad():
            for name, tensor in self._slots().items():
                tensor.copy_(tensors[name])
        self.history, self.mean.steps = about["history"], about["steps"]
