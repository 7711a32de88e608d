"""DiffraNet's data set: who makes its images, and reading the simulated or the published one."""

from functools import partial

import numpy as np

from diffranet_utils.core.device import wants_gpu
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.data import split as data_split
from diffranet_utils.data.build import SPLITS, Recipe
from diffranet_utils.data.pgm import encode_pgm
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.labels import Label, RealLabel
from diffranet_utils.studies.diffranet.shots import render_shot, sample_shot

KINDS = {"synthetic": Label, "real_raw": RealLabel, "real_preprocessed": RealLabel}
TRUTH_FORMATS = {"rotation": "{:.9f}", "other_edges_um": "{:.6f}"}  # of the lists in a manifest


def make_image(station, seed, split, number):
    """Draw and render one image of the set from its own seed.

    Parameters
    ----------
    station : Station
    seed : int
        Of the data set.
    split : str
    number : int
        Within the split.

    Returns
    -------
    ShotImage
    """
    # One stream per (data set, split, number): bytes do not depend on order or on who makes them.
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    return render_shot(sample_shot(rng, station), station)


def recipe(preset):
    """The data set of a preset.

    Parameters
    ----------
    preset : Preset

    Returns
    -------
    data.build.Recipe
    """
    asked, station = preset.dataset, preset.dataset.experiment
    changes = {
        key: getattr(asked, key)
        for key in ("crystal", "wavelength_A")
        if getattr(asked, key) is not None
    }
    identity = {
        "station": station.name,
        **changes,
        "gpu": wants_gpu(),
        "code": code_fingerprint(render_shot.__module__),
    }
    make = partial(_make, station)
    return Recipe(preset.name, asked.split_sizes, Label, make, identity, n_workers=preset.n_workers)


def recipe_of(name):
    """The data set of the preset of that name; see `recipe`."""
    return recipe(presets.get(name))


def ensure_dataset(run):
    """Folder of the run's data set, built if it is missing or stale; see
    `data.split.ensure_dataset`.
    """
    data_split.ensure_dataset(run.data_dir, recipe(run.preset), run.seed, run.scheduler)
    return run.data_dir


def load_split(root, split):
    """Images and labels of one split, simulated or published; see `data.split.load_split`."""
    return data_split.load_split(root, split, KINDS)


def _make(station, seed, split, number):
    shot = make_image(station, seed, split, number)
    lists = {
        key: " ".join(form.format(x) for x in shot.truth[key])
        for key, form in TRUTH_FORMATS.items()
    }
    return shot.label, encode_pgm(shot.image), shot.truth | lists
