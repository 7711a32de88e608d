"""Small fixtures shared by the tests, and where the optional reference data lies."""

import json
import os
from pathlib import Path

import numpy as np
import pytest


def _folder(variable):
    folder = os.environ.get(variable)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"set {variable} to the folder that holds this data")
    return Path(folder)


@pytest.fixture(scope="session")
def reference_dir():
    """Folder with nanoBragg and nonBragg images, models and tables."""
    return _folder("DIFFRANET_REFERENCE")


@pytest.fixture(scope="session")
def program_dir():
    """Folder with the programs nanoBragg and nonBragg, to make the golden crops again."""
    return _folder("DIFFRANET_NANOBRAGG")


class Golden:
    """Crops of nanoBragg's and nonBragg's images; golden/nanobragg/README.md says what each
    holds.
    """

    folder = Path(__file__).parent / "golden" / "nanobragg"

    def __init__(self):
        self.index = json.loads((self.folder / "index.json").read_text())

    def arrays(self, name):
        """All arrays of one crop, by name."""
        with np.load(self.folder / f"{name}.npz", allow_pickle=False) as data:
            return dict(data)

    def cut(self, image, crop):
        """The part of a whole image that a crop shows: corner and size, slow axis first."""
        return image[
            tuple(slice(start, start + n) for start, n in zip(crop[:2], crop[2:], strict=True))
        ]


@pytest.fixture(scope="session")
def golden():
    """Loader of the golden crops."""
    return Golden()


@pytest.fixture(scope="session")
def real_dir():
    """Folder with real frames and labels.csv."""
    return _folder("DIFFRANET_REAL")


@pytest.fixture
def rng():
    return np.random.default_rng(7)
