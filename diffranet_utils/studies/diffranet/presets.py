"""How large a run is: smoke for a look, workshop for an afternoon, overnight and full for the study's own.

`overnight` has the study's data with networks that two cores train in a night; `full` its networks too, on a GPU.
"""

from dataclasses import dataclass

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.diffranet.stations import DIFFRANET, Station


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the book.

    Parameters
    ----------
    name : str
    n_train, n_validation, n_test : int
        Images of the synthetic splits.
    n_evaluations : int
        Hyperopt evaluations.
    n_network_train : int
        Training images that the networks see (they need more time than the forests).
    topology : int
        Key of `deepfreak.TOPOLOGIES` that chapter 40 trains.
    epochs : int
        Of the network in chapter 40.
    bohb_iterations, bohb_min_epochs, bohb_max_epochs : int
        Brackets of BOHB and its smallest and largest budget.
    n_bohb_train : int
        Training images of one BOHB evaluation.
    eta : int
        Each rung of BOHB keeps one configuration in `eta`.
    n_workers : int
        Processes for simulation and feature extraction.
    station : Station
        The experiment that is simulated.
    n_study, study_epochs, study_seeds : int
        Training images, epochs and repetitions of each variant that chapter 40 compares.
    n_explained : int
        Images on which chapter 40 measures where the network looks.
    n_ladder : int
        Training crops at each rung of chapter 51.
    n_sift : int, optional
        Training images that SIFT sees (it needs 20 times the time of the textures); by default all.
    """

    name: str
    n_train: int
    n_validation: int
    n_test: int
    n_evaluations: int
    n_network_train: int
    topology: int
    epochs: int
    bohb_iterations: int
    bohb_min_epochs: int
    bohb_max_epochs: int
    n_bohb_train: int
    eta: int = 3
    n_workers: int = 2
    station: Station = DIFFRANET
    n_study: int = 16
    study_epochs: int = 1
    study_seeds: int = 2
    n_explained: int = 3
    n_ladder: int = 28
    n_sift: int | None = None

    @property
    def split_sizes(self):
        """Images per split, in the order in which they are made."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}


# fmt: off
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke", n_train=200, n_validation=80, n_test=120, n_evaluations=10, n_network_train=64,
            topology=9, epochs=3, bohb_iterations=1, bohb_min_epochs=1, bohb_max_epochs=3, n_bohb_train=32,
            n_sift=80,
        ),
        Preset(
            "workshop", n_train=2000, n_validation=500, n_test=1000, n_evaluations=50, n_network_train=2000,
            topology=9, epochs=12, bohb_iterations=2, bohb_min_epochs=1, bohb_max_epochs=9, n_bohb_train=200,
            n_study=400, study_epochs=6, study_seeds=3, n_explained=24, n_ladder=500,
        ),
        Preset(
            "overnight", n_train=10_000, n_validation=2400, n_test=12_600, n_evaluations=150, n_network_train=10_000,
            topology=10, epochs=30, bohb_iterations=4, bohb_min_epochs=1, bohb_max_epochs=27, n_bohb_train=1000,
            n_study=1000, study_epochs=9, study_seeds=3, n_explained=24, n_ladder=2500,
        ),
        Preset(
            "full", n_train=10_000, n_validation=2400, n_test=12_600, n_evaluations=150, n_network_train=10_000,
            topology=8, epochs=50, bohb_iterations=16, bohb_min_epochs=2, bohb_max_epochs=50, n_bohb_train=10_000,
            n_study=10_000, study_epochs=20, study_seeds=3, n_explained=24, n_ladder=2500,
        ),
    )
}
# fmt: on


def get(name):
    """Look a preset up by name.

    Raises
    ------
    InputError
        If there is no preset of that name.
    """
    if name not in PRESETS:
        raise InputError(f"Unknown preset {name!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
