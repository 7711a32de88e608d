"""The command: from a folder to a model to a table, and what it refuses."""

import csv
import re

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from diffranet_utils.cli.main import app
from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.drops import command, network
from diffranet_utils.studies.drops.labels import CLASSES
from diffranet_utils.studies.drops.settings import Framing, Shape


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for k, name in enumerate(["clear", "crystals", "clear"]):
        (tmp_path / name).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name / f"{k}.png"), rng.integers(0, 255, (90, 100, 3), np.uint8))
    (tmp_path / "clear" / "small.png").write_bytes(
        cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1]
    )
    return tmp_path


def test_predict_writes_crystals_first_and_lists_what_was_left_out(folder):
    model, out = folder / "m.safetensors", folder / "out.csv"
    shape = Shape(0.0625, front=False)
    network.save_model(model, network.build_network(shape), shape, Framing(84, 75))
    arguments = ["drops", "predict", str(folder), "--model", str(model), "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "small.png" in done.output
    rows = list(csv.DictReader(out.open()))
    crystals = [float(row["crystals"]) for row in rows]
    assert len(rows) == 3 and crystals == sorted(crystals, reverse=True)
    assert sum(float(rows[0][name]) for name in CLASSES) == pytest.approx(1, abs=1e-3)
    page = folder / "page.html"
    done = CliRunner().invoke(
        app, ["drops", "report", str(folder), "--table", str(out), "--out", str(page)]
    )
    assert done.exit_code == 0
    shown = re.findall(r'<img alt="([^"]+)"', page.read_text(encoding="utf-8"))
    assert shown == [row["file"] for row in rows]


def test_what_cannot_be_used_is_refused(folder, tmp_path):
    with pytest.raises(InputError):
        command.train(folder, "workshop", 1, tmp_path / "m.safetensors")
    with pytest.raises(InputError):
        command.train(folder, "huge", 1, tmp_path / "m.safetensors")
    with pytest.raises(MissingDataError):
        command.train(tmp_path / "nowhere", "smoke", 1, tmp_path / "m.safetensors")
    with pytest.raises(MissingDataError):
        command.predict_folder(folder, tmp_path / "none.safetensors", tmp_path / "out.csv")
    with pytest.raises(MissingDataError):
        command.report(folder, tmp_path / "none.csv", tmp_path / "page.html", 10)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError):
        command.report(folder, tmp_path / "other.csv", tmp_path / "page.html", 10)
