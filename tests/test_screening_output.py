"""The command that screens: lines, tables, a report, a folder that grows, and a thousand mangled files."""

import bz2
import json
import threading
import time

import numpy as np
import pytest
from test_frames import counts, tiff_bytes, write_cbf, write_eiger, write_smv
from test_imgcif import LAYOUT, binary, pack

from diffranet_utils import frames, screening, screening_command, screening_output
from diffranet_utils.errors import MissingDataError

VERDICTS = {"hit", "miss", "unsure", "unreadable"}
N_MANGLED, LONGEST_S = 1000, 10


def record(verdict="hit", name="a.cbf", **facts):
    found = {"file": name, "verdict": verdict, "class": "good", "probability": 0.93, "n_spots": 41, "resolution_A": 2.1}
    return found | {"seconds": 0.25, "model": "screener", "reason": None} | facts


def spotted(seed=1, n=60):
    """A frame of 560 x 600 pixels with wide spots."""
    rng = np.random.default_rng(seed)
    data = rng.poisson(30, (560, 600)).astype(np.int32)
    for slow, fast in rng.integers(10, 550, (n, 2)):
        data[slow : slow + 3, fast : fast + 3] += 90
    return data


def test_lines():
    assert screening_output.line(record()).split() == [
        "hit", "good", "p=0.93", "41", "spots", "2.1", "A", "0.25", "s", "a.cbf"
    ]  # fmt: skip
    bare = record(probability=None, resolution_A=None, **{"class": None})
    assert screening_output.line(bare).split() == ["hit", "41", "spots", "0.25", "s", "a.cbf"]
    assert screening_output.line(record("unreadable", reason="b.cbf is empty.")) == "unreadable b.cbf is empty."


def test_summary_by_hand():
    said = screening_output.summary([record(), record("miss"), record("unsure"), record("unreadable")], 2.0)
    said = said.replace("\xa0", " ")
    assert said.startswith("hit rate 50.0 %") and "n = 2" in said
    assert said.endswith("1 hit, 1 miss, 1 unsure, 1 unreadable; 2.0 frames/s")
    assert screening_output.summary([], 1.0).startswith("no frame judged")


def test_json_and_csv_files(tmp_path, capsys):
    good, bad = write_cbf(tmp_path / "good.cbf", spotted()), tmp_path / "bad.cbf"
    bad.write_bytes(b"")
    screening_command.run([good, bad], kind="json", out=tmp_path / "o.csv", report=tmp_path / "r.html")
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert (first["verdict"], second["verdict"]) == ("hit", "unreadable")
    assert {"file", "verdict", "class", "probability", "n_spots", "resolution_A", "seconds"} <= set(first)
    assert "hit rate" in printed.err and "frames/s" in printed.err
    lines = (tmp_path / "o.csv").read_text().splitlines()
    assert lines[0].startswith("file,verdict") and len(lines) == 3
    page = (tmp_path / "r.html").read_text()
    assert page.count("<img alt=") == 1 and "hit: 1" in page and "empty" in page and "http" not in page


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
    for one in screening_output.follow(tmp_path, lambda path: [record(name=path.name)], idle_s=3):
        found.append(one["file"])
    writer.join()
    assert found == ["whole.cbf", "b.cbf"]  # each once, the second only when it was complete


def test_an_empty_folder_is_waited_for(tmp_path):
    assert list(screening_output.follow(tmp_path, lambda path: [], idle_s=0.6)) == []
    with pytest.raises(MissingDataError, match="to watch"):
        next(screening_output.follow(tmp_path / "no", lambda path: []))


def test_stopping_keeps_what_is_known(tmp_path, monkeypatch, capsys):
    def two_then_stop(paths, model):
        yield record()
        yield record("miss")
        raise KeyboardInterrupt

    monkeypatch.setattr(screening, "screen_paths", two_then_stop)
    screening_command.run([tmp_path], model="count", out=tmp_path / "o.json")
    assert len(json.loads((tmp_path / "o.json").read_text())) == 2
    assert "Stopped" in capsys.readouterr().err


def seeds_of_damage(folder):
    """One sound file of each format, as bytes."""
    tile = np.random.default_rng(2).integers(5, 200, (2, 20, 30))
    return {
        ".cbf": write_cbf(folder / "s.cbf", counts()).read_bytes(),
        ".img": write_smv(folder / "s.img", counts()).read_bytes(),
        ".tif": tiff_bytes(counts()),
        ".h5": write_eiger(folder / "s.h5", counts(), 1).read_bytes(),
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
    records = list(screening.screen_paths([folder], screening.COUNT))
    assert len(records) >= N_MANGLED
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
    stream = screening.screen_paths([tmp_path], screening.COUNT)
    for _ in range(50):
        next(stream)
    tracemalloc.start()
    for _ in stream:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # one frame at a time


def test_a_report_of_a_frame_that_is_gone(tmp_path):
    screening_output.report([record(name=str(tmp_path / "gone.cbf"))], tmp_path / "r.html")
    assert "gone.cbf" in (tmp_path / "r.html").read_text()


def test_nan_pixels_are_masked(tmp_path):
    from PIL import Image

    data = np.full((70, 90), 5, np.float32)
    data[:30] = np.nan
    Image.fromarray(data).save(tmp_path / "nan.tif")
    assert frames.read_frame(tmp_path / "nan.tif").mask.sum() == 40 * 90
    assert screening.Screener().screen(tmp_path / "nan.tif")["verdict"] == "miss"
