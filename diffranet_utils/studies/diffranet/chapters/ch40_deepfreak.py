"""The heavy step of the DeepFreak chapter: train, vary, explain, and keep the network."""

from dataclasses import asdict

import torch

from diffranet_utils.core import distributed
from diffranet_utils.learning.checkpoints import save_network, work_name
from diffranet_utils.learning.networks.resnet import build_deepfreak, topology_table
from diffranet_utils.learning.training import evaluate, first_images, train
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import origin, plain_value
from diffranet_utils.studies.diffranet import dataset
from diffranet_utils.studies.diffranet.labels import Label, is_hit
from diffranet_utils.studies.diffranet.network_study import (
    forget,
    preset_settings,
    run_study,
    study_values,
)
from diffranet_utils.studies.diffranet.spot_attention import attention_on_spots, attention_values


def step(run):
    """Train the preset's topology, evaluate it once on the test split, vary one thing at a time,
    look where it looks.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        For `provenance.save_result`. The network goes to ``<models_dir>/deepfreak.safetensors``.
    """
    root = dataset.ensure_dataset(run)
    training, validation, test = (
        dataset.load_split(root, name) for name in ("train", "validation", "test")
    )
    work = run.results_dir / "checkpoints" / f"40_deepfreak_{work_name(run, root, __name__)}"
    network, values, details = _train_once(
        run, work.with_suffix(".safetensors"), training, validation, test
    )
    study = run_study(run, work, training, test)
    looks = attention_on_spots(network, test, "test", run, run.preset.network.n_explained)
    if distributed.is_leader():
        work.with_suffix(".safetensors").unlink(missing_ok=True)
    forget(work)
    return values | study_values(study) | attention_values(looks), details | {
        "study": study,
        "attention": looks,
    }


def _train_once(run, checkpoint, training, validation, test):
    topology, settings = preset_settings(run)
    training = first_images(training, run.preset.network.n_train)
    network = build_deepfreak(topology, generator=torch.Generator().manual_seed(run.seed))
    history = train(network, training, settings, validation, checkpoint)
    on_test = evaluate(network, test, title="test")
    about = {"settings": asdict(settings), "n_train": len(training.labels), "origin": origin()}
    if distributed.is_leader():
        save_network(run.models_dir / f"deepfreak{run.mark}.safetensors", network, about)
    details = {
        "topology": run.preset.network.topology,
        "settings": asdict(settings),
        "n_train": len(training.labels),
        "n_processes": distributed.n_processes(),
        "history": history,
        "confusion": metrics.confusion(test.labels, on_test.predicted, Label),
        "topologies": topology_table().reset_index().to_dict("records"),
    }
    return network, _values(history, len(training.labels), validation, test, on_test), details


def _values(history, n_train, validation, test, on_test):
    seconds = sum(row["seconds"] for row in history)
    n_right = round(history[-1]["validation_accuracy"] * len(validation.labels))
    return {
        "deepfreak_test_accuracy": metrics.accuracy(test.labels, on_test.predicted),
        "deepfreak_hit_accuracy": metrics.hit_accuracy(test.labels, on_test.predicted, is_hit),
        "deepfreak_validation_accuracy": metrics.proportion(n_right, len(validation.labels)),
        "training_images_per_second": plain_value(len(history) * n_train / seconds, "image/s"),
        "inference_images_per_second": plain_value(len(test.labels) / on_test.seconds, "image/s"),
    }
