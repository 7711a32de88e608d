"""One change at a time, several seeds each: what a network's accuracy owes to its input and to
chance.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch

from diffranet_utils.core import distributed
from diffranet_utils.learning.networks.resnet import build_deepfreak
from diffranet_utils.learning.networks.topologies import find_topology
from diffranet_utils.learning.training import evaluate, first_images, train
from diffranet_utils.learning.training_settings import PAPER_CONFIGURATIONS, SMALL
from diffranet_utils.records import metrics
from diffranet_utils.records.tables import grouped
from diffranet_utils.studies.diffranet.labels import is_hit

SMALL_PX = 224  # what ResNet-50 was made for


@dataclass(frozen=True)
class Variant:
    """A training that differs in one thing from the chapter's own.

    Parameters
    ----------
    title : str
    changes : dict
        Fields of `training.Settings`.
    size : int
        Pixels that the images are scaled to.
    topology : int, optional
        By default the preset's.
    """

    title: str
    changes: dict = field(default_factory=dict)
    size: int = 512
    topology: int | None = None


VARIANTS = {
    "as_trained": Variant("as in this chapter"),
    "scalar_mean": Variant("one mean for all pixels", {"scalar_mean": True}),
    "turned_images": Variant("images turned at random", {"turned": True}),
    "224_pixels": Variant("scaled to 224 pixels", size=SMALL_PX),
}


def preset_settings(run):
    """Topology and settings that chapter 40 trains: the paper's own where Table 11 has its
    topology, else `SMALL`.

    Parameters
    ----------
    run : provenance.Run
        Its width, learning rate and batch size, where given, take the place of these.

    Returns
    -------
    topology : Topology
    settings : Settings
        With one image a batch for each process at least, where several train together.
    """
    asked = run.preset.network
    topology, of_paper = find_topology(asked.topology), dict(PAPER_CONFIGURATIONS.values())
    if asked.width is not None:
        topology = replace(topology, filters=asked.width)
    usual = of_paper.get(asked.topology, SMALL)
    batch_size = max(asked.batch_size or usual.batch_size, distributed.n_processes())
    rate = asked.learning_rate or usual.learning_rate
    return topology, replace(
        usual, epochs=asked.epochs, seed=run.seed, batch_size=batch_size, learning_rate=rate
    )


def preset_variants(preset):
    """The variants that a preset compares: the paper's other configurations too, where it trains
    one of them.

    Returns
    -------
    dict of str to Variant
    """
    if preset.network.topology == PAPER_CONFIGURATIONS["B"][0]:
        return VARIANTS | {f"configuration_{name}": _paper_variant(name) for name in ("A", "C")}
    return VARIANTS


def _paper_variant(name):
    topology, settings = PAPER_CONFIGURATIONS[name]
    changes = {
        key: getattr(settings, key)
        for key in ("learning_rate", "momentum", "weight_decay", "batch_size")
    }
    return Variant(f"the paper's configuration {name}", changes, topology=topology)


def scaled(split, size):
    """A split with images scaled to `size` x `size` pixels, each the mean of those that it covers.

    Parameters
    ----------
    split : Split
    size : int

    Returns
    -------
    Split
    """
    if split.images.shape[1] == size:
        return split
    images = [
        cv2.resize(np.asarray(image), (size, size), interpolation=cv2.INTER_AREA)
        for image in split.images
    ]
    return replace(split, images=np.stack(images))


def run_study(run, folder, training, test):
    """Train every variant with every seed and measure each on the same test images.

    Parameters
    ----------
    run : provenance.Run
    folder : Path
        For checkpoints: a study that was stopped goes on.
    training, test : Split

    Returns
    -------
    list of dict
        Per variant and seed: ``variant``, ``title``, ``seed``, ``accuracy`` and ``hit_accuracy``
        (record entries), ``history``.
    """
    n, rows = run.preset.network.n_study, []
    for name, variant in preset_variants(run.preset).items():
        small = scaled(first_images(training, n), variant.size)
        seen = scaled(first_images(test, 2 * n), variant.size)
        for seed in range(run.seed, run.seed + run.preset.network.study_seeds):
            row = train_variant(
                run, variant, seed, small, seen, folder / f"{name}_{seed}.safetensors"
            )
            rows.append({"variant": name, "title": variant.title, **row})
    return rows


def train_variant(run, variant, seed, training, test, checkpoint=None):
    """Train one variant with one seed, for the epochs of the preset's study, and measure it.

    Parameters
    ----------
    run : provenance.Run
    variant : Variant
    seed : int
    training, test : Split
        Of the variant's size.
    checkpoint : Path, optional

    Returns
    -------
    dict
        ``seed``, ``accuracy`` and ``hit_accuracy`` (record entries), ``history``.
    """
    topology, settings = preset_settings(run)
    settings = replace(
        settings, epochs=run.preset.network.study_epochs, seed=seed, **variant.changes
    )
    topology = topology if variant.topology is None else find_topology(variant.topology)
    if (
        variant.size < 512
    ):  # the last map is smaller than the second pool: average all of it, as ResNet-50 does
        topology = replace(topology, second_pool=min(topology.second_pool, variant.size // 32))
    network = build_deepfreak(
        topology, image_size=variant.size, generator=torch.Generator().manual_seed(seed)
    )
    history = train(network, training, settings, checkpoint=checkpoint)
    found = evaluate(network, test)
    return {
        "seed": seed,
        "accuracy": metrics.accuracy(test.labels, found.predicted),
        "hit_accuracy": metrics.hit_accuracy(test.labels, found.predicted, is_hit),
        "history": history,
    }


def forget(folder):
    """Delete the checkpoints of a finished study."""
    if distributed.is_leader():
        for path in folder.glob("*.safetensors"):
            path.unlink()


def study_values(rows):
    """What each variant gains over the first, seed by seed: mean and interval over the seeds.

    Parameters
    ----------
    rows : list of dict
        From `run_study`.

    Returns
    -------
    dict
        Record entries ``gain_of_<variant>``.
    """
    found = {
        name: [row["accuracy"]["value"] for row in ours]
        for name, ours in grouped(rows, "variant").items()
    }
    first, *others = found
    return {
        f"gain_of_{name}": metrics.mean_interval(np.subtract(found[name], found[first]))
        for name in others
    }
