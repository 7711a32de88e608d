"""The command that screens: lines, tables, a report, a folder that grows, and a thousand mangled
files.
"""

import bz2
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from diffranet_utils.cli.main import app
from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.frames import read as frames
from diffranet_utils.screening import command as screening_command
from diffranet_utils.screening import output as screening_output
from diffranet_utils.screening import report as screening_report
from diffranet_utils.screening import screener as screening
from diffranet_utils.screening.command import How
from diffranet_utils.screening.listing import expand
from diffranet_utils.screening.watch import Watch
from diffranet_utils.studies.diffranet.study import STUDY
from tests.frames.test_imgcif import LAYOUT, binary, pack
from tests.frames.test_read import (
    counts,
    tiff_bytes,
    write_cbf,
    write_eiger,
    write_marccd,
    write_smv,
)

VERDICTS = {"hit", "miss", "unsure", "unreadable"}
N_MANGLED, MODEL_SHARE, LONGEST_S = 1000, 160, 10


def record(verdict="hit", name="a.cbf", **facts):
    found = {
        "file": name,
        "verdict": verdict,
        "class": "good",
        "probability": 0.93,
        "n_spots": 41,
        "resolution_A": 2.1,
    }
    return found | {"seconds": 0.25, "model": "screener", "reason": None} | facts


def spotted(seed=1, n=60):
    """A frame of 560 x 600 pixels with wide spots on an oblique lattice."""
    data = np.random.default_rng(seed).poisson(30, (560, 600)).astype(np.int32)
    for row, column in (divmod(k, 8) for k in range(n)):
        slow, fast = 30 + 64 * row + 3 * column, 30 + 66 * column + 5 * row
        data[slow : slow + 3, fast : fast + 3] += 90
    return data


def test_lines():
    assert screening_output.line(record()).split() == [
        "hit", "good", "p=0.93", "41", "spots", "2.1", "A", "0.25", "s", "a.cbf"
    ]  # fmt: skip
    bare = record(probability=None, resolution_A=None, **{"class": None})
    assert screening_output.line(bare).split() == ["hit", "41", "spots", "0.25", "s", "a.cbf"]
    assert (
        screening_output.line(record("unreadable", reason="b.cbf is empty."))
        == "unreadable b.cbf is empty."
    )


def test_summary_by_hand():
    said = screening_output.summary(
        [record(), record("miss"), record("unsure"), record("unreadable")], 2.0
    )
    said = said.replace("\xa0", " ")
    assert said.startswith("hit rate 50.0 %") and "n = 2" in said
    assert said.endswith(
        "(33.3% to 66.7% with unsure); 1 hit, 1 miss, 1 unsure, 1 unreadable; 2.0 frames/s"
    )
    assert "unsure)" not in screening_output.summary([record(), record("miss")], 1.0)
    assert screening_output.summary([], 1.0).startswith("no frame judged")


def test_json_and_csv_files(tmp_path, capsys):
    good, bad = write_cbf(tmp_path / "good.cbf", spotted()), tmp_path / "bad.cbf"
    bad.write_bytes(b"")
    screening_command.run(
        [good, bad],
        screening_command.make_screener(STUDY),
        kind="json",
        out=tmp_path / "o.csv",
        report=tmp_path / "r.html",
    )
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert (first["verdict"], second["verdict"]) == ("hit", "unreadable")
    assert {"file", "verdict", "class", "probability", "n_spots", "resolution_A", "seconds"} <= set(
        first
    )
    assert "hit rate" in printed.err and "frames/s" in printed.err
    lines = (tmp_path / "o.csv").read_text().splitlines()
    assert lines[0].startswith("file,verdict") and len(lines) == 3
    page = (tmp_path / "r.html").read_text()
    assert (
        page.count("<img alt=") == 1 and "hit: 1" in page and "empty" in page and "http" not in page
    )


def test_a_folder_that_is_written_to(tmp_path):
    found, slow = [], tmp_path / "b.cbf"
    content = write_cbf(tmp_path / "whole.cbf", spotted()).read_bytes()

    def write():
        time.sleep(0.7)
        with slow.open("wb") as handle:
            for part in (content[:1000], content[1000:]):
                handle.write(part)
                handle.flush()
                time.sleep(0.3)

    writer = threading.Thread(target=write)
    writer.start()
    for one in Watch(tmp_path, lambda path: [record(name=path.name)]).records(idle_s=3):
        found.append(one["file"])
    writer.join()
    assert found == ["whole.cbf", "b.cbf"]  # each once, the second only when it was complete


def test_an_empty_folder_is_waited_for(tmp_path):
    assert list(Watch(tmp_path, lambda path: []).records(idle_s=0.6)) == []
    with pytest.raises(MissingDataError, match="to watch"):
        Watch(tmp_path / "no", lambda path: [])


def master(path, *names):
    with h5py.File(path, "w") as file:
        for k, name in enumerate(names, 1):
            file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(name, "entry/data/data_000001")


def names_seen(watch, idle_s=1.2):
    return [one["file"] for one in watch.records(idle_s)]


@pytest.mark.parametrize("master_first", [True, False])
def test_an_eiger_series_is_judged_once_and_whole(tmp_path, master_first):
    names = ["a_data_000001.h5", "a_data_000002.h5"]
    watch = Watch(tmp_path, lambda path: [record(name=path.name)])
    if master_first:
        master(tmp_path / "a_master.h5", *names)
    write_eiger(tmp_path / names[0], counts())
    assert names_seen(watch) == []
    write_eiger(tmp_path / names[1], counts())
    if not master_first:
        assert names_seen(watch) == []
        assert [path.name for path in watch.waiting()] == names
        master(tmp_path / "a_master.h5", *names)
    assert names_seen(watch) == ["a_master.h5"]
    assert names_seen(watch) == [] and watch.waiting() == []


def test_what_never_becomes_whole_is_said_at_the_end(tmp_path, capsys):
    (tmp_path / "empty.cbf").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo.h5")
    (tmp_path / "folder.cbf").mkdir()
    (tmp_path / "link.cbf").symlink_to("nowhere")
    master(tmp_path / "a_master.h5", "a_data_000001.h5", "a_data_000002.h5")
    write_eiger(tmp_path / "a_data_000001.h5", counts(), 2)
    screening_command.run(
        [tmp_path],
        screening.Screener(),
        "json",
        tmp_path / "o.json",
        how=How(watch=True, idle_s=1.2),
    )
    found = {Path(r["file"]).name: r["verdict"] for r in json.loads(capsys.readouterr().out)}
    assert found == {
        "empty.cbf": "unreadable", "fifo.h5": "unreadable", "folder.cbf": "unreadable",
        "link.cbf": "unreadable",
        "a_master.h5": "miss", "a_master.h5#1": "miss",
    }  # fmt: skip
    assert len(json.loads((tmp_path / "o.json").read_text())) == 6


def test_the_table_grows_and_outlives_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(screening_command, "SAVE_S", 0)
    folder, out, sizes = tmp_path / "frames", tmp_path / "o.csv", []
    folder.mkdir()
    for name in "ab":
        write_cbf(folder / f"{name}.cbf", counts())
    save = screening_command._save

    def save_and_count(records, out):
        sizes.append(len(records))
        save(records, out)

    def judge(screener, path):
        if path.name == "b.cbf":
            shutil.rmtree(folder)
        yield record(name=str(path))

    monkeypatch.setattr(screening_command, "_save", save_and_count)
    monkeypatch.setattr(screening, "screen_file", judge)
    with pytest.raises(MissingDataError, match="gone"):
        screening_command.run([folder], screening.Screener(), out=out, how=How(watch=True))
    assert sizes == [1, 2, 2] and len(out.read_text().splitlines()) == 3


def command(*words):
    return [
        sys.executable,
        "-m",
        "diffranet_utils.cli.main",
        "screen",
        "--model",
        "count",
        *map(str, words),
    ]


def test_sigterm_keeps_what_is_known(tmp_path):
    write_cbf(tmp_path / "a.cbf", counts())
    (tmp_path / "empty.cbf").write_bytes(b"")
    out = tmp_path / "o.json"
    process = subprocess.Popen(
        command(tmp_path, "--watch", "--out", out), stdout=subprocess.PIPE, text=True
    )
    assert "a.cbf" in process.stdout.readline()
    process.terminate()
    printed, _ = process.communicate(timeout=60)
    assert "empty.cbf is empty" in printed and process.returncode == 0
    assert [r["verdict"] for r in json.loads(out.read_text())] == ["miss", "unreadable"]


def test_a_table_of_the_user_is_never_replaced(tmp_path):
    labels, results = tmp_path / "labels.csv", tmp_path / "new" / "results.csv"
    labels.write_text("file,label\na.cbf,hit\n")
    frame = write_cbf(tmp_path / "a.cbf", counts())
    listed = cli(*sorted(tmp_path.iterdir()))  # as a shell spells out tmp_path/*
    assert listed.exit_code == 0 and "labels.csv" in listed.stdout
    for words in ((frame, "--csv", labels), (frame, "--out", labels), (frame, "--json", labels)):
        cli(*words)
        assert labels.read_text() == "file,label\na.cbf,hit\n"
    assert isinstance(cli(frame, "--csv", labels).exception, InputError)
    for _ in range(2):  # its own table it does replace
        assert cli("--csv", results, frame).exit_code == 0
    assert len(results.read_text().splitlines()) == 2
    assert isinstance(
        cli(frame, tmp_path / "more.csv", "--csv").exception, MissingDataError
    )  # not right after it


def cli(*words):
    return CliRunner().invoke(app, ["screen", "--model", "count", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--report", "."), "html"), (("--report", "x.txt"), "html"), (("--out", "x.txt"), "csv"),
     (("--idle", "-1"), "-1"), (("--out", "a.cbf/x.csv"), "Cannot write"),
     (("--report", "a.html"), "left alone"),
     (("--out", "/proc/x.csv"), "Cannot write"), (("--model", "nonsense"), "nonsense"),
     (("--out", "d.csv"), "folder")],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_judged(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    write_cbf(tmp_path / "a.cbf", counts())
    (tmp_path / "a.html").write_text("<title>mine</title>")
    (tmp_path / "d.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(screening, "screen_file", lambda *_: pytest.fail("judged"))
    found = cli("a.cbf", *words)
    assert isinstance(found.exception, DiffranetError) and found.exception.exit_code == 2
    assert said in str(found.exception) and "\n" not in str(found.exception)
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_readable_is_a_failure(tmp_path, capsys):
    (tmp_path / "a.cbf").write_bytes(b"")
    with pytest.raises(InputError, match="No frame of 1"):
        screening_command.run([tmp_path], screening.Screener(), out=tmp_path / "o.csv")
    assert (
        "a.cbf is empty" in capsys.readouterr().out
        and len((tmp_path / "o.csv").read_text().splitlines()) == 2
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="No frame of 1"):
        screening_command.run([empty], screening.Screener())
    assert "empty is a folder" in capsys.readouterr().out


def test_names_with_a_hash_and_names_that_are_no_text(tmp_path):
    frame = write_cbf(tmp_path / "run#3_001.cbf", spotted())
    stack = write_eiger(tmp_path / "run#4.h5", counts(), 3)
    for name, wanted in ((str(frame), (str(frame), 0)), (f"{stack}#2", (str(stack), 2)),
    (str(stack), (str(stack), 0)),
                         ("gone#1.cbf", ("gone#1.cbf", 0))):  # fmt: skip
        assert screening_report._file_and_index(name) == wanted
    odd = record(name="caf\udce9\n.cbf")
    screening_report.write_report(
        [record(name=str(frame)), record(name=f"{stack}#2"), odd], tmp_path / "r.html"
    )
    assert (tmp_path / "r.html").read_text().count("base64,iV") == 2
    assert screening_output.line(odd).endswith("caf .cbf")
    assert json.loads(screening_output.as_text([odd], "json"))[0]["file"] == "caf?\n.cbf"


def test_whole_numbers_stay_whole():
    text = screening_output.as_text([record(), record("unreadable", n_spots=None)], "csv")
    assert ",41," in text and "41.0" not in text
    assert screening_output.as_text([], "csv").startswith("file,verdict")


def test_a_strip_has_a_picture():
    strip = frames.Frame(
        "strip", np.ones((16, 20_000), np.float32), np.zeros((16, 20_000), np.uint8)
    )
    assert screening_report._thumbnail(strip)


def test_stopping_keeps_what_is_known(tmp_path, monkeypatch, capsys):
    def two_then_stop(paths, *how):
        yield record()
        yield record("miss")
        raise KeyboardInterrupt

    monkeypatch.setattr(screening, "screen_paths", two_then_stop)
    screening_command.run([tmp_path], screening.Screener(), out=tmp_path / "o.json")
    assert len(json.loads((tmp_path / "o.json").read_text())) == 2
    assert "Stopped" in capsys.readouterr().err


def write_edf(path, data):
    from fabio.edfimage import EdfImage

    EdfImage(data=data).write(str(path))
    return path


def seeds_of_damage(folder):
    """One sound file of each format, as bytes."""
    tile = np.random.default_rng(2).integers(5, 200, (2, 20, 30))
    return {
        ".cbf": write_cbf(folder / "s.cbf", counts()).read_bytes(),
        ".img": write_smv(folder / "s.img", counts()).read_bytes(),
        ".tif": tiff_bytes(counts()),
        ".h5": write_eiger(folder / "s.h5", counts(), 1).read_bytes(),
        ".edf": write_edf(folder / "s.edf", counts()).read_bytes(),
        ".mccd": write_marccd(folder / "s.mccd", counts(np.uint16)).read_bytes(),
        ".cbf.bz2": bz2.compress(write_cbf(folder / "t.cbf", counts()).read_bytes()),
        "_tiles.cbf": LAYOUT.encode() + binary(pack(tile), tile.shape),
    }


def mangle(content, rng):
    """Cut, flip, overwrite, repeat or empty."""
    content, kind = bytearray(content), rng.integers(6)
    place = int(rng.integers(len(content)))
    if kind == 0:
        return bytes(content[:place])
    if kind == 1:
        for k in rng.integers(0, len(content), rng.integers(1, 40)):
            content[k] ^= int(rng.integers(1, 256))
    elif kind == 2:  # numbers of the header
        digits = [k for k in range(min(3000, len(content))) if 48 <= content[k] < 58]
        for k in rng.choice(digits or [0], min(6, len(digits) or 1)):
            content[k] = int(rng.choice(list(b"0987654321-.eN")))
    elif kind == 3:
        content[place : place + int(rng.integers(1, 400))] = rng.bytes(int(rng.integers(1, 400)))
    elif kind == 4:
        return rng.bytes(int(rng.integers(0, 3000)))
    else:
        content[place:place] = content[: int(rng.integers(1, 2000))]
    return bytes(content)


def test_a_thousand_mangled_files(tmp_path):
    rng, whole = np.random.default_rng(11), seeds_of_damage(tmp_path)
    folder = tmp_path / "mangled"
    folder.mkdir()
    for k in range(N_MANGLED):
        suffix = list(whole)[k % len(whole)]
        (folder / f"{k:04d}{suffix}").write_bytes(mangle(whole[suffix], rng))
    files, with_model = expand(folder), screening.load_screener(STUDY)
    records = list(screening.screen_paths(files[MODEL_SHARE:], screening.Screener()))
    records += screening.screen_paths(files[:MODEL_SHARE], with_model)
    assert len(records) >= N_MANGLED
    assert {"hit", "miss", "unsure"} & {r["verdict"] for r in records if r["model"] == "screener"}
    assert {r["verdict"] for r in records} <= VERDICTS
    unreadable = [r for r in records if r["verdict"] == "unreadable"]
    assert len(unreadable) > N_MANGLED / 2
    for r in unreadable:
        assert r["reason"] and "\n" not in r["reason"] and len(r["reason"]) < 500
    assert max(r["seconds"] for r in records) < LONGEST_S


def test_memory_does_not_grow_with_the_folder(tmp_path):
    import tracemalloc

    path = write_cbf(tmp_path / "a.cbf", counts())
    for k in range(200):
        (tmp_path / f"b{k:03d}.cbf").hardlink_to(path)
    stream = screening.screen_paths([tmp_path], screening.Screener())
    for _ in range(50):
        next(stream)
    tracemalloc.start()
    for _ in stream:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # one frame at a time


def test_a_report_of_a_frame_that_is_gone(tmp_path):
    screening_report.write_report([record(name=str(tmp_path / "gone.cbf"))], tmp_path / "r.html")
    assert "gone.cbf" in (tmp_path / "r.html").read_text()


def test_nan_pixels_are_masked(tmp_path):
    from PIL import Image

    data = np.full((70, 90), 5, np.float32)
    data[:30] = np.nan
    Image.fromarray(data).save(tmp_path / "nan.tif")
    assert frames.read_frame(tmp_path / "nan.tif").mask.sum() == 40 * 90
    assert screening.Screener().screen(tmp_path / "nan.tif")["verdict"] == "miss"
