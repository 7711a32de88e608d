import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from diffranet_utils.studies.space_groups import models


def waves(n, rng):
    """Curves of two classes that differ in wavelength."""
    labels = np.arange(n) % 2
    r = np.linspace(0, 20, 209)
    return np.sin(r * (2 + labels[:, None]) + rng.uniform(0, 0.5, (n, 1))), labels


def test_products_are_those_of_equation_5():
    x = np.random.default_rng(0).random((3, 209))
    products = models.quadratic_features(x)
    assert products.shape == (3, 21_736)
    expected = [x[1, i] * x[1, j] for i in range(209) for j in range(i + 1, 209)]
    np.testing.assert_allclose(products[1], expected, rtol=1e-6)


def test_layers_have_the_sizes_of_the_paper():
    network = models.PairNetwork()
    curves = torch.zeros(2, 209)
    assert network.features(curves[:, None]).shape == (2, 104 * 64)
    assert network(curves).shape == (2, 45)
    weights = 32 * 256 + 32 * 256 * 64 + 2 * (256 + 64) + (6656 + 1) * 128 + 129 * 45
    assert sum(p.numel() for p in network.parameters()) == weights


def test_weights_are_proportional_to_scikit_learns():
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(models.class_weights(labels, 4)[:3], theirs * 3)
    assert models.class_weights(labels, 4)[3] == 0


def test_learning_rate_falls_at_epochs_81_and_122():
    rates = [models.learning_rate(epoch) for epoch in (0, 80, 81, 121, 122, 163)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("model", [models.logistic_regression(), models.randomised_trees(20)])
def test_classical_models_learn_a_wavelength(model):
    rng = np.random.default_rng(1)
    model.fit(*waves(80, rng))
    assert model.score(*waves(40, rng)) > 0.9


def test_network_learns_a_wavelength():
    torch.manual_seed(0)
    x, labels = waves(32, np.random.default_rng(2))
    x, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(labels)
    network = models.PairNetwork(models.NetworkSettings((8, 4), 8, 16, 0.1), n_classes=2)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    assert (network.eval()(x).argmax(1) == labels).float().mean() > 0.9


@pytest.mark.parametrize("kernel", [5, 24, 32])
def test_a_long_convolution_is_the_direct_sum(kernel):
    torch.manual_seed(0)
    layer = models.LongConvolution(9, 4, kernel, padding="same", bias=False)
    x = torch.rand(3, 9, 209)
    padded = torch.nn.functional.pad(x, ((kernel - 1) // 2, kernel // 2))
    direct = torch.nn.functional.conv1d(padded, layer.weight)
    assert torch.allclose(layer(x), direct, atol=1e-5)


def test_our_network_scores_45_groups_and_its_blocks_add_to_their_input():
    network = models.ResidualPairNetwork().eval()
    assert network(torch.rand(2, 209)).shape == (2, 45)
    block = models._ResidualBlock(4, 4, 5, 1).eval()
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(2, 4, 20)
    assert torch.equal(block(x), x)
