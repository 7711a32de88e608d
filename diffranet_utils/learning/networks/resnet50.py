"""ResNet-50 for natural images (He et al., 2016, doi:10.1109/CVPR.2016.90).

The blocks are those of the diffraction study's network, which is tied to one image size by its
mean image and its classifier. This one averages over the last map and so takes any size.
"""

import re

from torch import nn

from diffranet_utils.learning.networks.blocks import check_size, scaled
from diffranet_utils.learning.networks.resnet import Bottleneck
from diffranet_utils.learning.networks.topologies import EXPANSION

BLOCKS = (3, 4, 6, 3)
FILTERS = (64, 128, 256, 512)  # of the 3 x 3 convolutions; a block puts out four times as many


class ResNet50(nn.Module):
    """Fifty layers, the stride of a stage in the 3 x 3 convolution of its first block.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0):
        super().__init__()
        filters = [scaled(n, width) for n in FILTERS]
        self.stem = nn.Sequential(
            nn.Conv2d(n_channels, filters[0], 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(filters[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
        )
        n_in = [filters[0], *(EXPANSION * n for n in filters)]
        strides = (1, 2, 2, 2)
        stages = zip(n_in[:-1], filters, BLOCKS, strides, strict=True)
        self.stages = nn.Sequential(*(_stage(*stage) for stage in stages))
        self.classifier = nn.Linear(n_in[-1], n_classes)

    def features(self, x):
        """Mean of the last map.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            224 pixels as published.

        Returns
        -------
        Tensor, shape (n, 2048)

        Raises
        ------
        InputError
            If the images are smaller than 32 pixels.
        """
        check_size(x, 32, "ResNet-50")
        x = self.stem(x)  # (n, 64, h / 4, w / 4)
        x = self.stages(x)  # (n, 2048, h / 32, w / 32)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.features(x))

    @staticmethod
    def own_name(name):
        """Name here of a tensor that torchvision's ``resnet50`` calls `name`."""
        name = re.sub(r"^conv1\.", "stem.0.", re.sub(r"^bn1\.", "stem.1.", name))
        name = re.sub(r"^layer(\d)", lambda m: f"stages.{int(m[1]) - 1}", name)
        name = re.sub(r"\.conv(\d)\.", lambda m: f".branch.{3 * int(m[1]) - 3}.", name)
        name = re.sub(r"\.bn(\d)\.", lambda m: f".branch.{3 * int(m[1]) - 2}.", name)
        return re.sub(r"^fc\.", "classifier.", name.replace(".downsample.", ".shortcut."))


def _stage(n_in, filters, n_blocks, stride):
    rest = [Bottleneck(EXPANSION * filters, filters, 1) for _ in range(n_blocks - 1)]
    return nn.Sequential(Bottleneck(n_in, filters, stride), *rest)
