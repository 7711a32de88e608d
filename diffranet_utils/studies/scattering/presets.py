"""How large a run of the scattering study is, one small class a chapter.

`overnight` has the paper's counts with networks that two cores train in a night; `full` has all
networks at their published size, from scratch on a GPU or from a folder of weights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from diffranet_utils.core.errors import require
from diffranet_utils.learning.ensembles import ENSEMBLES
from diffranet_utils.records.parameters import parameters
from diffranet_utils.search.ensembles import Protocol
from diffranet_utils.studies.scattering.representations import ALGORITHM_1, BY_NAME, NetworkSizes

Names = Annotated[tuple[Literal[tuple(BY_NAME)], ...], Field(min_length=1)]
Models = Annotated[tuple[Literal[tuple(ENSEMBLES)], ...], Field(min_length=1)]


@parameters
class Patterns:
    """Chapter 70, and what 71 sorts: a part of the paper's collection.

    Parameters
    ----------
    share : float
        Of the paper's number of images of each technique.
    n_sessions : int
        Of each technique.
    size : int
        Pixels of a side.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    n_sessions: Annotated[int, Field(ge=4, le=10_000)]
    size: Annotated[int, Field(ge=32, le=1024)]


@parameters
class Sorting:
    """Chapter 71: representations, models, and how much is spent on them.

    Parameters
    ----------
    representations : sequence of str
        Keys of `representations.BY_NAME`, on the split at random.
    unseen : sequence of str
        Those that also meet sessions which no training image is from.
    models : sequence of str
        Keys of `learning.ensembles.ENSEMBLES`.
    n_evaluations, n_inner, n_folds, n_components : int
        See `search.ensembles.Protocol`.
    image_size, width, epochs, fine_epochs, weights_dir
        See `representations.NetworkSizes`.
    n_explained : int
        Images of each technique on which Grad-CAM is scored.
    """

    representations: Names
    unseen: Names
    models: Models = tuple(ENSEMBLES)
    n_evaluations: PositiveInt
    n_inner: PositiveInt
    n_folds: Annotated[int, Field(ge=2, le=20)] = 5
    n_components: PositiveInt = 5
    image_size: Annotated[int, Field(ge=32, le=512)]
    width: PositiveFloat = 1.0
    epochs: PositiveInt
    fine_epochs: PositiveInt
    weights_dir: str | None = None
    n_explained: PositiveInt

    def __post_init__(self):
        """Refuse a folder of weights that is not there; raises InputError."""
        folder = self.weights_dir
        fine = folder is None or Path(folder).is_dir()
        require(fine, f"weights_dir is {folder!r}: give a folder of safetensors files.")

    def sizes(self, seed):
        """How networks are made, a `NetworkSizes`."""
        epochs = self.epochs, self.fine_epochs
        return NetworkSizes(self.image_size, self.width, *epochs, self.weights_dir, seed)

    def protocol(self, seed, reducer="pca"):
        """How tables are scored, a `Protocol`."""
        counts = self.n_evaluations, self.n_inner, self.n_folds, self.n_components
        return Protocol(*counts, reducer, seed)


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the study."""

    name: str
    dataset: Patterns
    sorting: Sorting
    n_workers: int = 2


#: Which parameters a chapter takes.
SECTIONS = {"70_scattering_patterns": "dataset", "71_sorting_techniques": "sorting"}

_SHALLOW = ("histogram", "glcm", "lbp")
_LENETS = ("lenet/unbalanced", "lenet/balanced", "lenet/augmented")
_ALL = (*(one.name for one in ALGORITHM_1), "lbp", "efficientnet_lite0/pre_trained")
_PAPER = Patterns(share=1.0, n_sessions=100, size=256)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            dataset=Patterns(share=0.03, n_sessions=10, size=64),
            sorting=Sorting(
                representations=("histogram", "lenet/unbalanced", "resnet50/unbalanced"),
                unseen=("histogram",),
                n_evaluations=2,
                n_inner=1,
                n_folds=3,
                image_size=64,
                width=0.125,
                epochs=6,
                fine_epochs=1,
                n_explained=2,
            ),
        ),
        Preset(
            "workshop",
            dataset=Patterns(share=0.2, n_sessions=40, size=128),
            sorting=Sorting(
                representations=(*_SHALLOW, *_LENETS, "vgg16/unbalanced", "resnet50/unbalanced"),
                unseen=("histogram", "glcm", "lenet/unbalanced", "resnet50/unbalanced"),
                n_evaluations=6,
                n_inner=2,
                image_size=64,
                width=0.25,
                epochs=20,
                fine_epochs=6,
                n_explained=20,
            ),
        ),
        Preset(
            "overnight",
            dataset=_PAPER,
            sorting=Sorting(
                representations=(*_SHALLOW, *_LENETS, "vgg16/unbalanced", "resnet50/unbalanced"),
                unseen=("histogram", "glcm", "lenet/unbalanced", "resnet50/unbalanced"),
                n_evaluations=20,
                n_inner=3,
                image_size=128,
                width=0.25,
                epochs=50,
                fine_epochs=10,
                n_explained=50,
            ),
        ),
        Preset(
            "full",
            dataset=_PAPER,
            sorting=Sorting(
                representations=_ALL,
                unseen=_ALL,
                n_evaluations=50,
                n_inner=3,
                image_size=256,
                epochs=50,
                fine_epochs=50,
                n_explained=100,
            ),
        ),
    )
}
