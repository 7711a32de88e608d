"""How large a run is: smoke for a look, workshop for an hour, overnight and full for the study's
own.

Each chapter has a small class of its own; its fields are the chapter's parameters in papermill and
on the command line.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from diffranet_utils.records.parameters import parameters

from .label_noise import DISAGREED, REVISITED
from .settings import PAPER_TRAINING, Framing, Shape

ImagerName = Literal["rock_wide", "rock_close", "minstrel_grey", "oil_home", "rock_old"]
MANY = 10**6


@parameters
class DataSet:
    """Chapter 80: pictures of the rendered splits, and how often each imager takes part.

    Parameters
    ----------
    n_train, n_validation, n_test : int
    shares : str
        ``equal``, or ``table_1``: as the paper counts the pictures of each institution.
    """

    n_train: Annotated[int, Field(ge=1, le=MANY)]
    n_validation: Annotated[int, Field(ge=1, le=MANY)]
    n_test: Annotated[int, Field(ge=1, le=MANY)]
    shares: Literal["equal", "table_1"]

    @property
    def split_sizes(self):
        """Pictures per split, in the order in which they are made."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}


@parameters
class Network:
    """Chapter 81: the network, its training and what is asked of it.

    Parameters
    ----------
    short_side, crop : int
        See `settings.Framing`.
    width : float
        Factor on all filters; 1 is the paper's network.
    schedule : str
        ``paper``: the rate falls by 0.94 every two epochs; ``short``: as far as there, but within
        the epochs given.
    epochs, batch_size : int
    learning_rate : float
        Of the first epoch. At the paper's 0.045 one narrow network on 3,000 pictures, in batches of
        32, stayed at the class shares for ten epochs (accuracy 0.49, n = 1,600); the small presets
        begin lower.
    average : float
        Memory of the running mean of the weights.
    patience : int
        Epochs without a gain on validation after which training stops; 0 goes on to the end.
    left_out : tuple of str
        Imagers that are left out of training in turn (Table 6).
    left_out_epochs : int
        Epochs of each of these trainings.
    n_study, study_epochs, study_seeds : int
        Training pictures, epochs and seeds where resolution and augmentation are compared.
    label_noise : float
        Fraction of the training labels that is wrong where label errors are looked for.
    n_folds, fold_epochs : int
        Of the networks that look for them.
    n_explained : int
        Pictures of each class whose SmoothGrad map is scored.
    """

    short_side: PositiveInt
    crop: PositiveInt
    width: Annotated[float, Field(gt=0, le=1)]
    schedule: Literal["paper", "short"] = "short"
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=4096)]
    learning_rate: PositiveFloat
    average: Annotated[float, Field(ge=0, lt=1)]
    patience: Annotated[int, Field(ge=0)] = 0
    left_out: Annotated[tuple[ImagerName, ...], Field(min_length=1)]
    left_out_epochs: PositiveInt
    n_study: Annotated[int, Field(ge=8)]
    study_epochs: PositiveInt
    study_seeds: Annotated[int, Field(ge=2, le=100)]
    label_noise: Annotated[float, Field(gt=0, le=0.17)] = REVISITED * DISAGREED
    n_folds: Annotated[int, Field(ge=2, le=20)]
    fold_epochs: PositiveInt
    n_explained: PositiveInt

    def __post_init__(self):
        """Refuse a crop that does not fit; raises InputError."""
        self.framing  # noqa: B018 - built here for its checks

    @property
    def framing(self):
        """How a picture becomes the network's square, a `settings.Framing`."""
        return Framing(self.short_side, self.crop)

    @property
    def shape(self):
        """What the network is, a `settings.Shape`."""
        return Shape(self.width)

    @property
    def training(self):
        """How it is trained, a `settings.Training`."""
        if self.schedule == "short":
            return replace(self.short_training(self.epochs), patience=self.patience)
        return replace(PAPER_TRAINING, **self._sizes(), epochs=self.epochs, patience=self.patience)

    def short_training(self, epochs):
        """The same training within fewer epochs, for the comparisons: the rate falls as far, and
        none stops early.

        Parameters
        ----------
        epochs : int

        Returns
        -------
        settings.Training
        """
        fall = {"rate_factor": LAST_RATE ** (1 / epochs), "rate_epochs": 1}
        return replace(PAPER_TRAINING, **self._sizes(), epochs=epochs, patience=0, **fall)

    def _sizes(self):
        return {name: getattr(self, name) for name in ("batch_size", "learning_rate", "average")}


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the study, one small class a chapter."""

    name: str
    dataset: DataSet
    network: Network
    n_workers: int = 2


LAST_RATE = 0.02
"""Rate after a short training over that of its first epoch; the paper's 260 epochs end at 0.0003,
of which no short
training has the time."""

SECTIONS = {"80_crystallisation_drops": "dataset", "81_inception_on_drops": "network"}

FULL_SIZE, HALF_SIZE = {"short_side": 680, "crop": 599}, {"short_side": 340, "crop": 299}
ALL_IMAGERS = ("rock_wide", "rock_close", "minstrel_grey", "oil_home", "rock_old")

# fmt: off
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            dataset=DataSet(n_train=96, n_validation=24, n_test=60, shares="equal"),
            network=Network(
                short_side=170, crop=151, width=0.125, epochs=4, batch_size=16, learning_rate=0.01,
                    average=0.8,
                left_out=("rock_close",), left_out_epochs=1,
                n_study=48, study_epochs=1, study_seeds=2, label_noise=0.1, n_folds=2,
                    fold_epochs=2, n_explained=1,
            ),
        ),
        Preset(
            "workshop",
            dataset=DataSet(n_train=3000, n_validation=400, n_test=1600, shares="equal"),
            network=Network(
                **HALF_SIZE, width=0.25, epochs=24, batch_size=32, learning_rate=0.01, average=0.99,
                left_out=("rock_close",), left_out_epochs=16,
                n_study=600, study_epochs=4, study_seeds=3, n_folds=3, fold_epochs=8, n_explained=8,
            ),
        ),
        Preset(
            "overnight",
            dataset=DataSet(n_train=16_000, n_validation=2000, n_test=2000, shares="equal"),
            network=Network(
                **FULL_SIZE, width=0.25, epochs=20, batch_size=64, learning_rate=0.01, average=0.99,
                patience=5,
                left_out=("rock_close",), left_out_epochs=10,
                n_study=2000, study_epochs=6, study_seeds=3, n_folds=3, fold_epochs=6,
                    n_explained=25,
            ),
        ),
        Preset(
            "full",
            dataset=DataSet(n_train=415_990, n_validation=23_531, n_test=47_062, shares="table_1"),
            network=Network(
                **FULL_SIZE, width=1.0, schedule="paper", epochs=260, batch_size=64,
                learning_rate=PAPER_TRAINING.learning_rate, average=PAPER_TRAINING.average,
                patience=PAPER_TRAINING.patience, left_out=ALL_IMAGERS, left_out_epochs=130,
                n_study=50_000, study_epochs=30, study_seeds=3, n_folds=5, fold_epochs=30,
                    n_explained=100,
            ),
        ),
    )
}
# fmt: on
