"""The 25 representations of a pattern by name, and how each becomes a table of features.

Algorithm 1 of Ushizima et al. (2021): two classic descriptors, six networks trained on each of
three training sets, five networks with the weights of natural images. Three more stand beside them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from diffranet_utils.core.errors import require
from diffranet_utils.learning.image_networks import Schedule, as_input, features_of, fit
from diffranet_utils.learning.networks import catalogue
from diffranet_utils.learning.networks.efficientnet_lite import IMAGENET_MEAN, IMAGENET_STD
from diffranet_utils.learning.networks.weights import load_weights
from diffranet_utils.studies.scattering.collection import balanced_rows, turned
from diffranet_utils.studies.scattering.descriptors import DESCRIPTORS
from diffranet_utils.studies.scattering.labels import TECHNIQUES

DEEP = ("vgg16", "vgg19", "resnet50", "xception", "inception_resnet_v2")
SETS = {"unbalanced": "UB", "balanced": "BL", "augmented": "BLA"}
TITLES = {
    "histogram": "HF",
    "glcm": "GLCM",
    "lbp": "LBP",
    "lenet": "LeNet",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "xception": "Xception",
    "inception_resnet_v2": "Inception-ResNet-v2",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
# What each deep network was trained on natural images with: mean and spread of a channel.
TORCHVISION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KERAS = 0.5, 0.5
SCALES = dict.fromkeys(DEEP[:3], TORCHVISION) | dict.fromkeys(DEEP[3:], KERAS)
SCALES["efficientnet_lite0"] = (IMAGENET_MEAN, IMAGENET_STD)
PER_TIMING = 64  # images over which the seconds of one image are averaged


@dataclass(frozen=True)
class Representation:
    """One way to describe a pattern.

    Parameters
    ----------
    method : str
        A descriptor or a network, key of `TITLES`.
    training : str
        ``classic`` (nothing is trained), a key of `SETS`, or ``pre_trained``.
    """

    method: str
    training: str

    @property
    def name(self):
        """Such as ``lenet/unbalanced``; a classic one is named by its method alone."""
        return self.method if self.training == "classic" else f"{self.method}/{self.training}"

    @property
    def title(self):
        """Such as ``LeNet UB``."""
        words = {"classic": "", "pre_trained": " PT"} | {k: f" {v}" for k, v in SETS.items()}
        return TITLES[self.method] + words[self.training]

    @property
    def is_deep(self):
        """Whether it is one of the five deep networks."""
        return self.method in DEEP


#: The 25 of Algorithm 1, in its order.
ALGORITHM_1 = (
    *(Representation(name, "classic") for name in ("histogram", "glcm")),
    *(Representation(name, part) for part in SETS for name in ("lenet", *DEEP)),
    *(Representation(name, "pre_trained") for name in DEEP),
)
#: Beside the paper's: a texture of the diffraction study, and networks that anyone can run.
BESIDE = (
    Representation("lbp", "classic"),
    Representation("efficientnet_lite0", "pre_trained"),
)
BY_NAME = {one.name: one for one in (*ALGORITHM_1, *BESIDE)}


@dataclass(frozen=True)
class Features:
    """Features of some images with what they cost.

    Parameters
    ----------
    table : ndarray, shape (n, n_features), float32
    train_s : float
        Seconds of the training; 0 where nothing is trained.
    image_s : float
        Seconds to describe one image, in batches.
    start : str
        Where a network's weights began: ``scratch``, ``file``, or empty.
    """

    table: np.ndarray
    train_s: float
    image_s: float
    start: str = ""


@dataclass(frozen=True)
class NetworkSizes:
    """How networks are made and trained.

    Parameters
    ----------
    image_size : int
        Pixels of a side to which patterns are scaled.
    width : float
        Factor on the deep networks' filters where they start from scratch.
    epochs, fine_epochs : int
        Of the LeNet; of the deep networks.
    weights_dir : path-like, optional
        Folder with ``<network>.safetensors`` of ImageNet.
    seed : int
    """

    image_size: int
    width: float
    epochs: int
    fine_epochs: int
    weights_dir: str | None = None
    seed: int = 0

    def weights_of(self, method):
        """File of a network's weights, or None."""
        if self.weights_dir is None:
            return None
        path = Path(self.weights_dir) / f"{method}.safetensors"
        return path if path.is_file() else None


def missing_reason(one, sizes):
    """Why a representation cannot be computed here, or None."""
    if one.training == "pre_trained" and sizes.weights_of(one.method) is None:
        return f"needs weights_dir/{one.method}.safetensors"
    return None


def training_set(collection, rows, training, rng):
    """Images and labels of UB, BL or BLA from the rows of the training half.

    Parameters
    ----------
    collection : Collection
    rows : ndarray of int
    training : str
        Key of `SETS`.
    rng : numpy.random.Generator
        Draws the balanced images.

    Returns
    -------
    Collection
    """
    require(training in SETS, f"No training set {training!r}: choose one of {', '.join(SETS)}.")
    if training == "unbalanced":
        return collection.take(rows)
    fewest = int(np.bincount(collection.labels[rows]).min())
    balanced = collection.take(balanced_rows(collection, rows, fewest, rng))
    return balanced if training == "balanced" else turned(balanced)


def make_network(method, sizes):
    """An untrained network of a method, how it starts, and how images enter it.

    Returns
    -------
    network : nn.Module
    start : str
        ``scratch`` or ``file``.
    to_input : callable
        Takes images (n, h, w) uint8, gives a Tensor.
    """
    path, size = sizes.weights_of(method), sizes.image_size
    generator = torch.Generator().manual_seed(sizes.seed)
    if path is None:
        options = {"image_size": size} if method == "lenet" else {}
        width = 1.0 if method == "lenet" else sizes.width
        network = catalogue.build(method, len(TECHNIQUES), 1, width, generator, **options)
        return network, "scratch", lambda images: as_input(images, 1, size)
    network = catalogue.build(method, len(TECHNIQUES), 3, generator=generator)
    load_weights(network, path, with_classifier=False)
    mean, std = SCALES[method]
    own = catalogue.NETWORKS[method].image_size
    return network, "file", lambda images: as_input(images, 3, own, mean, std)


def schedule_of(method, start, sizes):
    """The paper's schedule of a network (section 4.2), with the preset's epochs."""
    if method == "lenet":
        return Schedule(sizes.epochs, 64, 1e-3, 1e-4, seed=sizes.seed)
    rate = 1e-4 if start == "file" else 1e-2  # fine-tuning as in the paper; from scratch a larger
    return Schedule(sizes.fine_epochs, 32, rate, 1e-5, seed=sizes.seed)


@dataclass(frozen=True)
class Trained:
    """A network that describes images.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    to_input : callable
        See `make_network`.
    start : str
    seconds : float
        Of the training.
    """

    network: torch.nn.Module
    to_input: Callable
    start: str
    seconds: float


def trained_network(one, collection, rows, sizes):
    """Train the network of a representation on the rows of the training half.

    Returns
    -------
    Trained
    """
    network, start, to_input = make_network(one.method, sizes)
    seconds = 0.0
    if one.training in SETS:
        training = training_set(collection, rows, one.training, np.random.default_rng(sizes.seed))
        schedule = schedule_of(one.method, start, sizes)
        x = to_input(training.images)
        seconds = fit(network, x, training.labels, schedule, title=one.title)["seconds"]
    return Trained(network.eval(), to_input, start, seconds)


def describe_with(one, trained, images):
    """Features of images.

    Parameters
    ----------
    one : Representation
    trained : Trained or None
        None for a classic representation.
    images : ndarray, shape (n, h, w), uint8

    Returns
    -------
    Features
    """
    if trained is None:
        table, seconds = _timed(DESCRIPTORS[one.method], images)
        return Features(table.astype(np.float32), 0.0, seconds)

    def look(images):
        parts = [features_of(trained.network, trained.to_input(p)) for p in _parts(images)]
        return np.concatenate(parts)

    table, seconds = _timed(look, images)
    return Features(table, trained.seconds, seconds, trained.start)


def _parts(images):
    return (images[k : k + PER_TIMING] for k in range(0, len(images), PER_TIMING))


def _timed(function, images):
    """A function's answer and its seconds for one image, compilation left out."""

    function(images[:2])
    start = time.perf_counter()
    table = function(images)
    return table, (time.perf_counter() - start) / len(images)
