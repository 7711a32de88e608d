"""Inception-v3 against published counts, the drop study's limits, and sizes worked out by hand."""

import pytest
import torch

from diffranet_utils.core.errors import InputError
from diffranet_utils.learning.networks.blocks import with_fresh_weights
from diffranet_utils.learning.networks.inception import Inception

PUBLISHED = 23_834_568
"""torchvision's inception_v3: 27,161,264 with the auxiliary classifier, which has 3,326,696."""

TABLE_3 = {
    "Conv2d_4a_3x3": 144,
    "Mixed_6b": 128,
    "Mixed_6c": 144,
    "Mixed_6d": 144,
    "Mixed_6e": 96,
    "Mixed_7a": 96,
    "Mixed_7b": 192,
    "Mixed_7c": 192,
}
"""Typed from the paper a second time."""


def on_paper(*sizes, **options):
    with torch.device("meta"):
        return Inception(*sizes, **options)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def filters_of(layer):
    return [m.out_channels for m in layer.modules() if isinstance(m, torch.nn.Conv2d)]


def conv(n_in, n_out, area):
    """Weights, and scale and shift of the normalisation."""
    return n_in * n_out * area + 2 * n_out


def count_by_hand(limit):
    """Numbers of the convolutions of Inception-v3, layer by layer as slim's source lists them."""

    def cap(name, filters):
        return min(filters, limit.get(name, filters))

    total = conv(16, 32, 9) + conv(32, 32, 9) + conv(32, 64, 9) + conv(64, 80, 1) if limit else 0
    total = total or conv(3, 32, 9) + conv(32, 32, 9) + conv(32, 64, 9) + conv(64, 80, 1)
    total += conv(3, 16, 9) if limit else 0
    n = cap("Conv2d_4a_3x3", 192)
    total += conv(80, n, 9)
    for pool in (32, 64, 64):
        total += conv(n, 64, 1) + conv(n, 48, 1) + conv(48, 64, 25)
        total += conv(n, 64, 1) + conv(64, 96, 9) + conv(96, 96, 9) + conv(n, pool, 1)
        n = 64 + 64 + 96 + pool
    total += conv(n, 384, 9) + conv(n, 64, 1) + conv(64, 96, 9) + conv(96, 96, 9)
    n += 384 + 96
    for name, inner in zip(
        ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), (128, 160, 160, 192), strict=True
    ):
        i, o = cap(name, inner), cap(name, 192)
        total += conv(n, o, 1) + conv(n, i, 1) + conv(i, i, 7) + conv(i, o, 7)
        total += conv(n, i, 1) + 3 * conv(i, i, 7) + conv(i, o, 7) + conv(n, o, 1)
        n = 4 * o
    c = {filters: cap("Mixed_7a", filters) for filters in (192, 320)}
    total += conv(n, c[192], 1) + conv(c[192], c[320], 9)
    total += conv(n, c[192], 1) + 2 * conv(c[192], c[192], 7) + conv(c[192], c[192], 9)
    n += c[320] + c[192]
    for name in ("Mixed_7b", "Mixed_7c"):
        a, b, d, e = (cap(name, filters) for filters in (320, 384, 448, 192))
        total += conv(n, a, 1) + conv(n, b, 1) + 2 * conv(b, b, 3)
        total += conv(n, d, 1) + conv(d, b, 9) + 2 * conv(b, b, 3) + conv(n, e, 1)
        n = a + 4 * b + e
    return total, n


def test_the_unlimited_network_has_the_published_count():
    assert count(on_paper(1000)) == PUBLISHED
    convolutions, n_features = count_by_hand({})
    assert convolutions + 1000 * (n_features + 1) == PUBLISHED


@pytest.mark.parametrize("layer", TABLE_3)
def test_every_limited_layer_keeps_its_limit(layer):
    full, limited = on_paper(4), on_paper(4, front=True, limits=TABLE_3)
    before = filters_of(full.layers.get_submodule(layer))
    after = filters_of(limited.layers.get_submodule(layer))
    assert after == [min(n, TABLE_3[layer]) for n in before]
    assert max(after) == TABLE_3[layer] < max(before)


def test_layers_without_a_limit_are_as_published():
    full, limited = on_paper(4), on_paper(4, front=True, limits=TABLE_3)
    for name, layer in full.layers.named_children():
        if name not in TABLE_3:
            assert filters_of(limited.layers.get_submodule(name)) == filters_of(layer)


def test_the_limited_total_is_that_of_a_count_by_hand():
    convolutions, n_features = count_by_hand(TABLE_3)
    limited = on_paper(4, front=True, limits=TABLE_3)
    assert n_features == limited.classifier.in_features == 192 * 6
    assert count(limited) == convolutions + 4 * (n_features + 1)


def test_the_front_takes_599_pixels_to_299():
    front = on_paper(4, front=True).layers[0].conv.to_empty(device="cpu")
    assert front.out_channels == 16 and front.stride == (2, 2)
    assert front(torch.empty(1, 3, 599, 599)).shape == (1, 16, 299, 299)


def test_a_width_scales_every_layer_and_it_trains():
    network = with_fresh_weights(lambda: Inception(4, width=0.125, front=True, limits=TABLE_3))
    assert max(filters_of(network)) == 48  # 384 / 8, in Mixed_6a
    scores = network(torch.zeros(2, 3, 151, 151))
    torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1])).backward()
    assert scores.shape == (2, 4)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_too_small_a_picture_is_refused():
    with pytest.raises(InputError):
        on_paper(4, front=True)(torch.empty(1, 3, 150, 150, device="meta"))
