"""LeNet as the scattering study has it: three small convolutions and three dense layers.

LeCun et al. (1998, doi:10.1109/5.726791) gave the idea; the layers are those of Ushizima et al.
(camSortXS, 2021, section 3.1.2). The paper leaves open the activations, the padding and the order
of pool and normalisation. Here: rectified units, "same" padding, convolution, pool, normalisation.
"""

import torch
from torch import nn

from diffranet_utils.core.errors import require
from diffranet_utils.learning.networks.blocks import scaled

FILTERS = (64, 64, 48)  # of 3 x 3 pixels, each followed by a pool of 2 x 2
HIDDEN = (192, 64)


class LeNet(nn.Module):
    """Three convolutions, dense layers of 192 and 64, and the classifier.

    Parameters
    ----------
    n_classes, n_channels : int
    width : float
        Factor on all filters and hidden units.
    image_size : int
        Pixels of a side; the first dense layer sees every pixel of the last map.

    Raises
    ------
    InputError
        If the image is smaller than 8 pixels.
    """

    def __init__(self, n_classes, n_channels=1, width=1.0, image_size=256):
        super().__init__()
        require(image_size >= 8, f"LeNet needs images of at least 8 pixels, not {image_size}.")
        self.image_size = image_size
        filters = [scaled(n, width) for n in FILTERS]
        first, second = (scaled(n, width) for n in HIDDEN)
        steps = zip([n_channels, *filters[:-1]], filters, strict=True)
        self.convolutions = nn.Sequential(*(_step(n_in, n_out) for n_in, n_out in steps))
        self.first_dense = nn.Linear(filters[-1] * (image_size // 8) ** 2, first)
        self.dropout = nn.Dropout(0.5)
        self.second_dense = nn.Linear(first, second)
        self.classifier = nn.Linear(second, n_classes)

    def features(self, x):
        """Output of the first dense layer, the study's 192 features.

        Parameters
        ----------
        x : Tensor, shape (n, n_channels, image_size, image_size), float

        Returns
        -------
        Tensor, shape (n, 192)

        Raises
        ------
        InputError
            If the images have another size than the network was made for.
        """
        made, size = f"{self.image_size} x {self.image_size}", f"{x.shape[-2]} x {x.shape[-1]}"
        require(size == made, f"This LeNet takes {made} pixels, not {size}: resize the images.")
        x = self.convolutions(x)  # (n, 48, size / 8, size / 8)
        return torch.relu(self.first_dense(x.flatten(1)))  # (n, 192)

    def forward(self, x):
        """Scores before the softmax; (n, n_channels, size, size) -> (n, n_classes)."""
        x = self.dropout(self.features(x))  # (n, 192)
        x = torch.relu(self.second_dense(x))  # (n, 64)
        return self.classifier(x)


def _step(n_in, n_out):
    conv = nn.Conv2d(n_in, n_out, 3, padding=1)
    return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(n_out))
