"""pyproject.toml, requirements.lock and environment.yml describe one environment, and it is
used.
"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOOK_PACKAGES = {  # package: how its use shows in our sources
    "jupyterlab": r"-m jupyterlab",
    "jupyter-book": r'"jupyter-book"',
    "papermill": r"^import papermill",
    "torch": r"import torch",
    "scikit-learn": r"from sklearn|import sklearn",
    "scikit-image": r"from skimage|import skimage",
    "opencv-python-headless": r"import cv2",
    "hyperopt": r"from hyperopt|import hyperopt",
    "hpbandster": r"from hpbandster|import hpbandster",
    "matplotlib": r"import matplotlib|from matplotlib",
    "seaborn": r"import seaborn",
}


def norm(name):
    return re.sub(r"[-_.]+", "-", name.lower())


def pins(lines):
    found = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {norm(name): version for name, version in found}


@pytest.fixture(scope="module")
def lock():
    return pins((ROOT / "requirements.lock").read_text().splitlines())


@pytest.fixture(scope="module")
def conda():
    parts = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return {
        "conda": [p for p in parts if isinstance(p, str)],
        "pip": next(p["pip"] for p in parts if isinstance(p, dict)),
    }


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared(project):
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {norm(re.match(r"[\w.-]+", text).group()) for group in groups for text in group}


def test_every_declared_package_is_locked_and_in_the_conda_file(project, lock, conda):
    names = declared(project)
    assert names <= set(lock)
    assert names == set(pins(conda["pip"]))


def test_pins_agree(lock, conda):
    ours = pins(conda["pip"])
    assert ours == {name: lock[name] for name in ours}
    assert "-c requirements.lock" in conda["pip"]


def test_python_versions_agree(project, conda):
    conda_python = next(p for p in conda["conda"] if p.startswith("python=")).split("=")[1]
    assert project["requires-python"] == ">=" + conda_python


def test_the_lock_is_plain_pins():
    lines = [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert len(lines) == len(pins(lines))
    assert "torch==2.13.0" in lines


def test_the_running_environment_is_the_locked_one(lock):
    installed = {
        norm(d.metadata["Name"]): d.version.split("+")[0] for d in metadata.distributions()
    }
    differing = {
        name: (installed.get(name), version)
        for name, version in lock.items()
        if installed.get(name) != version
    }
    if len(differing) > 10:
        pytest.skip("not running in the locked environment")
    assert not differing


@pytest.mark.parametrize("package", BOOK_PACKAGES)
def test_each_package_of_the_book_is_used(package, project):
    assert package in declared(project)
    sources = [
        *ROOT.glob("diffranet_utils/**/*.py"),
        *ROOT.glob("notebooks/*.ipynb"),
        *ROOT.glob("tools/*.py"),
        ROOT / "Makefile",
    ]
    pattern = re.compile(BOOK_PACKAGES[package], re.M)
    assert any(pattern.search(path.read_text(encoding="utf-8")) for path in sources)
