"""VGG16 and VGG19 (Simonyan & Zisserman, 2015, arXiv:1409.1556): 3 x 3 convolutions and pools."""

import re

from torch import nn
from torch.nn import functional as F

from diffranet_utils.learning.networks.blocks import check_size, scaled

FILTERS = (64, 128, 256, 512, 512)  # of the five stages, a pool of 2 x 2 after each
REPEATS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # columns D and E of the paper's Table 1
HIDDEN = 4096


class VGG(nn.Module):
    """VGG without batch normalisation, as published.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters and hidden units.
    depth : int
        16 or 19.
    """

    def __init__(self, n_classes, n_channels=3, width=1.0, depth=16):
        super().__init__()
        self.convolutions = nn.Sequential(*_convolutions(n_channels, width, REPEATS[depth]))
        hidden = scaled(HIDDEN, width)
        self.hidden = nn.Sequential(
            nn.Linear(scaled(FILTERS[-1], width) * 7 * 7, hidden), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(hidden, hidden), nn.ReLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(hidden, n_classes)

    def features(self, x):
        """Output of the second hidden layer.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, h, w), float
            At least 32 pixels a side; 224 as published. The last map of other sizes is averaged
            to 7 x 7.

        Returns
        -------
        Tensor, shape (n, 4096)

        Raises
        ------
        InputError
            If the images are smaller.
        """
        check_size(x, 32, "VGG")
        x = self.convolutions(x)  # (n, 512, h / 32, w / 32)
        x = F.adaptive_avg_pool2d(x, 7)  # (n, 512, 7, 7): leaves 224 pixels as they are
        return self.hidden(x.flatten(1))  # (n, 4096)

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, h, w) -> (n, n_classes)."""
        return self.classifier(self.dropout(self.features(x)))

    @staticmethod
    def own_name(name):
        """Name here of a tensor that torchvision's ``vgg16`` or ``vgg19`` calls `name`."""
        name = re.sub(r"^features\.", "convolutions.", name)
        name = re.sub(r"^classifier\.6\.", "classifier.", name)
        return re.sub(r"^classifier\.([03])\.", r"hidden.\1.", name)


def _convolutions(n_in, width, repeats):
    for filters, n_convolutions in zip(FILTERS, repeats, strict=True):
        for _ in range(n_convolutions):
            n_out = scaled(filters, width)
            yield nn.Conv2d(n_in, n_out, 3, padding=1)
            yield nn.ReLU(inplace=True)
            n_in = n_out
        yield nn.MaxPool2d(2)
