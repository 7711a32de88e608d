"""Inception-v3, and the variant of it that judges pictures of crystallisation drops.

The network is that of Szegedy et al. (2016, doi:10.1109/CVPR.2016.308), without the auxiliary
classifier and without dropout; layers have the names of TensorFlow's slim library. Bruno et al.
(MARCO, 2018, doi:10.1371/journal.pone.0198883) put one convolution in front, which takes 599
pixels to 299, and cap the filters of eight layers (their Table 3): every convolution inside a named
layer keeps at most so many.

With 1,000 classes the plain network has 23,834,568 trainable parameters. Keras has no scale in the
batch normalisations of this network (17,216 numbers fewer) and counts their running means and
variances (twice as many more): 23,851,784.

At the edges, an average pool counts only pixels of the picture, as in TensorFlow; torchvision's
counts its padding too. Weights trained there fit, with slightly other values near the edges.
"""

import re
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn

from diffranet_utils.learning.networks.blocks import ConvNorm, check_size, scaled

#: Table 3 of the drop study: most filters of any convolution in a layer.
MARCO_LIMITS = {
    "Conv2d_4a_3x3": 144,
    "Mixed_6b": 128,
    "Mixed_6c": 144,
    "Mixed_6d": 144,
    "Mixed_6e": 96,
    "Mixed_7a": 96,
    "Mixed_7b": 192,
    "Mixed_7c": 192,
}
FRONT = "Conv2d_0a_3x3"  # the drop study's additional convolution, which the paper gives no name
FRONT_FILTERS = 16
TORCHVISION_BRANCH = r"^(Mixed_\w\w)\.branch(_pool|\dx\d(?:x3|dbl)?)(?:_(\d)([ab]?))?\."


class Conv(NamedTuple):
    """Filters, kernel (pixels, height and width where they differ), stride and padding."""

    filters: int
    kernel: int | tuple
    stride: int = 1
    padding: str = "same"


class Fork(NamedTuple):
    """Convolutions side by side on the same input; it ends a branch."""

    convs: tuple


AVERAGE, MAXIMUM = "average", "maximum"  # pools of 3 x 3 pixels: of stride 1, and of stride 2

STEM = {
    "Conv2d_1a_3x3": Conv(32, 3, 2, "valid"),
    "Conv2d_2a_3x3": Conv(32, 3, 1, "valid"),
    "Conv2d_2b_3x3": Conv(64, 3),
    "MaxPool_3a_3x3": MAXIMUM,
    "Conv2d_3b_1x1": Conv(80, 1),
    "Conv2d_4a_3x3": Conv(192, 3, 1, "valid"),
    "MaxPool_5a_3x3": MAXIMUM,
}


def _mixed_5(pool_filters):
    return (
        (Conv(64, 1),),
        (Conv(48, 1), Conv(64, 5)),
        (Conv(64, 1), Conv(96, 3), Conv(96, 3)),
        (AVERAGE, Conv(pool_filters, 1)),
    )


def _mixed_6(n):
    tall, wide = (7, 1), (1, 7)
    return (
        (Conv(192, 1),),
        (Conv(n, 1), Conv(n, wide), Conv(192, tall)),
        (Conv(n, 1), Conv(n, tall), Conv(n, wide), Conv(n, tall), Conv(192, wide)),
        (AVERAGE, Conv(192, 1)),
    )


def _mixed_7():
    fork = Fork((Conv(384, (1, 3)), Conv(384, (3, 1))))
    return (
        (Conv(320, 1),),
        (Conv(384, 1), fork),
        (Conv(448, 1), Conv(384, 3), fork),
        (AVERAGE, Conv(192, 1)),
    )


#: The branches of each mixed layer, in the order in which their outputs are joined.
MIXED = {
    "Mixed_5b": _mixed_5(32),
    "Mixed_5c": _mixed_5(64),
    "Mixed_5d": _mixed_5(64),
    "Mixed_6a": (
        (Conv(384, 3, 2, "valid"),),
        (Conv(64, 1), Conv(96, 3), Conv(96, 3, 2, "valid")),
        (MAXIMUM,),
    ),
    "Mixed_6b": _mixed_6(128),
    "Mixed_6c": _mixed_6(160),
    "Mixed_6d": _mixed_6(160),
    "Mixed_6e": _mixed_6(192),
    "Mixed_7a": (
        (Conv(192, 1), Conv(320, 3, 2, "valid")),
        (Conv(192, 1), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, 2, "valid")),
        (MAXIMUM,),
    ),
    "Mixed_7b": _mixed_7(),
    "Mixed_7c": _mixed_7(),
}


class SideBySide(nn.Module):
    """Branches on the same input, their channels joined.

    Parameters
    ----------
    branches : list of nn.Module
    """

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        """(n, channels, h, w) -> (n, sum of the branches' channels, h', w')."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Inception(nn.Module):
    """Inception-v3 with an optional front convolution and caps on the filters.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters, after the caps.
    front : bool
        Begin with the drop study's convolution of 16 filters and stride 2.
    limits : dict of str to int, optional
        Most filters of any convolution in a named layer, as `MARCO_LIMITS`.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0, front=False, limits=None):
        super().__init__()
        self.width, self.smallest = width, 151 if front else 75
        before = {FRONT: Conv(FRONT_FILTERS, 3, 2, "valid")} if front else {}
        layers, n_in = OrderedDict(), n_channels
        for name, spec in (before | STEM | MIXED).items():
            layers[name], n_in = _layer(spec, n_in, _Widths(width, (limits or {}).get(name)))
        self.layers = nn.Sequential(layers)
        self.classifier = nn.Linear(n_in, n_classes)

    def features(self, x):
        """Mean of the last map.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            299 pixels, 599 with the front convolution; as published on the scale -1 to 1.

        Returns
        -------
        Tensor, shape (n, 2048), fewer with limits

        Raises
        ------
        InputError
            If the images are smaller than 75 pixels, 151 with the front convolution.
        """
        check_size(x, self.smallest, "Inception")
        x = self.layers(x)  # (n, 2048, 8, 8) for 299 pixels
        return x.mean(dim=(2, 3))

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.features(x))

    @staticmethod
    def own_name(name):
        """Name here of a tensor of torchvision's ``inception_v3``; None for its auxiliary part."""
        if name.startswith("AuxLogits."):
            return None
        name = re.sub(r"^fc\.", "classifier.", name)
        name = re.sub(TORCHVISION_BRANCH, _own_branch, name)
        return re.sub(r"^(Conv2d_|Mixed_)", r"layers.\1", name)


class _Widths(NamedTuple):
    """How many filters of the published ones a layer keeps."""

    width: float
    limit: int | None

    def of(self, filters):
        return scaled(min(filters, self.limit or filters), self.width)


def _layer(spec, n_in, widths):
    # -> module, channels out
    if spec == AVERAGE:
        return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False), n_in
    if spec == MAXIMUM:
        return nn.MaxPool2d(3, 2), n_in
    if isinstance(spec, Conv):
        n_out = widths.of(spec.filters)
        return ConvNorm(n_in, n_out, spec.kernel, spec.stride, spec.padding), n_out
    if isinstance(spec, Fork):
        made = [_layer(conv, n_in, widths) for conv in spec.convs]
    else:
        made = [_branch(branch, n_in, widths) for branch in spec]
    return SideBySide([module for module, _ in made]), sum(n_out for _, n_out in made)


def _branch(specs, n_in, widths):
    modules = []
    for spec in specs:
        module, n_in = _layer(spec, n_in, widths)
        modules.append(module)
    return nn.Sequential(*modules), n_in


def _own_branch(match):
    # torchvision numbers the convolutions of a branch from 1 and adds a and b for those of a fork
    layer, kind, step, fork = match.groups()
    if layer in ("Mixed_6a", "Mixed_7a"):  # these have no 1 x 1 branch before the others
        branch = int(kind in ("3x3dbl", "7x7x3"))
    else:
        branch = {"1x1": 0, "3x3dbl": 2, "7x7dbl": 2, "_pool": 3}.get(kind, 1)
    index = 1 if kind == "_pool" else int(step or 1) - 1  # the pool itself is step 0
    side = f"branches.{'ab'.index(fork)}." if fork else ""
    return f"{layer}.branches.{branch}.{index}.{side}"
