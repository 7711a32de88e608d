"""Training: schedule, mean image, stop and resume, divergence, and networks that come back from
disk.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.data.split import Split
from diffranet_utils.learning import training
from diffranet_utils.learning.checkpoints import read_tensors
from diffranet_utils.learning.networks.resnet import Topology, build_deepfreak

TINY = Topology("tiny", filters=2, second_pool=2, blocks=(1, 1, 1, 1))
SETTINGS = training.Settings(
    epochs=3, batch_size=5, learning_rate=0.05, decay_epochs=2, n_statistics=12, seed=3
)
SIZE = 64


def fresh(seed=3, topology=TINY):
    return build_deepfreak(topology, image_size=SIZE, generator=torch.Generator().manual_seed(seed))


def bright_squares(n, seed):
    """Images whose label shows in how bright a square is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 6, n)
    images = rng.integers(0, 30, (n, SIZE, SIZE)).astype(np.uint8)
    images[:, 20:44, 20:44] += (labels * 40)[:, None, None].astype(np.uint8)
    return Split(images, labels, [str(k) for k in range(n)])


@pytest.fixture(scope="module")
def split():
    return bright_squares(22, seed=1)


def numbers(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def test_resumed_training_is_bit_equal(split, tmp_path):
    path = tmp_path / "run.safetensors"
    straight, stopped, resumed = fresh(), fresh(), fresh()
    expected = training.train(straight, split, SETTINGS, split, device="cpu")
    training.train(stopped, split, replace(SETTINGS, epochs=1), split, path, "cpu")
    history = training.train(resumed, split, SETTINGS, split, path, "cpu")
    assert numbers(history) == numbers(expected)
    for (name, one), (_, other) in zip(
        straight.state_dict().items(), resumed.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name


def test_training_repeats_and_leaves_global_generator_alone(split):
    state = torch.random.get_rng_state()
    first, again = fresh(), fresh()
    assert numbers(training.train(first, split, SETTINGS, device="cpu")) == numbers(
        training.train(again, split, SETTINGS, device="cpu")
    )
    assert torch.equal(state, torch.random.get_rng_state())


def test_one_step_is_the_closed_form_of_sgd(split):
    """One batch of the whole set: weight - rate * (gradient + decay * weight)."""
    rate, decay = 0.01, 0.3
    settings = replace(SETTINGS, epochs=1, batch_size=22, learning_rate=rate, weight_decay=decay)
    network, twin = fresh(), fresh()
    training.train(network, split, settings, device="cpu")
    twin.pixel_mean.copy_(torch.from_numpy(training.pixel_mean(split.images)))
    twin.train()
    images, labels = torch.from_numpy(split.images).unsqueeze(1), torch.from_numpy(split.labels - 1)
    torch.nn.functional.cross_entropy(twin(images), labels).backward()
    for (name, after), before in zip(network.named_parameters(), twin.parameters(), strict=True):
        expected = before - rate * (before.grad + decay * before)
        assert torch.allclose(after, expected, atol=1e-5), name


def test_network_learns_what_is_plain():
    training_set, test = bright_squares(80, seed=2), bright_squares(40, seed=5)
    network = fresh()
    history = training.train(
        network, training_set, replace(SETTINGS, epochs=8, decay_epochs=6), device="cpu"
    )
    assert history[-1]["loss"] < history[0]["loss"] / 2
    assert training.evaluate(network, test, "cpu").accuracy > 0.6  # chance is 0.2


def test_step_schedule_is_its_closed_form():
    settings = training.Settings(epochs=30, learning_rate=8.4474e-4)
    rates = [training.learning_rate_at(settings, epoch) for epoch in (0, 9, 10, 19, 20)]
    assert rates == pytest.approx([8.4474e-4, 8.4474e-4, 8.4474e-5, 8.4474e-5, 8.4474e-6])


def test_cosine_schedule_is_its_closed_form():
    settings = training.Settings(epochs=12, learning_rate=0.2, schedule="cosine")
    assert training.learning_rate_at(settings, 0) == pytest.approx(0.2)
    assert training.learning_rate_at(settings, 4) == pytest.approx(
        0.15
    )  # cos 60 degrees is one half
    assert training.learning_rate_at(settings, 6) == pytest.approx(0.1)


def test_history_records_the_rate_that_was_used(split):
    history = training.train(fresh(), split, SETTINGS, device="cpu")
    assert [row["learning_rate"] for row in history] == pytest.approx([0.05, 0.05, 0.005])


def test_pixel_mean_by_hand():
    images = np.zeros((300, 2, 3), dtype=np.uint8)
    images[::2, 0, 1] = 255
    images[:, 1, 2] = 51
    assert training.pixel_mean(images) == pytest.approx(np.array([[0, 0.5, 0], [0, 0, 0.2]]))


def test_trained_network_subtracts_the_training_mean(split):
    network = fresh()
    training.train(network, split, replace(SETTINGS, epochs=1), device="cpu")
    expected = split.images.astype(float).mean(axis=0) / 255
    assert network.pixel_mean[0].numpy() == pytest.approx(expected, abs=1e-6)


def test_statistics_do_not_hang_on_the_last_batches(split):
    """Batch normalisation holds the mean over the sample, here all images in two batches, not an
    average that lags.
    """
    network = fresh()
    settings = replace(SETTINGS, epochs=1, batch_size=1, n_statistics=22)
    training.train(network, split, settings, device="cpu")
    order = torch.randperm(22, generator=torch.Generator().manual_seed(settings.seed))
    images = torch.from_numpy(split.images).unsqueeze(1).float() / 255 - network.pixel_mean
    with torch.no_grad():
        means = [network.stem[0](images[index]).mean(dim=(0, 2, 3)) for index in order.split(16)]
    assert torch.allclose(network.stem[1].running_mean, torch.stack(means).mean(dim=0), atol=1e-6)


def test_divergence_is_said_not_hidden(split):
    with pytest.raises(training.Divergence, match="learning rate 1e\\+30"):
        training.train(fresh(), split, replace(SETTINGS, learning_rate=1e30), device="cpu")


def test_class_weights_reach_the_loss(split):
    """A class of weight zero cannot be learned: its rows of the classifier get no push towards
    it.
    """
    settings = replace(SETTINGS, epochs=1, batch_size=22, class_weights=(0.0, 1.0, 1.0, 1.0, 1.0))
    ones = split.labels == 1
    only = Split(split.images[ones], split.labels[ones], [])
    rest = Split(split.images[~ones], split.labels[~ones], [])
    assert len(only.labels) > 1
    with pytest.raises(training.Divergence):  # all weights zero: the mean loss is 0 / 0
        training.train(fresh(), only, settings, device="cpu")
    assert np.isfinite(training.train(fresh(), rest, settings, device="cpu")[0]["loss"])


def test_network_comes_back_from_disk(split, tmp_path):
    network = fresh()
    training.train(network, split, replace(SETTINGS, epochs=1), device="cpu")
    training.save_network(tmp_path / "net.safetensors", network, {"note": "test"})
    loaded = training.load_network(tmp_path / "net.safetensors", "cpu")
    seen = training.evaluate(network, split, "cpu")
    assert np.array_equal(loaded.predict_proba(split.images), seen.probabilities)
    assert np.array_equal(loaded.predict(split.images), seen.predicted)
    assert set(loaded.predict(split.images)) <= {1, 2, 3, 4, 5}
    assert json.loads((tmp_path / "net.json").read_text())["note"] == loaded.about["note"] == "test"


def test_probabilities_do_not_depend_on_the_batch(split):
    network = fresh()
    training.train(network, split, replace(SETTINGS, epochs=1), device="cpu")
    together = training.TrainedNetwork(network, device="cpu").predict_proba(split.images)
    single = training.TrainedNetwork(network, device="cpu")
    alone = np.concatenate([single.predict_proba(image[None]) for image in split.images])
    assert together == pytest.approx(alone, abs=1e-5)
    assert together.sum(axis=1) == pytest.approx(1)


def test_wrong_images_are_refused(split):
    wrapped = training.TrainedNetwork(fresh(), device="cpu")
    with pytest.raises(InputError, match="float64"):
        wrapped.predict(split.images.astype(float))
    with pytest.raises(InputError, match=r"\(22, 32, 64\)"):
        wrapped.predict(split.images[:, ::2])


def test_checkpoint_of_other_settings_is_refused(split, tmp_path):
    path = tmp_path / "run.safetensors"
    training.train(fresh(), split, replace(SETTINGS, epochs=1), checkpoint=path, device="cpu")
    with pytest.raises(InputError, match="momentum 0.9 not 0.5"):
        training.train(
            fresh(), split, replace(SETTINGS, momentum=0.5), checkpoint=path, device="cpu"
        )
    with pytest.raises(InputError, match="other images"):
        training.train(fresh(), bright_squares(22, seed=9), SETTINGS, checkpoint=path, device="cpu")


def test_checkpoint_holds_the_momenta(split, tmp_path):
    path = tmp_path / "run.safetensors"
    network = fresh()
    training.train(network, split, replace(SETTINGS, epochs=1), checkpoint=path, device="cpu")
    tensors, about = read_tensors(path)
    names = {f"momentum.{name}" for name, _ in network.named_parameters()}
    assert names <= set(tensors) and len(about["history"]) == 1


def test_damaged_or_missing_network_is_said(tmp_path):
    with pytest.raises(MissingDataError, match="No network"):
        training.load_network(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"not a network")
    with pytest.raises(DiffranetError, match="Cannot read the network"):
        training.load_network(tmp_path / "bad.safetensors")


def test_labels_and_batches_that_cannot_be_trained_are_refused(split):
    with pytest.raises(InputError, match="Labels outside 1 to 5"):
        training.train(fresh(), Split(split.images, split.labels - 1, []), SETTINGS, device="cpu")
    with pytest.raises(InputError, match="momentum is 1.0"):
        training.Settings(momentum=1.0)


def test_turned_images_are_symmetries_and_repeat():
    batch = torch.arange(64 * 9).reshape(64, 1, 3, 3)
    turned = training.turned(batch, torch.Generator().manual_seed(1))
    again = training.turned(batch, torch.Generator().manual_seed(1))
    assert torch.equal(turned, again)
    kinds = set()
    for before, after in zip(batch, turned, strict=True):
        ways = [
            np.rot90(m, k, (1, 2))
            for m in (before.numpy(), before.numpy()[:, :, ::-1])
            for k in range(4)
        ]
        found = [k for k, way in enumerate(ways) if np.array_equal(way, after.numpy())]
        assert len(found) == 1
        kinds.add(found[0])
    assert kinds == set(range(8))


def test_turning_changes_training_and_survives_a_stop(split, tmp_path):
    settings, path = replace(SETTINGS, turned=True), tmp_path / "run.safetensors"
    straight = training.train(fresh(), split, settings, device="cpu")
    training.train(fresh(), split, replace(settings, epochs=1), checkpoint=path, device="cpu")
    assert numbers(
        training.train(fresh(), split, settings, checkpoint=path, device="cpu")
    ) == numbers(straight)
    assert numbers(straight) != numbers(training.train(fresh(), split, SETTINGS, device="cpu"))


def test_scalar_mean_is_the_mean_of_the_pixel_means(split):
    network = fresh()
    training.train(network, split, replace(SETTINGS, epochs=0, scalar_mean=True), device="cpu")
    assert network.pixel_mean.numpy() == pytest.approx(split.images.mean() / 255, rel=1e-5)


def test_training_stops_when_validation_does_not_improve(split, tmp_path):
    hopeless = replace(SETTINGS, epochs=9, learning_rate=1e-12, patience=2, n_statistics=22)
    path = tmp_path / "run.safetensors"
    history = training.train(fresh(), split, hopeless, split, path, "cpu")
    assert 3 <= len(history) < 9
    best = min(range(len(history)), key=lambda k: history[k]["validation_loss"])
    assert len(history) - 1 - best == 2
    assert numbers(training.train(fresh(), split, hopeless, split, path, "cpu")) == numbers(history)
    with pytest.raises(InputError, match="needs a validation split"):
        training.train(fresh(), split, hopeless, device="cpu")


TOGETHER = """
import sys, numpy as np, torch
sys.path.insert(0, sys.argv[1])
from tests.learning.test_training import SETTINGS, bright_squares, fresh
from dataclasses import replace
from diffranet_utils.core import distributed
from diffranet_utils.learning import training
network = fresh()
settings = replace(SETTINGS, epochs=1, batch_size=22, weight_decay=0.0)
squares = bright_squares(22, seed=1)
checkpoint = sys.argv[2] + ".state"
history = training.train(network, squares, settings, device="cpu", checkpoint=checkpoint)
if distributed.is_leader():
    training.save_network(sys.argv[2], network, {"history": history})
"""


def test_two_processes_average_their_gradients(split, tmp_path):
    """One batch, shared by two: weight - rate * mean of the two halves' gradients, worked out by
    hand.
    """
    script, path = tmp_path / "together.py", tmp_path / "together.safetensors"
    script.write_text(TOGETHER)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [*command, script, Path(__file__).parents[2], path], capture_output=True, text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trained = training.load_network(path, "cpu")
    order = torch.randperm(22, generator=torch.Generator().manual_seed(SETTINGS.seed * 100_003))
    images, labels = torch.from_numpy(split.images).unsqueeze(1), torch.from_numpy(split.labels - 1)
    gradients, losses, start = [], [], fresh()
    for half in (order[0::2], order[1::2]):
        twin = fresh().train()
        twin.pixel_mean.copy_(torch.from_numpy(training.pixel_mean(split.images)))
        loss = torch.nn.functional.cross_entropy(twin(images[half]), labels[half])
        loss.backward()
        losses.append(loss.item())
        gradients.append([parameter.grad for parameter in twin.parameters()])
    assert trained.about["history"][0]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    for after, before, one, two in zip(
        trained.network.parameters(), start.parameters(), *gradients, strict=True
    ):
        assert torch.allclose(after, before - SETTINGS.learning_rate * (one + two) / 2, atol=1e-5)
