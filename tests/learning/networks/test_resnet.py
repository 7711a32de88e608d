"""The network: published sizes, and shapes as a real forward pass makes them."""

import pytest
import torch

from diffranet_utils.core.errors import InputError
from diffranet_utils.learning.networks import resnet as deepfreak
from diffranet_utils.learning.networks import topologies


def named_maps(network, image_size):
    """Side of the map after every stage, as torch computes it."""
    sizes = {}

    def note(name):
        return lambda module, inputs, output: sizes.__setitem__(name, output.shape[-1])

    network.stem[0].register_forward_hook(note("first convolution"))
    network.stem.register_forward_hook(note("first pool"))
    for k, stage in enumerate(network.stages, start=1):
        stage.register_forward_hook(note(f"stage {k}"))
    network.pool.register_forward_hook(note("second pool"))
    network(torch.zeros(2, 1, image_size, image_size, dtype=torch.uint8, device="meta"))
    return sizes


def test_default_has_the_published_resnet50_count():
    with torch.device("meta"):
        network = deepfreak.DeepFreak(
            deepfreak.TOPOLOGIES[0], n_classes=1000, in_channels=3, image_size=224
        )
    assert deepfreak.count_parameters(network) == 25_557_032


@pytest.mark.parametrize("key", topologies.TOPOLOGIES)
def test_map_sizes_are_those_of_a_forward_pass(key):
    topology = deepfreak.TOPOLOGIES[key]
    with torch.device("meta"):
        network = deepfreak.DeepFreak(topology)
    assert named_maps(network, 512) == deepfreak.map_sizes(topology)


def test_topologies_are_fourteen_different_ones():
    table = topologies.TOPOLOGIES
    assert list(table) == list(range(14))
    rows = {
        (t.filters, t.conv_stride, t.second_pool, t.second_pool_stride, t.block_strides)
        for t in table.values()
    }
    assert len(rows) == 14
    assert table[8].block_strides == (1, 2, 3, 3)  # the paper's final choice, Table 1


def test_network_on_the_processor_scores_images():
    network = deepfreak.build_deepfreak(9).eval()
    with torch.no_grad():
        scores = network(torch.randint(0, 255, (1, 1, 512, 512), dtype=torch.uint8))
    assert scores.shape == (1, 5) and torch.isfinite(scores).all()


def test_weights_come_from_the_generator_alone():
    def weights(seed):
        network = deepfreak.build_deepfreak(9, generator=torch.Generator().manual_seed(seed))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    before = torch.random.get_rng_state()
    first, again, other = weights(4), weights(4), weights(5)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_convolutions_start_with_he_variance():
    network = deepfreak.build_deepfreak(0)
    weight = network.stages[3][1].branch[3].weight  # 3 x 3, 512 -> 512 channels
    assert weight.var().item() == pytest.approx(2 / (9 * 512), rel=0.01)


def test_pixel_mean_is_subtracted_on_the_unit_scale():
    network = deepfreak.build_deepfreak(9, image_size=256).eval()
    images = torch.randint(0, 255, (1, 1, 256, 256), dtype=torch.uint8)
    seen = []
    network.stem.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network.pixel_mean.fill_(0.25)
    with torch.no_grad():
        network(images)
    assert torch.allclose(seen[0], images.float() / 255 - 0.25)


def test_receptive_field_is_where_the_gradient_flows():
    topology = deepfreak.Topology("small", filters=2, second_pool=3, blocks=(1, 1, 1, 1))
    network = deepfreak.build_deepfreak(topology, image_size=512).eval()
    field, _ = deepfreak.receptive_fields(topology)["stage 3"]
    for block in network.stages.modules():
        if isinstance(block, deepfreak.Bottleneck):
            block.branch[-1].weight.data.fill_(1.0)  # it starts at zero
    for (
        module
    ) in network.modules():  # positive weights, so that no gradient cancels or meets a zero
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data.fill_(1.0)
        elif isinstance(module, torch.nn.MaxPool2d):
            module.forward = torch.nn.AvgPool2d(
                3, 2, 1
            ).forward  # a maximum sends its gradient to one pixel only
    image = torch.ones(1, 1, 512, 512, requires_grad=True)
    maps = network.stages[:3](network.stem(image))
    middle = maps.shape[-1] // 2
    maps[0, 0, middle, middle].backward()
    assert (image.grad[0, 0].abs().sum(dim=0) > 0).sum().item() == field


def test_too_small_an_image_is_refused():
    with pytest.raises(InputError, match="224 pixels are too few for topology 6"):
        deepfreak.build_deepfreak(6, image_size=224)


def test_unknown_topology_is_refused():
    with pytest.raises(InputError, match="Unknown topology 99"):
        deepfreak.build_deepfreak(99)


@pytest.mark.parametrize("key", topologies.TOPOLOGIES)
def test_cost_agrees_with_torchs_own_counter(key):
    from torch.utils.flop_counter import FlopCounterMode

    topology = topologies.TOPOLOGIES[key]
    with torch.device("meta"):
        network = deepfreak.DeepFreak(topology).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 1, 512, 512, dtype=torch.uint8, device="meta"))
    assert counter.get_total_flops() == 2 * topologies.multiply_adds(topology)


def test_table_holds_every_topology():
    table = deepfreak.topology_table()
    assert list(table.index) == list(topologies.TOPOLOGIES)
    assert table.loc[0, "flattened"] == 2048 * 10 * 10
    # ResNet-50 takes 4.1e9 multiply-adds at 224 pixels (torchvision's documentation), and here 512
    # / 224 squared more.
    assert table.loc[0, "gigamacs"] == pytest.approx(4.1 * (512 / 224) ** 2, rel=0.03)
