"""How large a run is: smoke for a look, workshop for an afternoon, overnight and full for the
study's own.

`overnight` has the study's data with networks that two cores train in a night; `full` its networks
too, on a GPU. Each chapter has a small class of its own; its fields are the chapter's parameters in
papermill and on the command line.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.features.sift import N_WORDS
from diffranet_utils.learning.networks.topologies import TOPOLOGIES
from diffranet_utils.records.parameters import parameters
from diffranet_utils.studies.diffranet import stations
from diffranet_utils.studies.diffranet.experiment import Station
from diffranet_utils.studies.diffranet.simulate import crystal_from_file

Classifiers = Annotated[tuple[Literal["rf", "svm"], ...], Field(min_length=1)]
Extractors = Annotated[tuple[Literal["glcm", "lbp", "sift"], ...], Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Topology = Annotated[int, Field(ge=1, le=max(TOPOLOGIES))]
MANY = 10**6


def _require_folder(path):
    require(
        path is None or Path(path).is_dir(),
        f"frames is {path!r}: give a folder of labelled frames.",
    )


@parameters
class Experiment:
    """The experiment that a chapter simulates.

    Parameters
    ----------
    station : str or Station
        Name of one of `stations.STATIONS`.
    crystal : str, optional
        Cell and structure factors: a PDB, mmCIF or MTZ file; by default the station's own crystal.
    wavelength_A : float, optional
        By default the station's own.
    """

    station: str | Station = "diffranet"
    crystal: str | None = None
    wavelength_A: PositiveFloat | None = None

    def __post_init__(self):
        """Refuse what cannot be simulated before anything runs; raises InputError."""
        self.experiment  # noqa: B018 - built here for its checks

    @cached_property
    def experiment(self):
        """The `Station` that these choices make."""
        station = stations.get(self.station) if isinstance(self.station, str) else self.station
        if self.crystal is not None:
            station = replace(station, crystal=crystal_from_file(station.crystal, self.crystal))
        return (
            station
            if self.wavelength_A is None
            else replace(station, wavelength_A=self.wavelength_A)
        )


@parameters
class Quickstart(Experiment):
    """Chapter 00: images, and the offsets of its co-occurrence features."""

    n_train: Annotated[int, Field(ge=10, le=MANY)] = 80
    n_test: Annotated[int, Field(ge=1, le=MANY)] = 60
    distances: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 4)
    angles_deg: Annotated[tuple[Literal[0, 45, 90, 135], ...], Field(min_length=1)] = (0, 90)


@parameters
class Shots(Experiment):
    """Chapters 10 to 12: one experiment looked at closely, in so many orientations where they are
    averaged.
    """

    n_orientations: Annotated[int, Field(ge=1, le=1000)]


@parameters
class DataSet(Experiment):
    """Chapter 20: images of the synthetic splits, in the order in which they are made."""

    n_train: Annotated[int, Field(ge=1, le=MANY)]
    n_validation: Annotated[int, Field(ge=1, le=MANY)]
    n_test: Annotated[int, Field(ge=1, le=MANY)]

    @property
    def split_sizes(self):
        """Images per split."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}


@parameters
class Textures:
    """Chapter 30: which untuned feature tables meet which classifiers."""

    extractors: Annotated[
        tuple[Literal["glcm_default", "glcm_all", "lbp_default", "lbp_radius_0"], ...],
        Field(min_length=1),
    ] = ("glcm_default", "glcm_all", "lbp_default", "lbp_radius_0")
    classifiers: Classifiers = ("rf", "svm")


@parameters
class Words:
    """Chapter 31: sizes of the vocabulary, classifiers, and the training images that SIFT sees
    (None: all).
    """

    n_words: Annotated[tuple[Literal[N_WORDS], ...], Field(min_length=1)] = N_WORDS
    classifiers: Classifiers = ("rf", "svm")
    n_train: PositiveInt | None


@parameters
class Search:
    """Chapter 32: evaluations of Hyperopt, the part of the paper's space, and the training images
    that SIFT sees.

    Parameters
    ----------
    n_evaluations : int
        Trials in the paper's space.
    n_spot_evaluations : int
        Trials in the space of spot statistics.
    extractors, classifiers : sequence of str
        Branches of the paper's space.
    n_sift : int, optional
        By default all training images.
    """

    n_evaluations: Annotated[int, Field(ge=1, le=100_000)]
    n_spot_evaluations: Annotated[int, Field(ge=2, le=100_000)]
    extractors: Extractors = ("glcm", "lbp", "sift")
    classifiers: Classifiers = ("rf", "svm")
    n_sift: PositiveInt | None


@parameters
class Network:
    """Chapter 40: the network, its training, and the study of variants beside it.

    Parameters
    ----------
    topology : int
        Key of `TOPOLOGIES`.
    width : int, optional
        Filters of the first convolution, all others in proportion; by default the topology's.
    epochs, n_train : int
        Epochs, and the training images that the network sees.
    learning_rate, batch_size : float and int, optional
        By default those of `preset_settings`.
    n_study, study_epochs, study_seeds : int
        Training images, epochs and repetitions of each variant.
    n_explained : int
        Images on which it is measured where the network looks.
    """

    topology: Topology
    width: Annotated[int, Field(ge=1, le=256)] | None = None
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    n_train: PositiveInt
    learning_rate: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    n_study: PositiveInt
    study_epochs: PositiveInt
    study_seeds: PositiveInt
    n_explained: PositiveInt


@parameters
class Brackets:
    """Chapter 41: brackets of BOHB, budgets in epochs, and the part of the space that is searched.

    Parameters
    ----------
    n_brackets : int
    min_epochs, max_epochs : int
        Smallest and largest budget.
    eta : int
        Each rung keeps one configuration in `eta`.
    n_train : int
        Training images of one evaluation.
    widest : int
        No topology with more filters than this one's is searched.
    """

    n_brackets: PositiveInt
    min_epochs: PositiveInt
    max_epochs: PositiveInt
    eta: Annotated[int, Field(ge=2, le=16)] = 3
    n_train: Annotated[int, Field(ge=4)]
    widest: Topology

    def __post_init__(self):
        """Refuse budgets in the wrong order; raises InputError."""
        few, many = self.min_epochs, self.max_epochs
        require(
            few <= many,
            f"min_epochs is {few} and max_epochs {many}: give a largest budget that is not "
            "smaller.",
        )


@parameters
class RealFrames:
    """Chapter 50: the models that meet real frames, and the folder of these (None: what
    DIFFRANET_REAL names).
    """

    frames: str | None = None
    models: Annotated[tuple[Literal["rf", "svm", "deepfreak"], ...], Field(min_length=1)] = (
        "rf",
        "svm",
        "deepfreak",
    )

    def __post_init__(self):
        """Refuse a folder that is not there; raises InputError."""
        _require_folder(self.frames)


@parameters
class Ladder:
    """Chapter 51: training crops at each rung, the share of searched models tried, and the folder
    of real frames.
    """

    n_train: Annotated[int, Field(ge=8, le=MANY)]
    share_tried: Share = 0.3
    frames: str | None = None

    def __post_init__(self):
        """Refuse a folder that is not there; raises InputError."""
        _require_folder(self.frames)


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the study, one small class a chapter; chapters 10 to 12 share theirs."""

    name: str
    dataset: DataSet
    shots: Shots
    words: Words
    search: Search
    network: Network
    brackets: Brackets
    ladder: Ladder
    quickstart: Quickstart = Quickstart()
    textures: Textures = Textures()
    real_frames: RealFrames = RealFrames()
    n_workers: int = 2


#: Which parameters a chapter takes; the scorecard takes none.
SECTIONS = {
    "00_quickstart": "quickstart",
    "10_bragg_scattering": "shots",
    "11_background_and_detector": "shots",
    "12_five_classes": "shots",
    "20_dataset": "dataset",
    "30_texture_features": "textures",
    "31_sift_bag_of_words": "words",
    "32_hyperopt_search": "search",
    "40_deepfreak": "network",
    "41_bohb_search": "brackets",
    "50_real_frames": "real_frames",
    "51_reality_gap": "ladder",
}

#: The study's own sizes, which need no GPU: data, search and ladder.
OF_THE_STUDY = {
    "dataset": DataSet(n_train=10_000, n_validation=2400, n_test=12_600),
    "shots": Shots(n_orientations=12),
    "words": Words(n_train=None),
    "search": Search(n_evaluations=150, n_spot_evaluations=60, n_sift=None),
    "ladder": Ladder(n_train=2500),
}

# fmt: off
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            dataset=DataSet(n_train=200, n_validation=80, n_test=120),
            shots=Shots(n_orientations=3),
            words=Words(n_train=80),
            search=Search(n_evaluations=10, n_spot_evaluations=4, n_sift=80),
            network=Network(topology=9, epochs=3, n_train=64, n_study=16, study_epochs=1,
                study_seeds=2, n_explained=3),
            brackets=Brackets(n_brackets=1, min_epochs=1, max_epochs=3, n_train=32, widest=9),
            ladder=Ladder(n_train=28),
        ),
        Preset(
            "workshop",
            dataset=DataSet(n_train=2000, n_validation=500, n_test=1000),
            shots=Shots(n_orientations=12),
            words=Words(n_train=None),
            search=Search(n_evaluations=50, n_spot_evaluations=20, n_sift=None),
            network=Network(
                topology=9, epochs=12, n_train=2000, n_study=400, study_epochs=6, study_seeds=3,
                    n_explained=24,
            ),
            brackets=Brackets(n_brackets=2, min_epochs=1, max_epochs=9, n_train=200, widest=9),
            ladder=Ladder(n_train=500),
        ),
        Preset(
            "overnight",
            **OF_THE_STUDY,
            network=Network(
                topology=10, epochs=30, n_train=10_000, n_study=1000, study_epochs=9, study_seeds=3,
                    n_explained=24,
            ),
            brackets=Brackets(n_brackets=4, min_epochs=1, max_epochs=27, n_train=1000, widest=10),
        ),
        Preset(
            "full",
            **OF_THE_STUDY,
            network=Network(
                topology=8, epochs=50, n_train=10_000, n_study=10_000, study_epochs=20,
                    study_seeds=3, n_explained=24,
            ),
            brackets=Brackets(n_brackets=16, min_epochs=2, max_epochs=50, n_train=10_000, widest=8),
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
