"""DeepFreak: ResNet-50 for one grey channel at 512 x 512 pixels, in the fourteen topologies of the
paper's Table 9.
"""

import pandas as pd
import torch
from torch import nn

from diffranet_utils.learning.networks.topologies import (  # fmt: skip
    EXPANSION,
    TOPOLOGIES,
    Topology,
    find_topology,
    flattened_size,
    map_sizes,
    multiply_adds,
    receptive_fields,
)

__all__ = [
    "TOPOLOGIES", "DeepFreak", "Topology", "build_deepfreak", "count_parameters", "map_sizes",
    "receptive_fields",
    "topology_table",
]  # fmt: skip


class Bottleneck(nn.Module):
    """Residual block of three convolutions, 1 x 1, 3 x 3, 1 x 1 (He et al., 2016,
    doi:10.1109/CVPR.2016.90).

    Parameters
    ----------
    n_in, width : int
        Channels that come in; channels of the 3 x 3 convolution. ``4 * width`` channels go out.
    stride : int
        Of the 3 x 3 convolution, as in the ResNet-50 that the paper started from.
    """

    def __init__(self, n_in, width, stride):
        super().__init__()
        n_out = EXPANSION * width
        self.branch = nn.Sequential(
            *_conv_norm(n_in, width, 1), nn.ReLU(inplace=True),
            *_conv_norm(width, width, 3, stride), nn.ReLU(inplace=True),
            *_conv_norm(width, n_out, 1),
        )  # fmt: skip
        same = stride == 1 and n_in == n_out
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*_conv_norm(n_in, n_out, 1, stride))
        )

    def forward(self, x):
        """Add what the branch learned to the shortcut; (n, n_in, h, w) -> (n, 4 * width, h',
        w').
        """
        return torch.relu_(self.branch(x) + self.shortcut(x))


class DeepFreak(nn.Module):
    """ResNet-50 after one `Topology`, from 8-bit pixels to one score per class.

    Parameters
    ----------
    topology : Topology
    n_classes, in_channels, image_size : int

    Attributes
    ----------
    pixel_mean : Tensor, shape (in_channels, image_size, image_size), float32
        Mean of the training images, pixel by pixel, on the scale 0 to 1; saved with the weights.
    """

    def __init__(self, topology, n_classes=5, in_channels=1, image_size=512):
        super().__init__()
        t = self.topology = topology
        self.register_buffer("pixel_mean", torch.zeros(in_channels, image_size, image_size))
        self.stem = nn.Sequential(
            *_conv_norm(in_channels, t.filters, t.first_conv, t.conv_stride),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(t.first_pool, t.pool_stride, padding=t.first_pool // 2),
        )
        n_in = (t.filters, *t.channels[:-1])
        self.stages = nn.Sequential(*(_stage(t, k, n_in[k]) for k in range(len(t.blocks))))
        self.pool = nn.AvgPool2d(t.second_pool, t.second_pool_stride)
        self.classifier = nn.Linear(flattened_size(topology, image_size), n_classes)

    def forward(self, images):
        """Score images.

        Parameters
        ----------
        images : Tensor, shape (n, in_channels, image_size, image_size), uint8

        Returns
        -------
        Tensor, shape (n, n_classes), float
            Scores before the softmax.
        """
        x = images.to(self.pixel_mean.dtype) / 255 - self.pixel_mean
        x = self.stem(x)  # (n, filters, 128, 128) for 512 pixels and strides 2, 2
        x = self.pool(self.stages(x))  # (n, 32 * filters, h, h)
        return self.classifier(x.flatten(1))


def _conv_norm(n_in, n_out, kernel, stride=1):
    # The bias of the convolution would be cancelled by the batch normalisation that follows.
    return nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(
        n_out
    )


def _stage(topology, k, n_in):
    width, n_out = topology.filters * 2**k, topology.channels[k]
    rest = [Bottleneck(n_out, width, 1) for _ in range(topology.blocks[k] - 1)]
    return nn.Sequential(Bottleneck(n_in, width, topology.block_strides[k]), *rest)


def build_deepfreak(topology, n_classes=5, in_channels=1, image_size=512, generator=None):
    """Make a network with fresh weights.

    Convolutions start as He et al. (2015, doi:10.1109/ICCV.2015.123) derive for rectified units:
    normal with variance 2 / (kernel area * output channels). The last batch normalisation of each
    block starts at zero and so the block as its shortcut (Goyal et al., 2017, arXiv:1706.02677):
    else the many inputs of the classifier, which no global pooling averages, start so large that
    only tiny learning rates are stable.

    Parameters
    ----------
    topology : int or Topology
        Key of `TOPOLOGIES`, or a topology of your own.
    n_classes, in_channels, image_size : int
    generator : torch.Generator, optional
        Source of the weights; seed 0 without it.

    Returns
    -------
    DeepFreak

    Raises
    ------
    InputError
        If the key is unknown or the image is too small for the topology.
    """
    topology = find_topology(topology)
    with torch.device("meta"):  # no weights yet: torch would draw them from its global generator
        network = DeepFreak(topology, n_classes, in_channels, image_size)
    network.to_empty(device="cpu")
    network.pixel_mean.zero_()
    generator = generator or torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.branch[-1].weight)
    nn.init.normal_(network.classifier.weight, std=0.01, generator=generator)
    nn.init.zeros_(network.classifier.bias)
    return network.to(memory_format=torch.channels_last)  # a quarter faster on a processor


def count_parameters(network):
    """Number of trainable weights of a network."""
    return sum(p.numel() for p in network.parameters())


def topology_table(image_size=512, n_classes=5):
    """Size and cost of every topology; nothing is computed but shapes.

    Returns
    -------
    DataFrame
        Index: key of `TOPOLOGIES`. Columns: filters, the map sizes, ``flattened`` (inputs of the
        classifier), ``parameters`` and ``gigamacs``, 10^9 multiply-adds for one image.
    """
    rows = {}
    for key, topology in TOPOLOGIES.items():
        with torch.device("meta"):
            network = DeepFreak(topology, n_classes, 1, image_size)
        rows[key] = {"filters": topology.filters, **map_sizes(topology, image_size)}
        rows[key] |= {
            "flattened": network.classifier.in_features,
            "parameters": count_parameters(network),
        }
        rows[key]["gigamacs"] = multiply_adds(topology, image_size, n_classes) / 1e9
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("topology")
