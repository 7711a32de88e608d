"""Training on drawn squares: it learns, goes on after a stop, and lists pictures of no use."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.studies.drops import network as networks
from diffranet_utils.studies.drops.crops import Shelf, brought_to
from diffranet_utils.studies.drops.predict import predict
from diffranet_utils.studies.drops.presets import PRESETS
from diffranet_utils.studies.drops.readers import read_class_folders
from diffranet_utils.studies.drops.settings import PAPER_TRAINING, Framing, Shape
from diffranet_utils.studies.drops.training import Trainer

FRAMING, SHAPE = Framing(84, 75), Shape(0.0625, front=False)
SETTINGS = replace(PRESETS["smoke"].network.training, epochs=3, batch_size=8, distortion=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight plain and eight striped pictures, and one that is no picture."""
    root, rng = tmp_path_factory.mktemp("folders"), np.random.default_rng(0)
    for name in ("clear", "crystals"):
        (root / name).mkdir()
        for k in range(8):
            picture = np.full((100, 120, 3), rng.integers(90, 160), np.uint8)
            if name == "crystals":
                picture[:, k % 4 :: 8] = 0
            cv2.imwrite(str(root / name / f"{k}.png"), picture)
    (root / "clear" / "broken.png").write_bytes(b"\x89PNG not really")
    return root


def shelf(folder):
    return Shelf(read_class_folders(folder).entries, FRAMING.short_side)


def trainer(seed=1, epochs=2):
    made = networks.build_network(SHAPE, torch.Generator().manual_seed(seed))
    return Trainer(made, replace(SETTINGS, epochs=epochs), FRAMING.crop, seed, "cpu")


def test_it_learns_and_lists_what_is_of_no_use(folder):
    pictures, training = shelf(folder), trainer(epochs=4)
    history = training.fit(pictures, pictures)
    assert min(row["loss"] for row in history[1:]) < history[0]["loss"]
    assert all(0 <= row["validation_accuracy"] <= 1 for row in history)
    assert [item.name.endswith("broken.png") for item in pictures.left_out.values()] == [True]
    seen = predict(training.network, pictures, FRAMING.crop, "cpu")
    assert len(seen.numbers) == 16 and seen.probabilities.sum(1) == pytest.approx(1)


def test_a_stopped_training_goes_on_to_the_same_weights(folder, tmp_path):
    whole, file = trainer(), tmp_path / "state.safetensors"
    whole.fit(shelf(folder))
    trainer(epochs=1).fit(shelf(folder), checkpoint=file)
    resumed = trainer()
    resumed.fit(shelf(folder), checkpoint=file)
    assert len(resumed.history) == 2
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(InputError):
        trainer(seed=2).fit(shelf(folder), checkpoint=file)


def test_the_rate_falls_as_in_the_paper():
    assert PAPER_TRAINING.rate_at(0) == PAPER_TRAINING.rate_at(1) == 0.045
    assert PAPER_TRAINING.rate_at(5) == pytest.approx(0.045 * 0.94**2)


def test_a_model_comes_back_from_its_file(tmp_path):
    made, path = networks.build_network(SHAPE), tmp_path / "drops.safetensors"
    networks.save_model(path, made, SHAPE, FRAMING, {"n": 3})
    read, framing, about = networks.load_model(path)
    assert framing == FRAMING and about["n"] == 3 and not read.training
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), read.parameters(), strict=True))
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DiffranetError):
        networks.load_model(path)


def test_pictures_are_brought_to_one_height():
    picture = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    small = brought_to(picture, 30)
    assert small.shape == (30, 40, 3)
    by_hand = picture.reshape(30, 2, 40, 2, 3).mean((1, 3))
    assert np.abs(small - by_hand).max() <= 0.5
    with pytest.raises(InputError):
        Framing(100, 101)
