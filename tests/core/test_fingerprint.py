"""A fingerprint changes with everything that a module imports, and with nothing else."""

import pytest

from diffranet_utils.core import fingerprint
from diffranet_utils.core.errors import InputError
from diffranet_utils.core.fingerprint import code_fingerprint


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "demo"
    (folder / "physics").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "physics/__init__.py": "",
        "physics/spots.py": "from ..core import limit\n\ndef gpu():\n    from . import spots_gpu",
        "physics/spots_gpu.py": "import demo.constants",
        "core.py": "limit = 1",
        "constants.py": "c = 3",
        "bystander.py": "from .physics import spots",
    }
    for name, text in sources.items():
        (folder / name).write_text(text)
    return folder


def touch(path, text):
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    "name", ["physics/spots.py", "physics/spots_gpu.py", "core.py", "constants.py"]
)
def test_it_changes_with_each_imported_file(package, name):
    before = code_fingerprint("demo.physics.spots", package=package)
    touch(package / name, "\n# changed")
    assert code_fingerprint("demo.physics.spots", package=package) != before


def test_it_ignores_what_is_not_imported(package):
    before, whole = (
        code_fingerprint("demo.physics.spots", package=package),
        code_fingerprint(package=package),
    )
    touch(package / "bystander.py", "\n# changed")
    assert code_fingerprint("demo.physics.spots", package=package) == before
    assert code_fingerprint(package=package) != whole


def test_an_import_cycle_ends(package):
    touch(package / "core.py", "\nfrom .physics.spots import gpu")
    names = {path.name for path in fingerprint.sources("demo.core", package)}
    assert names == {"core.py", "spots.py", "spots_gpu.py", "constants.py"}


@pytest.mark.parametrize(
    ("module", "dependency"),
    [
        ("studies.diffranet.shots", "bragg_torch"),
        ("features.texture_torch", "texture"),
        ("features.texture", "texture_kernels"),
        ("search.tpe", "metrics"),
    ],
)
def test_results_depend_on_what_decides_them(module, dependency):
    names = {path.stem for path in fingerprint.sources(f"diffranet_utils.{module}")}
    assert dependency in names


def test_an_unknown_module_is_refused(package):
    with pytest.raises(InputError, match=r"demo\.nowhere"):
        code_fingerprint("demo.nowhere", package=package)
