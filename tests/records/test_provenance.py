"""Runs and records: what is written, where, and what is refused."""

import json
import platform
from importlib import metadata
from pathlib import Path

import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.records import chapters, metrics, provenance
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.study import STUDY


@pytest.fixture
def run(tmp_path):
    return provenance.start_run(STUDY, "smoke", 11, tmp_path / "data", str(tmp_path / "results"))


def test_folders_carry_the_preset(run, tmp_path):
    assert run.preset is presets.get("smoke") and run.seed == 11
    assert run.data_dir == tmp_path / "data" / "smoke"
    assert run.models_dir == tmp_path / "results" / "smoke" / "models"


@pytest.mark.parametrize("seed", [-1, 1.5, "7"])
def test_bad_seeds_are_named(seed):
    with pytest.raises(InputError, match=f"SEED is {seed!r}"):
        provenance.start_run(STUDY, "smoke", seed, "a", "b")


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(InputError, match="'huge': choose one of smoke, workshop, overnight, full"):
        provenance.start_run(STUDY, "huge", 1, "a", "b")


def test_record_holds_values_and_origin(run):
    values = {"accuracy": metrics.proportion(3, 4), "rate": provenance.plain_value(2.0, "image/s")}
    record = provenance.save_result("20_dataset", run, values, {"curve": [1, 2]}, seconds=1.234)
    assert json.loads((run.results_dir / "20_dataset.json").read_text()) == record
    assert provenance.load_result(run.results_dir, "20_dataset") == record
    assert (record["preset"], record["seed"], record["seconds"]) == ("smoke", 11, 1.23)
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["numpy"] == metadata.version("numpy")
    assert "cores" in record["device"] and record["commit"]


def test_a_missing_record_says_how_to_make_it(run):
    with pytest.raises(MissingDataError, match="diffranet run 41_bohb_search"):
        provenance.load_result(run.results_dir, "41_bohb_search")


def test_committed_records_are_read_from_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "COMMITTED", tmp_path)
    assert provenance.committed_result("20_dataset") is None
    larger = provenance.start_run(STUDY, "full", 1, tmp_path, tmp_path)
    provenance.save_result("20_dataset", larger, {})
    assert provenance.committed_result("20_dataset")["preset"] == "full"


def test_every_committed_record_is_complete():
    for path in sorted(provenance.COMMITTED.glob("*/*.json")):
        record = json.loads(path.read_text())
        if path.parent.name != "bench":
            assert record["preset"] == path.parent.name and record["chapter"] == path.stem
        assert not record["commit"].endswith("+"), (
            f"{path}: made from files that were not committed"
        )


def test_run_chapter_times_the_step_and_saves(run, monkeypatch):
    def step(given):
        assert given is run
        return {"n": provenance.plain_value(5)}, {"table": []}

    monkeypatch.setattr("diffranet_utils.studies.diffranet.chapters.ch60_scorecard.step", step)
    record = chapters.run_chapter("60_scorecard", run)
    assert record["values"]["n"]["value"] == 5 and record["seconds"] >= 0
    assert Path(run.results_dir / "60_scorecard.json").exists()
    with pytest.raises(InputError, match="Unknown chapter '61_x'"):
        chapters.run_chapter("61_x", run)
