"""`diffranet sort`: what it says, and that nothing of the user's is touched."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.studies.scattering import sort_command
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.sessions import draw_session, take
from diffranet_utils.studies.scattering.sort_command import Where, place


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in TECHNIQUES:
        counts = take(draw_session(name, 1, 3), np.random.default_rng(1)).counts
        np.save(folder / f"{name}.npy", counts.astype(np.int32))
    (folder / "broken.cbf").write_bytes(b"no frame")
    return folder


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_tables_say_the_same_and_broken_files_are_named(frames, capsys):
    sort_command.run([frames], Where("json"))
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 5 and sum(row["technique"] == "unreadable" for row in rows) == 1
    for row in rows:
        if row["technique"] != "unreadable":
            total = sum(row[name] for name in (*TECHNIQUES, "other"))
            assert total == pytest.approx(1, abs=0.001)
            assert row["technique"] in (*TECHNIQUES, "unsure")
    sort_command.run([frames], Where("csv"))
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["technique"] for row in table] == [row["technique"] for row in rows]


@pytest.mark.parametrize("link", [False, True])
def test_copies_and_links_leave_everything_as_it_was(frames, tmp_path, link):
    before, target = content(frames), tmp_path / "sorted"
    (target / "WAXS").mkdir(parents=True)
    taken = target / "WAXS" / "WAXS.npy"
    taken.write_bytes(b"of the user")
    paths = sorted(frames.glob("*.npy"))
    records = [{"file": str(path), "technique": path.stem} for path in paths]
    records.append({"file": str(frames / "broken.cbf"), "technique": "unreadable"})
    assert place(records, target, link) == 4
    assert content(frames) == before and taken.read_bytes() == b"of the user"
    new = target / "WAXS" / "WAXS_2.npy"
    assert new.read_bytes() == before["WAXS.npy"] and new.is_symlink() == link
    assert not list(target.rglob("broken*"))
    assert place(records, target, link) == 0  # all are there


def test_a_dangling_link_is_no_free_name(frames, tmp_path):
    target = tmp_path / "sorted" / "SAXS"
    target.mkdir(parents=True)
    (target / "SAXS.npy").symlink_to(tmp_path / "elsewhere.npy")
    place([{"file": str(frames / "SAXS.npy"), "technique": "SAXS"}], tmp_path / "sorted")
    assert not (tmp_path / "elsewhere.npy").exists()
    assert (target / "SAXS_2.npy").is_file()


def test_the_page_names_every_file_and_replaces_none(frames, tmp_path, capsys):
    page = tmp_path / "page.html"
    sort_command.run([frames], Where(report=page))
    text = page.read_text()
    assert all(path.name in text for path in frames.iterdir())
    with pytest.raises(InputError):
        Where(report=page)
    with pytest.raises(InputError):
        Where(copy_to=tmp_path, link_to=tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "broken.cbf").write_bytes(b"no frame")
    with pytest.raises(DiffranetError):
        sort_command.run([tmp_path], Where())


def test_the_command_needs_no_torch_and_no_scikit_learn(frames):
    code = (
        "import sys; from diffranet_utils.cli.main import app; "
        f"app(['sort', {str(frames)!r}, '--json'], standalone_mode=False); "
        "assert not {'torch', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 5
