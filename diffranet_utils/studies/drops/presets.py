"""How large a run is: smoke for a look, workshop for an hour, overnight and full for the study's own."""

from dataclasses import dataclass, replace

from .settings import PAPER_TRAINING, Framing, Shape, Training


@dataclass(frozen=True)
class Pictures:
    """Chapter 80: the rendered set.

    Attributes
    ----------
    n_train, n_validation, n_test : int
    shares : str
        How often each imager takes part; one of `dataset.SHARES`.
    n_workers : int
        Processes that render.
    """

    n_train: int
    n_validation: int
    n_test: int
    shares: str
    n_workers: int

    @property
    def split_sizes(self):
        """Pictures per split, in the order in which they are made."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}


@dataclass(frozen=True)
class Inception:
    """Chapter 81: the network and what is asked of it.

    Attributes
    ----------
    framing : Framing
    shape : Shape
    training : Training
    left_out : tuple of str
        Imagers that are left out of training in turn (Table 6).
    n_study, study_epochs, study_seeds : int
        Training pictures, epochs and repetitions where resolution and augmentation are compared.
    n_folds, fold_epochs : int
        Folds and epochs of the networks that look for label errors.
    n_explained : int
        Pictures of each class whose SmoothGrad map is scored.
    """

    framing: Framing
    shape: Shape
    training: Training
    left_out: tuple
    n_study: int
    study_epochs: int
    study_seeds: int
    n_folds: int
    fold_epochs: int
    n_explained: int


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the study's chapters.

    Attributes
    ----------
    name : str
    pictures : Pictures
    inception : Inception
    """

    name: str
    pictures: Pictures
    inception: Inception


FULL_FRAMING, HALF_FRAMING = Framing(680, 599), Framing(340, 299)
ALL_IMAGERS = ("rock_wide", "rock_close", "minstrel_grey", "oil_home", "rock_old")


def _short(epochs, batch_size, average, patience):
    """The paper's training with its fall of the rate, to 3 in 10,000, squeezed into few epochs."""
    return replace(
        PAPER_TRAINING,
        epochs=epochs,
        batch_size=batch_size,
        rate_factor=0.02 ** (1 / epochs),
        rate_epochs=1,
        average=average,
        patience=patience,
    )


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            Pictures(n_train=96, n_validation=24, n_test=60, shares="equal", n_workers=2),
            Inception(
                framing=Framing(170, 151),
                shape=Shape(width=0.125),
                training=_short(epochs=4, batch_size=16, average=0.8, patience=0),
                left_out=("rock_close",),
                n_study=48,
                study_epochs=1,
                study_seeds=2,
                n_folds=2,
                fold_epochs=2,
                n_explained=1,
            ),
        ),
        Preset(
            "workshop",
            Pictures(n_train=3000, n_validation=400, n_test=1600, shares="equal", n_workers=2),
            Inception(
                framing=HALF_FRAMING,
                shape=Shape(width=0.25),
                training=_short(epochs=12, batch_size=32, average=0.99, patience=0),
                left_out=("rock_close",),
                n_study=800,
                study_epochs=5,
                study_seeds=3,
                n_folds=3,
                fold_epochs=5,
                n_explained=8,
            ),
        ),
        Preset(
            "overnight",
            Pictures(n_train=16_000, n_validation=2000, n_test=2000, shares="equal", n_workers=2),
            Inception(
                framing=FULL_FRAMING,
                shape=Shape(width=0.25),
                training=_short(epochs=20, batch_size=64, average=0.99, patience=5),
                left_out=("rock_close",),
                n_study=2000,
                study_epochs=6,
                study_seeds=3,
                n_folds=3,
                fold_epochs=6,
                n_explained=25,
            ),
        ),
        Preset(
            "full",
            Pictures(n_train=415_990, n_validation=23_531, n_test=47_062, shares="table_1", n_workers=2),
            Inception(
                framing=FULL_FRAMING,
                shape=Shape(width=1.0),
                training=PAPER_TRAINING,
                left_out=ALL_IMAGERS,
                n_study=50_000,
                study_epochs=30,
                study_seeds=3,
                n_folds=5,
                fold_epochs=30,
                n_explained=100,
            ),
        ),
    )
}
