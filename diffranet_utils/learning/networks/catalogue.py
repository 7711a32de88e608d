"""All networks by name, made alike: `build` for one with weights, `NETWORKS` for what there is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from diffranet_utils.core.errors import require
from diffranet_utils.learning.networks.blocks import with_fresh_weights
from diffranet_utils.learning.networks.efficientnet_lite import EfficientNetLite0
from diffranet_utils.learning.networks.inception import MARCO_LIMITS, Inception
from diffranet_utils.learning.networks.inception_resnet import InceptionResNetV2
from diffranet_utils.learning.networks.lenet import LeNet
from diffranet_utils.learning.networks.resnet50 import ResNet50
from diffranet_utils.learning.networks.vgg import VGG
from diffranet_utils.learning.networks.xception import Xception


@dataclass(frozen=True)
class Entry:
    """One network of the catalogue.

    Parameters
    ----------
    make : callable
        Takes n_classes, n_channels and width.
    image_size : int
        Side of the images that it was published for, pixels.
    n_features : int
        Length of what ``features`` returns at width 1.
    """

    make: Callable
    image_size: int
    n_features: int


#: Name -> `Entry`. ``marco`` is Inception-v3 as the drop study changed it.
NETWORKS = {
    "lenet": Entry(LeNet, 256, 192),
    "vgg16": Entry(partial(VGG, depth=16), 224, 4096),
    "vgg19": Entry(partial(VGG, depth=19), 224, 4096),
    "resnet50": Entry(ResNet50, 224, 2048),
    "xception": Entry(Xception, 299, 2048),
    "inception_resnet_v2": Entry(InceptionResNetV2, 299, 1536),
    "inception_v3": Entry(Inception, 299, 2048),
    "marco": Entry(partial(Inception, front=True, limits=MARCO_LIMITS), 599, 1152),
    "efficientnet_lite0": Entry(EfficientNetLite0, 224, 1280),
}


def build(name, n_classes, n_channels=3, width=1.0, generator=None, **options):
    """Make a network with fresh weights.

    Parameters
    ----------
    name : str
        Key of `NETWORKS`.
    n_classes, n_channels : int
        Classes to tell apart; channels of the images.
    width : float
        Factor on all filters and hidden units.
    generator : torch.Generator, optional
        Source of the weights; seed 0 without it.
    **options
        What this network alone knows, as ``image_size`` of the LeNet.

    Returns
    -------
    nn.Module
        With ``features(x)``, what the classifier builds on, and a call that gives scores, both
        for x of shape (n, n_channels, h, w), float.

    Raises
    ------
    InputError
        If there is no such network or a number is not positive.
    """
    require(name in NETWORKS, f"No network {name!r}: choose one of {', '.join(NETWORKS)}.")
    sizes = {"n_classes": n_classes, "n_channels": n_channels, "width": width}
    wrong = [f"{key} {value}" for key, value in sizes.items() if not value > 0]
    require(not wrong, f"{name} cannot have {', '.join(wrong)}: give a positive number.")
    make = partial(NETWORKS[name].make, n_classes, n_channels, width, **options)
    return with_fresh_weights(make, generator)
