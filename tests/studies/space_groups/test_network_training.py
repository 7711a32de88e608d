import numpy as np
import pytest
import torch

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.models import NetworkSettings, PairNetwork
from diffranet_utils.studies.space_groups.network_training import FitSettings, fit_network, predict

SMALL = NetworkSettings((4, 4), 5, 8)


def waves(n=48):
    """Curves of three classes that differ in wavelength."""
    labels = np.arange(n) % 3
    phase = np.random.default_rng(0).uniform(0, 0.5, (n, 1))
    return np.sin(np.linspace(0, 20, 209) * (1 + labels[:, None]) + phase) / 2 + 0.5, labels


def network():
    torch.manual_seed(1)
    return PairNetwork(SMALL)


def test_it_learns_waves():
    x, labels = waves()
    model = network()
    history = fit_network(
        model, x, labels, FitSettings(epochs=20, batch_size=8, rate=3e-3), test=(x, labels)
    )
    assert (
        history[-1]["test_accuracy"] == 1.0 and history[-1]["test_loss"] < history[0]["test_loss"]
    )
    np.testing.assert_allclose(predict([model, model], x).sum(axis=1), 1)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path):
    x, labels = waves()
    settings = FitSettings(epochs=4, batch_size=16, noise=0.01)
    straight = network()
    fit_network(straight, x, labels, settings)
    path = tmp_path / "state.safetensors"

    class Stopped(Exception):
        pass

    class Stopping(PairNetwork):
        calls = 0

        def forward(self, curves):
            self.calls += 1
            if self.calls > 7:  # in the third epoch of three batches
                raise Stopped
            return super().forward(curves)

    torch.manual_seed(1)
    with pytest.raises(Stopped):
        fit_network(Stopping(SMALL), x, labels, settings, checkpoint=path)
    resumed = network()
    assert len(fit_network(resumed, x, labels, settings, checkpoint=path)) == 4
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(InputError, match=r"state\.safetensors"):
        fit_network(network(), x, labels, FitSettings(epochs=5), checkpoint=path)


def test_schedule_falls_at_the_papers_epochs():
    settings = FitSettings(rate=0.1)
    assert [round(settings.rate_of(k), 6) for k in (0, 80, 81, 121, 122, 163)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        0.001,
        0.001,
    ]
    with pytest.raises(InputError):
        FitSettings(rate=0)
