import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.collection import Collection
from diffranet_utils.studies.space_groups.kept_networks import kept_network
from diffranet_utils.studies.space_groups.models import ResidualSettings
from diffranet_utils.studies.space_groups.network_training import FitSettings, predict, stretching

SMALL = ResidualSettings(widths=(4,), hidden=8)


def curves(n=24):
    x = np.random.default_rng(1).random((n, 209), np.float32)
    text = np.array(["a"] * n)
    return Collection(x, np.arange(n) % 3, text, text, np.full(n, -1))


def test_a_finished_network_is_read_and_not_trained_again(tmp_path):
    settings = FitSettings(epochs=2, batch_size=8, seed=1, strain=0.05)
    first, history = kept_network(SMALL, curves(), settings, tmp_path)
    stamps = [path.stat().st_mtime_ns for path in tmp_path.iterdir()]
    second, again = kept_network(SMALL, curves(), settings, tmp_path)
    assert again == history
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == stamps
    np.testing.assert_array_equal(predict(first, curves().x), predict(second, curves().x))


def test_other_curves_or_settings_are_another_network(tmp_path):
    for n, seed in ((24, 1), (23, 1), (24, 2)):
        kept_network(SMALL, curves(n), FitSettings(epochs=1, batch_size=8, seed=seed), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_stretching_moves_a_wave_to_longer_distances():
    r = 1.5 + np.pi / 23 * np.arange(209)
    wave = np.cos(2 * np.pi * r / 2.0)
    stretched = wave @ stretching(209, 0.05).astype(float)
    inside = slice(10, -10)
    np.testing.assert_allclose(stretched[inside], np.cos(2 * np.pi * r / 2.1)[inside], atol=0.01)
    np.testing.assert_allclose(stretching(209, 0.0), np.eye(209), atol=1e-6)


def test_a_strain_that_leaves_the_curve_is_refused():
    with pytest.raises(InputError):
        FitSettings(strain=0.5)


def test_training_leaves_torch_usable(tmp_path):
    network, _ = kept_network(SMALL, curves(), FitSettings(epochs=1, batch_size=8), tmp_path)
    assert not network.training
    assert torch.isfinite(torch.as_tensor(predict(network, curves().x))).all()
