"""The heavy step of the BOHB chapter: networks as configurations, a search, its blind twin, and
workers elsewhere.
"""

import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.data.split import Split
from diffranet_utils.learning.checkpoints import save_network, work_name
from diffranet_utils.learning.networks.resnet import build_deepfreak
from diffranet_utils.learning.networks.topologies import TOPOLOGIES
from diffranet_utils.learning.training import evaluate, first_images, train
from diffranet_utils.learning.training_settings import Settings
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.search.bohb import (
    BATCH_SIZES,
    CRASH_LOSS,
    SearchSettings,
    epochs_spent,
    incumbent,
    random_search,
    rank_correlations,
    run_bohb,
    search_space,
    trajectory,
)
from diffranet_utils.studies.diffranet import dataset

EPOCH_TIMEOUT_S = 300.0  # generous: on two cores an epoch of the small presets lasts seconds
PORT = 9377  # of the name server, where workers elsewhere look for a search


@dataclass(frozen=True)
class NetworkEvaluation:
    """Trains a configuration for a budget of epochs; a larger budget goes on from the smaller one's
    checkpoint.

    Parameters
    ----------
    training, validation : Split
    folder : Path
        For the checkpoints and networks.
    seed : int
    keep : bool
        Leave every network in ``networks``, for chapter 51 to try on real frames.
    """

    training: Split
    validation: Split
    folder: Path
    seed: int
    keep: bool = True

    def __call__(self, config_id, config, budget):
        """Return 1 - validation accuracy and its counts; the arguments are those of `run_bohb`."""
        chosen = dict(config)
        topology = chosen.pop("topology")
        settings = Settings(epochs=max(1, round(budget)), seed=self.seed, **chosen)
        generator = torch.Generator().manual_seed(self.seed)
        network = build_deepfreak(
            topology, image_size=self.training.images.shape[-1], generator=generator
        )
        path = self.folder / "checkpoints" / f"{'_'.join(map(str, config_id))}.safetensors"
        history = train(network, self.training, settings, checkpoint=path)
        seen = evaluate(network, self.validation)
        n_right = int((seen.predicted == self.validation.labels).sum())
        self._forget_before(config_id[0] - 1)
        saved = self.folder / "networks" / f"{path.stem}_{settings.epochs}.safetensors"
        if self.keep:
            save_network(saved, network, {"config": config, "epochs": settings.epochs})
        info = {"n_right": n_right, "n": len(seen.predicted), "training_loss": history[-1]["loss"]}
        return 1 - seen.accuracy, info | {"network": saved.name}

    def _forget_before(self, iteration):
        """Delete checkpoints of brackets that are over: with their momenta they take twice the room
        of the networks.
        """
        for path in (self.folder / "checkpoints").glob("*.safetensors"):
            if int(path.name.split("_")[0]) < iteration:
                path.unlink(missing_ok=True)


def preset_space(preset, seed):
    """The part of the space that a preset can afford.

    No topology has more filters than the one that the preset trains, and an epoch has four steps or
    more.

    Returns
    -------
    ConfigSpace.ConfigurationSpace
    """
    widest = TOPOLOGIES[preset.brackets.widest].filters
    topologies = [key for key, topology in TOPOLOGIES.items() if key and topology.filters <= widest]
    batch_sizes = [size for size in BATCH_SIZES if size <= preset.brackets.n_train // 4]
    return search_space(topologies, batch_sizes, seed)


def address(text):
    """Split ``HOST`` or ``HOST:PORT`` into a host and a port, by default `PORT`.

    Raises
    ------
    InputError
        If the port is not a number, or the host is no address that another machine could use.
    """
    host, _, port = text.partition(":")
    require(
        host not in ("", "0.0.0.0", "*"),
        f"{text!r} is no address: give the address by which the workers reach this machine.",
    )
    require(
        not port or (port.isdigit() and 0 < int(port) < 65536),
        f"{text}: the port is a number, 1 to 65535.",
    )
    return host, int(port or PORT)


def can_listen(host, port):
    """Try an address out.

    Raises
    ------
    InputError
        If it is not one of this machine's, or the port is taken.
    """
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        message = (
            f"Cannot listen at {host}:{port} ({error.strerror}): give an address of this machine "
            "and a free port."
        )
        raise InputError(message) from error


def _prepare(run):
    """What master and workers share: the evaluation of a configuration, and a name only the same
    search has.
    """
    root, n = dataset.ensure_dataset(run), run.preset.brackets.n_train
    training, validation = (
        first_images(dataset.load_split(root, name), n) for name in ("train", "validation")
    )
    name = work_name(run, root, __name__)
    return NetworkEvaluation(training, validation, run.results_dir / "bohb" / name, run.seed), name


def work(run, nameserver):
    """Evaluate configurations for a search on another machine until it ends.

    Parameters
    ----------
    run : provenance.Run
        Same preset and seed as that of the search; its data set is built here if it is missing.
    nameserver : str
        ``HOST`` or ``HOST:PORT`` of the search.

    Returns
    -------
    int
        Evaluations done.

    Raises
    ------
    DiffranetError
        If no such search answers there.
    """
    from diffranet_utils.search.bohb_remote import names_at, work_for

    host, port = address(nameserver)
    names_at(host, port)  # before a data set is made for nobody
    evaluation, name = _prepare(run)
    return work_for(evaluation, CRASH_LOSS, host, port, name)


def step(run):
    """Search topologies and settings at the preset's size, then blindly for as many epochs.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        For `provenance.save_result`.
    """
    asked, (host, port) = (
        run.preset.brackets,
        ("127.0.0.1", 0) if run.listen is None else address(run.listen),
    )
    can_listen(host, port)  # before a data set is made
    evaluation, name = _prepare(run)
    settings = SearchSettings(
        asked.min_epochs, asked.max_epochs, asked.n_brackets, asked.eta, seed=run.seed,
        timeout_s=EPOCH_TIMEOUT_S * (1 + asked.max_epochs), host=host, port=port, name=name,
    )  # fmt: skip
    space = preset_space(run.preset, run.seed)
    runs = run_bohb(evaluation, space, settings, evaluation.folder)
    best = incumbent(runs)
    require(
        best is not None, f"Every configuration failed: see {evaluation.folder / 'runs.jsonl'}."
    )
    blind = replace(evaluation, folder=evaluation.folder.with_name(f"{name}-random"), keep=False)
    random_runs = random_search(blind, space, settings, epochs_spent(runs), blind.folder)
    values = _values(runs, best, random_runs, evaluation.validation)
    details = {
        "settings": asdict(settings),
        "networks": str(evaluation.folder.relative_to(run.results_dir) / "networks"),
        "topologies": list(space["topology"].choices),
        "n_train": len(evaluation.training.labels),
        "n_validation": len(evaluation.validation.labels),
        "runs": runs,
        "incumbent": best,
        "trajectory": trajectory(runs),
        "rank_correlations": rank_correlations(runs),
        "random_runs": random_runs,
        "random_trajectory": trajectory(random_runs),
    }
    return values, details


def _values(runs, best, random_runs, validation):
    lucky = incumbent(random_runs)
    values = {
        "bohb_validation_accuracy": metrics.proportion(best["info"]["n_right"], best["info"]["n"]),
        "most_frequent_class": metrics.proportion(
            int(np.bincount(validation.labels).max()), len(validation.labels)
        ),
        "bohb_evaluations": plain_value(len(runs), "evaluations"),
        "bohb_epochs": plain_value(epochs_spent(runs), "epochs"),
        "random_epochs": plain_value(epochs_spent(random_runs), "epochs"),
    }
    if lucky is not None:  # else every blind configuration failed
        values["random_validation_accuracy"] = metrics.proportion(
            lucky["info"]["n_right"], lucky["info"]["n"]
        )
    return values
