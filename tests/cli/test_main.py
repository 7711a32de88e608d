"""The command line: what it prints and writes, and what bad input costs."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from diffranet_utils import __version__
from diffranet_utils.cli import main as cli
from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.files import write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.studies.diffranet.labels import Label


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def exit_of(monkeypatch, capsys, *arguments):
    """Exit code and standard error of the installed command."""
    monkeypatch.setattr(sys, "argv", ["diffranet", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().err


def test_version_and_help():
    assert call("--version").stdout.strip() == __version__
    helped = call("--help")
    assert helped.exit_code == 0
    assert all(
        command in helped.stdout for command in ("simulate", "dataset", "run", "screen", "info")
    )


def test_help_needs_no_heavy_import():
    heavy = {"torch", "sklearn", "numba", "pandas", "matplotlib", "scipy"}
    code = f"import sys, diffranet_utils.cli.main; print({heavy!r} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_simulate_writes_images_and_their_truth(tmp_path):
    result = call("simulate", "--n", 2, "--seed", 3, "--out", tmp_path / "a")
    assert result.exit_code == 0, result.output
    again = call("simulate", "--n", 2, "--seed", 3, "--out", tmp_path / "b")
    assert again.exit_code == 0
    for number in (1, 2):
        name = f"shot_{number:06d}"
        image = np.array(Image.open(tmp_path / "a" / f"{name}.pgm"))
        assert image.shape == (512, 512) and image.dtype == np.uint8
        truth = json.loads((tmp_path / "a" / f"{name}.json").read_text())
        assert Label(truth["label"]).title == truth["class"] and truth["pulse_photons"] >= 0
        assert (tmp_path / "a" / f"{name}.pgm").read_bytes() == (
            tmp_path / "b" / f"{name}.pgm"
        ).read_bytes()
    first, second = (np.array(Image.open(tmp_path / "a" / f"shot_{n:06d}.pgm")) for n in (1, 2))
    assert (first != second).any()


def test_a_data_set_goes_to_the_folder_of_its_preset(tmp_path, monkeypatch):
    built = []

    def build_dataset(root, recipe, *_):
        built.append((root.as_posix(), recipe.preset))
        write_json(root / "identity.json", {"preset": recipe.preset})
        return {"shares": {}}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffranet_utils.data.build.build_dataset", build_dataset)
    for arguments in ((), ("--preset", "workshop"), ("--preset", "full", "--root", "elsewhere")):
        assert call("dataset", *arguments).exit_code == 0
    assert built == [
        ("build/data/smoke", "smoke"),
        ("build/data/workshop", "workshop"),
        ("elsewhere", "full"),
    ]


def test_a_folder_of_another_preset_is_refused(tmp_path, monkeypatch, capsys):
    write_json(tmp_path / "identity.json", {"preset": "smoke"})
    code, error = exit_of(
        monkeypatch, capsys, "dataset", "--preset", "workshop", "--root", tmp_path
    )
    assert code == 2 and "holds the data set of preset smoke" in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]


def test_run_prints_values_and_writes_the_record(tmp_path):
    result = call("run", "60_scorecard", "--out", tmp_path, "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "smoke" / "60_scorecard.json").read_text())
    assert record["chapter"] == "60_scorecard" and record["preset"] == "smoke"
    assert "60_scorecard.json" in result.stdout


def test_info_names_commit_and_presets():
    shown = call("info").stdout
    assert code_fingerprint() in shown and "preset full: 10000 train" in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "99_nothing"), "99_nothing"),
        (("run", "60_scorecard", "--preset", "huge"), "huge"),
        (("run", "60_scorecard", "--seed", "-1"), "-1"),
        (("simulate", "--station", "moon"), "moon"),
        (("simulate", "--n", "0"), "--n is 0"),
        (("simulate", "--n", "many"), "'--n'"),
        (("dataset", "--workers", "0"), "--workers is 0"),
        (("dataset", "--preset", "huge"), "huge"),
        (("screen", "no_such_frame.cbf"), "no_such_frame.cbf"),
        (("screen", "a.cbf", "--json", "--csv"), "--csv"),
        (("run", "40_deepfreak", "--worker"), "--worker and --listen are for 41_bohb_search"),
        (("run", "40_deepfreak", "--listen", ""), "takes no workers"),
        (("run", "41_bohb_search", "--worker", "--listen", "here"), "--worker and --listen"),
        (("run", "41_bohb_search", "--nameserver", "10.0.0.5"), "--nameserver is for --worker"),
        (("run", "41_bohb_search", "--listen", "0.0.0.0"), "0.0.0.0"),
        (
            ("run", "41_bohb_search", "--listen", "192.0.2.1"),
            "Cannot listen at 192.0.2.1",
        ),  # of no machine (RFC 5737)
        (("nonsense",), "nonsense"),
    ],
)
def test_bad_usage_exits_with_two_and_names_the_thing(monkeypatch, capsys, arguments, named):
    code, error = exit_of(monkeypatch, capsys, *arguments)
    assert code == 2
    assert named in error and error.count("\n") == 1


def test_a_failed_run_exits_with_one_on_one_line(monkeypatch, capsys):
    def fail(arguments, standalone_mode):
        raise DiffranetError("the disk\nis full")

    monkeypatch.setattr(cli, "app", fail)
    assert exit_of(monkeypatch, capsys, "info") == (1, "the disk is full\n")


def test_an_unwritable_folder_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, error = exit_of(monkeypatch, capsys, "run", "60_scorecard", "--out", tmp_path / "file")
    assert code == 1 and str(tmp_path / "file") in error and error.count("\n") == 1
