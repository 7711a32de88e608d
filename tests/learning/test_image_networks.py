"""Training of catalogue networks: it learns, repeats itself, and stops at nonsense."""

import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.learning.image_networks import (
    Schedule,
    as_input,
    features_of,
    fit,
    probabilities_of,
)
from diffranet_utils.learning.networks.catalogue import build


def stripes(n=24, size=16):
    """Horizontal and vertical stripes with noise: one class each."""
    rng = np.random.default_rng(6)
    labels = np.arange(n) % 2
    wave = (np.arange(size) % 4 < 2) * 120
    images = rng.integers(0, 60, (n, size, size))
    images[labels == 0] += wave[:, None]
    images[labels == 1] += wave[None, :]
    return images.astype(np.uint8), labels


def trained(epochs=12):
    images, labels = stripes()
    network = build("lenet", 2, 1, 0.25, torch.Generator().manual_seed(1), image_size=16)
    story = fit(network, as_input(images), labels, Schedule(epochs, 8, 1e-2, 1e-4, seed=2))
    return network, story, as_input(images), labels


def test_it_learns_and_repeats_itself():
    network, story, x, labels = trained()
    assert story["losses"][-1] < 0.5 * story["losses"][0]
    chances = probabilities_of(network, x)
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert (chances.argmax(axis=1) == labels).all()
    again, _, _, _ = trained()
    assert np.array_equal(features_of(again, x), features_of(network, x))


def test_input_is_scaled_and_averaged():
    images = np.zeros((1, 8, 8), np.uint8)
    images[0, :, ::2] = 255  # every other column: grey when halved
    x = as_input(images, n_channels=3, size=4, mean=(0.5, 0.5, 0.5), std=0.25)
    assert x.shape == (1, 3, 4, 4)
    assert x[..., 1:-1].abs().max() < 0.6  # within a seventh of grey, edges left out


def test_nonsense_is_refused():
    images, labels = stripes(8)
    network = build("lenet", 2, 1, 0.25, image_size=16)
    with pytest.raises(InputError):
        fit(network, as_input(images), labels[:3], Schedule(1, 4))
    with pytest.raises(InputError):
        Schedule(batch_size=1)
    with pytest.raises(DiffranetError):
        fit(network, as_input(images), labels, Schedule(40, 4, 1e8))
