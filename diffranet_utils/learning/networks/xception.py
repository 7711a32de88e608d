"""Xception (Chollet, 2017, doi:10.1109/CVPR.2017.195): separable convolutions with shortcuts.

22,855,952 trainable parameters with 1,000 classes, weights of the batch normalisations included;
Keras adds their running means and variances (54,528 numbers) and so counts 22,910,480.
"""

import torch
from torch import nn
from torch.nn import functional as F

from diffranet_utils.learning.networks.blocks import (
    NORM_EPSILON,
    ConvNorm,
    check_size,
    pad_same,
    scaled,
)

ENTRY = (128, 256, 728)  # filters of the blocks that halve the map
N_MIDDLE = 8  # blocks of three separable convolutions at 728 filters
EXIT = (728, 1024, 1536, 2048)


class Separable(nn.Module):
    """One 3 x 3 convolution for each channel, then 1 x 1 across channels, then normalisation.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    """

    def __init__(self, n_in, n_out):
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=NORM_EPSILON)

    def forward(self, x):
        """(n, n_in, h, w) -> (n, n_out, h, w)."""
        return self.bn(self.pointwise(self.depthwise(x)))


class Block(nn.Module):
    """Separable convolutions beside a shortcut; a block that halves the map projects its shortcut.

    Parameters
    ----------
    filters : tuple of int
        Channels in, then those after each separable convolution.
    halves : bool
        Ends in a max pool of stride 2.
    first_relu : bool
        Rectify what comes in; not in the block after the stem, which has just done so.
    """

    def __init__(self, filters, halves, first_relu=True):
        super().__init__()
        pairs = zip(filters[:-1], filters[1:], strict=True)
        self.separables = nn.ModuleList(Separable(n_in, n_out) for n_in, n_out in pairs)
        self.halves, self.first_relu = halves, first_relu
        self.shortcut = _projection(filters[0], filters[-1]) if halves else nn.Identity()

    def forward(self, x):
        """(n, filters[0], h, w) -> (n, filters[-1], h, w), or half of that map, rounded up."""
        out = x
        for k, separable in enumerate(self.separables):
            out = separable(torch.relu(out) if k or self.first_relu else out)
        if self.halves:
            out = F.max_pool2d(pad_same(out, 3, 2, -torch.inf), 3, 2)
        return out + self.shortcut(x)


class Xception(nn.Module):
    """Entry flow, eight middle blocks, exit flow.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0):
        super().__init__()
        entry = [scaled(n, width) for n in ENTRY]
        leave = [scaled(n, width) for n in EXIT]
        n_stem = (scaled(32, width), scaled(64, width))
        self.stem = nn.Sequential(
            ConvNorm(n_channels, n_stem[0], 3, stride=2, padding="valid"),
            ConvNorm(*n_stem, 3, padding="valid"),
        )
        n_in = (n_stem[1], *entry[:-1])
        steps = enumerate(zip(n_in, entry, strict=True))
        self.entry = nn.Sequential(
            *(Block((a, b, b), True, first_relu=k > 0) for k, (a, b) in steps)
        )
        self.middle = nn.Sequential(*(Block((entry[-1],) * 4, False) for _ in range(N_MIDDLE)))
        self.exit = Block((leave[0], leave[0], leave[1]), True)
        self.last = nn.ModuleList([Separable(*leave[1:3]), Separable(*leave[2:])])
        self.classifier = nn.Linear(leave[-1], n_classes)

    def features(self, x):
        """Mean of the last map.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            299 pixels as published.

        Returns
        -------
        Tensor, shape (n, 2048)

        Raises
        ------
        InputError
            If the images are smaller than 32 pixels.
        """
        check_size(x, 32, "Xception")
        x = self.entry(self.stem(x))  # (n, 728, 19, 19) for 299 pixels
        x = self.exit(self.middle(x))  # (n, 1024, 10, 10)
        for separable in self.last:
            x = torch.relu(separable(x))  # (n, 1536, 10, 10), (n, 2048, 10, 10)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.features(x))


def _projection(n_in, n_out):
    norm = nn.BatchNorm2d(n_out, eps=NORM_EPSILON)
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, 2, bias=False), norm)
