"""Small fixtures shared by the tests, and where the optional reference data lies."""

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
def real_dir():
    """Folder with real frames and labels.csv."""
    return _folder("DIFFRANET_REAL")


@pytest.fixture
def rng():
    return np.random.default_rng(7)
