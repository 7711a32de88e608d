"""How large a run is: smoke for a look, workshop for half an hour, overnight and full for the
study's own.

`overnight` has the whole mineral data base; `full` the paper's network to its end, or a folder of
CIF files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt

from diffranet_utils.core.errors import require
from diffranet_utils.records.parameters import parameters

Count = Annotated[int, Field(ge=0, le=10**7)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Split = Literal["random", "mineral", "prototype"]
Row = Annotated[int, Field(ge=1, le=10)]


def _require_folder(path):
    require(
        path is None or Path(path).is_dir(), f"cif_dir is {path!r}: give a folder of CIF files."
    )


@parameters
class Curves:
    """Chapter 90: structures that are read, and curves that are timed.

    Parameters
    ----------
    stride : int
        Every so many entries of the mineral data base.
    n_timed : int
        Curves whose making is timed.
    cif_dir : str, optional
        Folder of CIF files in place of the data base.
    """

    stride: PositiveInt
    n_timed: PositiveInt
    cif_dir: str | None = None

    def __post_init__(self):
        """Refuse a folder that is not there; raises InputError."""
        _require_folder(self.cif_dir)


@parameters
class Groups:
    """Chapter 91: structures, made curves, and the sizes of every model.

    Parameters
    ----------
    stride, cif_dir : int and str, optional
        As for chapter 90.
    n_varied, n_substituted, n_random : int
        Curves made beside the plain ones, for our own network only.
    own_epochs, cnn_epochs : int
        Epochs of our network and of the paper's.
    cnn_members : int
        Networks of the paper's kind whose probabilities are averaged.
    n_trees : int
        Trees of a forest.
    splits : tuple of str
        Ways of holding structures out.
    alphas, l1_shares : tuple of float
        Candidates of the elastic net.
    n_search : int
        Structures on which these are cross-validated; a quarter of them for the products.
    n_products : int, optional
        Training structures of the linear model on products; None for all.
    sweep_rows : tuple of int
        Rows of the paper's Table S1, from 1, that are trained again.
    sweep_epochs : int
        Epochs of each.
    n_other : int, optional
        Structures of the other data base; None for all.
    """

    stride: PositiveInt
    cif_dir: str | None = None
    n_varied: Count
    n_substituted: Count
    n_random: Count
    own_epochs: Epochs
    cnn_epochs: Epochs
    cnn_members: PositiveInt
    n_trees: PositiveInt
    splits: Annotated[tuple[Split, ...], Field(min_length=1)] = get_args(Split)
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
    l1_shares: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1)]
    n_search: Annotated[int, Field(ge=90)]
    n_products: PositiveInt | None
    sweep_rows: tuple[Row, ...]
    sweep_epochs: Epochs
    n_other: PositiveInt | None

    def __post_init__(self):
        """Refuse a folder that is not there, or splits without the paper's; raises InputError."""
        _require_folder(self.cif_dir)
        require(
            "random" in self.splits,
            f"splits are {', '.join(self.splits)}: name random, the paper's, too.",
        )


@dataclass(frozen=True)
class Preset:
    """Sizes of one run of the study, one small class a chapter."""

    name: str
    curves: Curves
    groups: Groups
    n_workers: int = 2


SECTIONS = {"90_pair_distribution_functions": "curves", "91_space_groups": "groups"}
ALPHAS, L1_SHARES = (1e-5, 1e-4, 1e-3), (0.5, 0.75, 1.0)

# fmt: off
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            curves=Curves(stride=20, n_timed=200),
            groups=Groups(
                stride=20, n_varied=0, n_substituted=500, n_random=500, own_epochs=3, cnn_epochs=6,
                cnn_members=1, n_trees=50, alphas=(1e-5, 1e-4), l1_shares=(0.75,), n_search=200,
                n_products=None, sweep_rows=(3,), sweep_epochs=1, n_other=200,
            ),
        ),
        Preset(
            "workshop",
            curves=Curves(stride=1, n_timed=1000),
            groups=Groups(
                stride=1, n_varied=2000, n_substituted=4000, n_random=2000, own_epochs=6,
                cnn_epochs=6, cnn_members=1, n_trees=100, alphas=ALPHAS, l1_shares=(0.75, 1.0),
                n_search=800, n_products=1200, sweep_rows=(1, 2, 3, 4, 5), sweep_epochs=2,
                n_other=None,
            ),
        ),
        Preset(
            "overnight",
            curves=Curves(stride=1, n_timed=4000),
            groups=Groups(
                stride=1, n_varied=8000, n_substituted=12_000, n_random=8000, own_epochs=12,
                cnn_epochs=15, cnn_members=1, n_trees=100, alphas=(1e-5, 1e-4),
                l1_shares=(0.75, 1.0), n_search=800, n_products=1200, sweep_rows=(),
                sweep_epochs=1, n_other=None,
            ),
        ),
        Preset(
            "full",
            curves=Curves(stride=1, n_timed=4000),
            groups=Groups(
                stride=1, n_varied=50_000, n_substituted=150_000, n_random=200_000, own_epochs=40,
                cnn_epochs=164, cnn_members=3, n_trees=300, alphas=ALPHAS, l1_shares=L1_SHARES,
                n_search=3200, n_products=None, sweep_rows=tuple(range(1, 11)), sweep_epochs=164,
                n_other=None,
            ),
        ),
    )
}
# fmt: on
