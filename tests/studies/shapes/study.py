"""Dots, bars and rings: classes, sizes, the one number of its paper, and who makes the images."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from diffranet_utils.data.build import SPLITS, Recipe
from diffranet_utils.data.pgm import encode_pgm
from diffranet_utils.records.parameters import parameters
from diffranet_utils.records.study import Claim, Study

SIZE = 64  # pixels


class Shape(IntEnum):
    """What a picture shows; the value is the name of its folder."""

    DOTS = 1
    BARS = 2
    RINGS = 3

    @property
    def title(self):
        return self.name.lower()


@parameters
class Sizes:
    """Images per split, and epochs of the network."""

    n_train: int
    n_validation: int
    n_test: int
    epochs: int


@dataclass(frozen=True)
class Preset:
    """Sizes of one run."""

    name: str
    sizes: Sizes
    n_workers: int = 1


PRESETS = {"tiny": Preset("tiny", Sizes(n_train=36, n_validation=18, n_test=24, epochs=2))}
CLAIMS = (
    Claim("shapes_test_accuracy", "Forest on shapes, test", 0.9, 100, "Table 1", "01_shapes"),
)


def make(seed, split, number):
    """Class, file and truth of one image, the same whoever makes it."""
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    shape = Shape(1 + number % 3)
    y, x = np.mgrid[:SIZE, :SIZE] - rng.uniform(24, 40, (2, 1, 1))
    radius = np.hypot(x, y)
    lit = {
        Shape.DOTS: np.exp(-(radius**2) / 8),
        Shape.BARS: (np.sin(x * rng.uniform(0.5, 1.0)) > 0.6).astype(float),
        Shape.RINGS: np.exp(-((radius - rng.uniform(8, 20)) ** 2) / 4),
    }[shape]
    image = np.clip(rng.poisson(20 + 150 * lit), 0, 255).astype(np.uint8)
    return shape, encode_pgm(image), {"lit": float(lit.sum())}


def recipe(preset):
    """The data set of a preset."""
    asked = preset.sizes
    sizes = {"train": asked.n_train, "validation": asked.n_validation, "test": asked.n_test}
    return Recipe(preset.name, sizes, Shape, make, {"code": "shapes"}, n_workers=preset.n_workers)


STUDY = Study(
    "shapes", Shape, PRESETS, CLAIMS, ("01_shapes",),
    hits=(Shape.RINGS,), package="tests.studies.shapes", sections={"01_shapes": "sizes"},
)  # fmt: skip
