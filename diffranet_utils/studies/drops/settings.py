"""What a network for drops is and how it is trained, without torch: presets are made of these."""

from dataclasses import dataclass

from diffranet_utils.core.errors import require

from .preprocess import Distortion

PAPER_CROP = 599


@dataclass(frozen=True)
class Framing:
    """How a picture becomes the square that the network sees.

    The paper takes patches of 599 pixels from its pictures, whose sizes it does not give. A patch
    of 599 of a picture of 1280 x 960 shows a third of it, and the crystal may lie elsewhere; so
    pictures are first brought to one height.

    Attributes
    ----------
    short_side : int
        To how many pixels the shorter side of a picture is brought.
    crop : int
        Side of the square that is cut: at a random place to train, in the centre to test.
    """

    short_side: int
    crop: int

    def __post_init__(self):
        """Refuse a crop larger than the picture; raises InputError."""
        fits = 0 < self.crop <= self.short_side
        require(fits, f"A crop of {self.crop} pixels does not fit into {self.short_side}.")

    def halved(self):
        """The same field at half the resolution: 599 pixels become 299."""
        return Framing(self.short_side // 2, self.crop // 2)


@dataclass(frozen=True)
class Shape:
    """Inception-v3 as Bruno et al. changed it, or parts of that.

    Attributes
    ----------
    width : float
        Factor on all filters; 1 is the paper's network.
    front : bool
        Begin with the paper's convolution of 16 filters and stride 2.
    limited : bool
        Cap the filters of eight layers as in Table 3.
    """

    width: float
    front: bool = True
    limited: bool = True


@dataclass(frozen=True)
class Training:
    """RMSProp with a falling rate, changed pictures, averaged weights and an early stop.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of the first epochs.
    momentum, decay, epsilon : float
        Of RMSProp: of the steps, of the mean square, and added to that.
    rate_factor : float
        The rate is multiplied by it ...
    rate_epochs : float
        ... every so many epochs.
    average : float
        The weights that are used are a running mean of the trained ones with this memory.
    patience : int
        Stop when the validation accuracy has not risen for so many epochs; 0 goes on to the end.
    distortion : Distortion or None
        Change colours and flip; None shows the crops as they are.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    decay: float
    epsilon: float
    rate_factor: float
    rate_epochs: float
    average: float
    patience: int
    distortion: Distortion | None

    def __post_init__(self):
        """Refuse what cannot be trained; raises InputError."""
        require(self.epochs >= 1, f"{self.epochs} epochs? Give at least one.")
        require(self.batch_size >= 2, f"A batch of {self.batch_size} cannot be normalised: give 2.")
        require(self.learning_rate > 0, f"The learning rate is {self.learning_rate}: give more.")
        require(0 <= self.average < 1, f"The average keeps {self.average}: give 0 to below 1.")

    def rate_at(self, epoch):
        """Learning rate during epoch 0, 1, 2 and so on."""
        return self.learning_rate * self.rate_factor ** (epoch // self.rate_epochs)


PAPER_TRAINING = Training(
    epochs=260,
    batch_size=64,
    learning_rate=0.045,
    momentum=0.9,
    decay=0.9,
    epsilon=0.1,
    rate_factor=0.94,
    rate_epochs=2,
    average=0.9999,
    patience=10,
    distortion=Distortion(),
)
"""As in doi:10.1371/journal.pone.0198883, *Training*; memory and patience are ours, it names
none.
"""
