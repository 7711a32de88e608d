"""Trainings of one run: they share decoded pictures, go on after a stop, and are judged alike."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from diffranet_utils.core import distributed

from .crops import Shelf
from .network import build_network
from .predict import predict
from .training import Trainer


@dataclass
class Bench:
    """Where networks of one preset are trained and judged.

    Attributes
    ----------
    asked : presets.Network
    folder : Path
        Of the checkpoints.
    device : str, optional
    histories : dict of str to list
        What each training told, by its name.
    """

    asked: object
    folder: Path
    device: str | None = None
    histories: dict = field(default_factory=dict)

    def shelf(self, entries, framing=None):
        """Pictures at the preset's height, or at that of a framing."""
        return Shelf(tuple(entries), (framing or self.asked.framing).short_side)

    def train(self, name, shelf, settings, seed, validation=None, shape=None, framing=None):
        """Train a network, or finish it, or load it if it is finished.

        Parameters
        ----------
        name : str
            Of the training and its checkpoint.
        shelf : crops.Shelf
        settings : settings.Training
        seed : int
            Of the weights and the crops.
        validation : crops.Shelf, optional
        shape : settings.Shape, optional
        framing : settings.Framing, optional
            By default the preset's, as the shape.

        Returns
        -------
        Inception
            With the mean weights.
        """
        made = build_network(shape or self.asked.shape, torch.Generator().manual_seed(seed))
        trainer = Trainer(made, settings, (framing or self.asked.framing).crop, seed, self.device)
        self.histories[name] = trainer.fit(shelf, validation, self.folder / f"{name}.safetensors")
        return trainer.network

    def judge(self, network, shelf, framing=None, title=None):
        """What a network says of pictures, a `predict.Predictions`."""
        return predict(network, shelf, (framing or self.asked.framing).crop, self.device, title)

    def forget(self):
        """Delete the checkpoints of a finished run."""
        if distributed.is_leader():
            for path in self.folder.glob("*.safetensors"):
                path.unlink()
