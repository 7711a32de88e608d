"""The rendered set: who makes its pictures, their truth again from the seed, and reading it."""

from functools import partial
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.data import split as data_split
from diffranet_utils.data.build import SPLITS, Recipe

from . import render
from .imagers import IMAGERS, TABLE_1_IMAGES
from .labels import CLASSES, Label, draw_labels
from .readers import DropSet, Entry

SHARES = ("equal", "table_1")
"""How often each imager takes part: all alike, or as Table 1 counts its institution."""


def imager_shares(name):
    """Return the probability of each imager.

    Parameters
    ----------
    name : str
        One of `SHARES`.

    Returns
    -------
    ndarray, shape (5,), float64
        In the order of `imagers.IMAGERS`; sums to 1.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    require(name in SHARES, f"Unknown shares of imagers {name!r}. Choose {' or '.join(SHARES)}.")
    counts = np.array([TABLE_1_IMAGES[imager.name] for imager in IMAGERS], dtype=float)
    counts = np.ones_like(counts) if name == "equal" else counts
    return counts / counts.sum()


def make_drop(seed, split, number, shares="equal"):
    """Draw and render one picture of the set from its own seed.

    Parameters
    ----------
    seed : int
        Of the set.
    split : str
    number : int
        Within the split.
    shares : str
        Of the imagers; one of `SHARES`.

    Returns
    -------
    render.RenderedDrop
    """
    # One stream per (set, split, number): bytes do not depend on order or on who makes them.
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    return make_for(IMAGERS[rng.choice(len(IMAGERS), p=imager_shares(shares))], rng)


def make_for(imager, rng):
    """Draw a class with the collection's shares and render a picture of it; see
    `render.render_drop`.
    """
    return render.render_drop(rng, imager, CLASSES[draw_labels(rng, 1)[0]])


def recipe(preset):
    """The rendered set of a preset.

    Parameters
    ----------
    preset : presets.Preset

    Returns
    -------
    data.build.Recipe
    """
    sizes = preset.dataset
    identity = {"imagers": sizes.shares, "code": code_fingerprint(render.__name__)}
    return Recipe(
        preset.name,
        sizes.split_sizes,
        Label,
        partial(_make, sizes.shares),
        identity,
        suffix=".jpg",
        n_workers=preset.n_workers,
    )


def ensure_dataset(run):
    """Folder of the run's pictures, rendered if missing or stale; see
    `data.split.ensure_dataset`.
    """
    # Another study's set of the same preset lies in the folder above.
    root = run.data_dir / "drops"
    return data_split.ensure_dataset(root, recipe(run.preset), run.seed, run.scheduler)


def rows_of(root, split):
    """Rows of the manifest of one split, a DataFrame; raises MissingDataError without a set."""
    manifest = data_split.load_manifest(root)
    return manifest[manifest.split == split].reset_index(drop=True)


def entries_of(root, split):
    """Pictures of one split as a `readers.DropSet`, in the order of `rows_of`."""
    rows = rows_of(root, split)
    entries = (Entry(Path(root) / row.path, int(row.label)) for row in rows.itertuples())
    return DropSet(tuple(entries), ())


def truth_of(row, shares="equal"):
    """Render a picture of the manifest again, for its masks.

    Parameters
    ----------
    row : namedtuple
        Of the manifest; its ``seed`` is ``<seed>/<split>/<number>``.
    shares : str
        Of the imagers, as the set was made with.

    Returns
    -------
    render.RenderedDrop
    """
    seed, split, number = map(int, row.seed.split("/"))
    return make_drop(seed, SPLITS[split], number, shares)


def _make(shares, seed, split, number):
    drop = make_drop(seed, split, number, shares)
    height, width = drop.drop.shape
    truth = {"imager": drop.imager, "variety": drop.variety, "width": width, "height": height}
    truth |= {
        f"{name}_px": int(getattr(drop, name).sum()) for name in ("crystals", "grains", "drop")
    }
    return Label(drop.label), drop.jpeg, truth
