"""Inception-ResNet-v2 (Szegedy et al., 2017, arXiv:1602.07261): mixed blocks beside shortcuts.

The layers are those of Keras and of TensorFlow's slim library, without the auxiliary classifier.
With 1,000 classes it has 55,843,464 trainable parameters here. Keras has no scale in the batch
normalisations of this network (30,272 numbers fewer: 55,813,192 trainable) and adds their running
means and variances (60,544 numbers) and so counts 55,873,736.
"""

import torch
from torch import nn

from diffranet_utils.learning.networks.blocks import ConvNorm, check_size, scaled
from diffranet_utils.learning.networks.inception import SideBySide

# Filters and kernels, in the order in which outputs are joined; a pair is height and width.
MIXED_5B = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
POOL_5B = 64
BLOCK_35 = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))
BLOCK_17 = (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1))))
BLOCK_8 = (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))
# The last convolution of each branch has stride 2 and no padding.
MIXED_6A = (((384, 3),), ((256, 1), (256, 3), (384, 3)))
MIXED_7A = (((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3)))
N_LAST = 1536


class Residual(nn.Module):
    """Branches, joined by a 1 x 1 convolution without normalisation, added to what came in.

    Parameters
    ----------
    n_in : int
        Channels in and out.
    branches : SideBySide
    scale : float
        Factor on what is added: the authors' remedy for trainings that died.
    rectified : bool
        Rectify the sum; not in the last block.
    """

    def __init__(self, n_in, branches, scale, rectified=True):
        super().__init__()
        self.mixed, self.scale, self.rectified = branches, scale, rectified
        self.join = nn.Conv2d(_channels(branches), n_in, 1)

    def forward(self, x):
        """(n, n_in, h, w) -> the same shape."""
        x = x + self.scale * self.join(self.mixed(x))
        return torch.relu(x) if self.rectified else x


class InceptionResNetV2(nn.Module):
    """Ten, twenty and ten residual blocks on maps of 35, 17 and 8 pixels.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0):
        super().__init__()
        self.stem = _stem(n_channels, width)
        self.mixed_5b = _mixed_5b(scaled(192, width), width)
        n = _channels(self.mixed_5b)  # 320
        self.blocks_35 = nn.Sequential(*(_residual(n, BLOCK_35, width, 0.17) for _ in range(10)))
        self.mixed_6a = _reduction(n, MIXED_6A, width)
        n += _channels(self.mixed_6a)  # 1088
        self.blocks_17 = nn.Sequential(*(_residual(n, BLOCK_17, width, 0.10) for _ in range(20)))
        self.mixed_7a = _reduction(n, MIXED_7A, width)
        n += _channels(self.mixed_7a)  # 2080
        self.blocks_8 = nn.Sequential(
            *(_residual(n, BLOCK_8, width, 0.20) for _ in range(9)),
            _residual(n, BLOCK_8, width, 1.0, rectified=False),
        )
        self.conv_7b = ConvNorm(n, scaled(N_LAST, width), 1)
        self.classifier = nn.Linear(scaled(N_LAST, width), n_classes)

    def features(self, x):
        """Mean of the last map.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            299 pixels as published, on the scale -1 to 1.

        Returns
        -------
        Tensor, shape (n, 1536)

        Raises
        ------
        InputError
            If the images are smaller than 75 pixels.
        """
        check_size(x, 75, "Inception-ResNet-v2")
        x = self.mixed_5b(self.stem(x))  # (n, 320, 35, 35) for 299 pixels
        x = self.mixed_6a(self.blocks_35(x))  # (n, 1088, 17, 17)
        x = self.mixed_7a(self.blocks_17(x))  # (n, 2080, 8, 8)
        x = self.conv_7b(self.blocks_8(x))  # (n, 1536, 8, 8)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.features(x))


def _stem(n_channels, width):
    n = [scaled(filters, width) for filters in (32, 32, 64, 80, 192)]
    return nn.Sequential(
        ConvNorm(n_channels, n[0], 3, 2, "valid"),
        ConvNorm(n[0], n[1], 3, padding="valid"),
        ConvNorm(n[1], n[2], 3),
        nn.MaxPool2d(3, 2),
        ConvNorm(n[2], n[3], 1),
        ConvNorm(n[3], n[4], 3, padding="valid"),
        nn.MaxPool2d(3, 2),
    )


def _convs(n_in, specs, width, last_stride=1):
    for k, (filters, kernel) in enumerate(specs):
        n_out = scaled(filters, width)
        reduces = last_stride > 1 and k == len(specs) - 1
        yield ConvNorm(n_in, n_out, kernel, *((last_stride, "valid") if reduces else ()))
        n_in = n_out


def _branches(n_in, specs, width, last_stride=1):
    return [nn.Sequential(*_convs(n_in, branch, width, last_stride)) for branch in specs]


def _mixed_5b(n_in, width):
    pool = nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)
    pooled = nn.Sequential(pool, ConvNorm(n_in, scaled(POOL_5B, width), 1))
    return SideBySide([*_branches(n_in, MIXED_5B, width), pooled])


def _reduction(n_in, specs, width):
    return SideBySide([*_branches(n_in, specs, width, last_stride=2), nn.MaxPool2d(3, 2)])


def _residual(n_in, specs, width, scale, rectified=True):
    return Residual(n_in, SideBySide(_branches(n_in, specs, width)), scale, rectified)


def _channels(mixed):
    # that the convolutions of a mixed layer put out; a pool passes on what came in besides
    ends = (branch[-1] for branch in mixed.branches if isinstance(branch, nn.Sequential))
    return sum(end.conv.out_channels for end in ends)
