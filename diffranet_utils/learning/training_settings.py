"""How a network is trained: the settings, the paper's own ones, and the learning rate of every
epoch.
"""

from dataclasses import dataclass
from math import cos, pi

from diffranet_utils.core.errors import require


@dataclass(frozen=True)
class Settings:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
    learning_rate, momentum, weight_decay : float
        Of stochastic gradient descent.
    schedule : str
        ``step``: times `decay_rate` every `decay_epochs` epochs, as in the paper; ``cosine``: down
        to zero.
    decay_epochs : int
    decay_rate : float
    class_weights : tuple of float, optional
        One factor per class in the loss.
    n_statistics : int
        Training images from which the batch normalisations take their statistics after every epoch.
    scalar_mean : bool
        Subtract one number, the mean of all pixels, as the authors' program does, not the mean of
        each pixel, as their paper says.
    turned : bool
        Turn and mirror each training image at random: the eight symmetries of a square detector.
    patience : int
        Stop when the validation loss has not fallen for so many epochs; 0 trains to the end.
    seed : int
        Of the weights and of the order of the images.
    """

    epochs: int = 50
    batch_size: int = 8
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-5
    schedule: str = "step"
    decay_epochs: int = 10
    decay_rate: float = 0.1
    class_weights: tuple | None = None
    n_statistics: int = 64
    scalar_mean: bool = False
    turned: bool = False
    patience: int = 0
    seed: int = 0

    def __post_init__(self):
        """Refuse what cannot be trained; raises InputError."""
        require(
            self.epochs >= 0 and self.batch_size >= 1,
            f"{self.epochs} epochs in batches of {self.batch_size}?",
        )
        require(
            self.learning_rate > 0,
            f"The learning rate is {self.learning_rate}: give a positive one.",
        )
        require(
            0 <= self.momentum < 1,
            f"The momentum is {self.momentum}: give 0 or more and less than 1.",
        )
        require(self.patience >= 0, f"The patience is {self.patience} epochs: give zero or more.")
        require(
            self.schedule in ("step", "cosine"),
            f"Unknown schedule {self.schedule!r}: choose step or cosine.",
        )


# Table 11: what the authors' search found, by name: topology and settings.
PAPER_CONFIGURATIONS = {
    "A": (
        6,
        Settings(learning_rate=8.6673e-4, momentum=0.7770, weight_decay=2.5380e-5, batch_size=1),
    ),
    "B": (
        8,
        Settings(learning_rate=8.4474e-4, momentum=0.56168, weight_decay=3.4855e-5, batch_size=1),
    ),
    "C": (
        1,
        Settings(learning_rate=5.9409e-3, momentum=0.70739, weight_decay=3.0193e-5, batch_size=2),
    ),
}
# Ours, for runs of minutes: a low rate for the 25,600 inputs of topology 9's classifier, zero after
# the last epoch.
SMALL = Settings(
    learning_rate=1e-4, momentum=0.9, weight_decay=1e-5, batch_size=4, schedule="cosine"
)


def learning_rate_at(settings, epoch):
    """Learning rate during epoch 0, 1, 2, ... of `settings`."""
    if settings.schedule == "cosine":
        return settings.learning_rate * (1 + cos(pi * epoch / settings.epochs)) / 2
    return settings.learning_rate * settings.decay_rate ** (epoch // settings.decay_epochs)
