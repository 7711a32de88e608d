"""What network families share: convolution with normalisation, padding, widths, fresh weights."""

import torch
from torch import nn
from torch.nn import functional as F

from diffranet_utils.core.errors import require

NORM_EPSILON = 1e-3  # of every batch normalisation that began in TensorFlow


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, rectified unit.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int or (int, int)
        Height and width, pixels.
    stride : int
    padding : str
        ``"valid"`` adds nothing; ``"same"`` keeps the size at stride 1.
    """

    def __init__(self, n_in, n_out, kernel, stride=1, padding="same"):
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        pad = (height // 2, width // 2) if padding == "same" else 0
        self.conv = nn.Conv2d(n_in, n_out, (height, width), stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=NORM_EPSILON)

    def forward(self, x):
        """(n, n_in, h, w) -> (n, n_out, h', w')."""
        return torch.relu_(self.bn(self.conv(x)))


def pad_same(x, kernel, stride, value=0.0):
    """Pad so that a step of this stride gives ceil(size / stride) pixels, as TensorFlow's "SAME".

    An odd pixel goes to the bottom and to the right: torch's own padding would put it on both sides
    and so shift the grid of a strided step by a pixel where the size is even.

    Parameters
    ----------
    x : Tensor, shape (n, channels, h, w)
    kernel, stride : int
        Of the convolution or pool that follows, pixels.
    value : float
        What is added: 0 before a convolution, minus infinity before a maximum.

    Returns
    -------
    Tensor, shape (n, channels, h + something, w + something)
    """
    high, wide = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
    return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2), value=value)


def scaled(filters, width):
    """Number of filters at a width factor: rounded, and never fewer than four.

    Parameters
    ----------
    filters : int
        As published.
    width : float
        1 leaves the network as published.

    Returns
    -------
    int
    """
    return filters if width == 1 else max(4, round(filters * width))


def with_fresh_weights(make, generator=None):
    """Make a network and draw its weights from one generator.

    Convolutions and hidden layers start as He et al. (2015, doi:10.1109/ICCV.2015.123) derive for
    rectified units, normal with variance 2 / inputs of a unit. The layer named ``classifier``
    starts near zero: all classes alike.

    Parameters
    ----------
    make : callable
        Makes the network, a module whose last layer is ``classifier``.
    generator : torch.Generator, optional
        Seed 0 without it.

    Returns
    -------
    nn.Module
        On the CPU, in training mode.
    """
    with torch.device("meta"):  # no weights yet: torch would draw them from its global generator
        network = make()
    network.to_empty(device="cpu")
    generator = generator or torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(network.classifier.weight, std=0.01, generator=generator)
    return network


def check_size(x, smallest, name):
    """Refuse an image that the pools of a network would shrink to nothing.

    Parameters
    ----------
    x : Tensor, shape (n, channels, h, w)
    smallest : int
        Pixels.
    name : str
        Of the network.

    Raises
    ------
    InputError
        If a side is shorter than `smallest`.
    """
    size = f"{x.shape[-2]} x {x.shape[-1]}"
    message = f"{name} cannot take images of {size} pixels: enlarge them to {smallest} or more."
    require(min(x.shape[-2:]) >= smallest, message)
