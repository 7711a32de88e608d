"""RMSProp and the running mean against closed forms."""

import pytest
import torch

from diffranet_utils.learning.rmsprop import RmsProp, RunningMean


def test_steps_of_a_constant_gradient():
    """The mean square of a constant g is g^2 + d^t (1 - g^2); without momentum a step is rate g /
    root.
    """
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = RmsProp([weight], lr=0.045, momentum=0.0, decay=0.9, epsilon=0.1)
    gradient, expected = 0.3, 0.0
    for t in range(1, 40):
        weight.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
        expected -= 0.045 * gradient / (gradient**2 + 0.9**t * (1 - gradient**2) + 0.1) ** 0.5
        assert weight.item() == pytest.approx(expected, rel=1e-12)


def test_momentum_adds_up_to_the_geometric_series():
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = RmsProp([weight], lr=1.0, momentum=0.5, decay=1.0, epsilon=0.0)
    for _ in range(60):
        weight.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
    last = optimizer.state[weight]["step"].item()
    assert last == pytest.approx(2.0)  # 1 / (1 - 0.5), the mean square staying at one


def test_the_mean_of_standing_weights_is_they_and_old_ones_fade():
    network = torch.nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(0.0)
    mean = RunningMean(network, 0.9)
    with torch.no_grad():
        network.weight.fill_(1.0)
    kept = 1.0
    for t in range(1, 300):
        mean.update()
        kept *= min(0.9, (1 + t) / (10 + t))
        assert mean.mean["weight"].item() == pytest.approx(1 - kept, abs=1e-5)
