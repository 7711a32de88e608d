"""Every file once, however it is named."""

import io

import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.screening.listing import list_frames, looks_like_a_frame
from tests.frames.test_read import counts, write_cbf, write_eiger


def names(*paths, **how):
    return [path.name for path in list_frames(paths, **how).files]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for place in ("a.cbf", "B.CBF", "deep/c.cbf", "deep/deeper/d.tiff"):
        (tmp_path / place).write_bytes(b"frame")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "notes.log").write_text("x")
    return tmp_path


def test_a_file_is_counted_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "link.cbf").symlink_to(folder / "a.cbf")
    assert names("a.cbf", folder / "a.cbf", folder, folder / "*.cbf", "./deep/../a.cbf") == [
        "a.cbf",
        "B.CBF",
    ]


def test_folders_in_folders_only_when_asked(folder):
    assert names(folder) == ["B.CBF", "a.cbf"]
    assert sorted(names(folder, recursive=True)) == ["B.CBF", "a.cbf", "c.cbf", "d.tiff"]


def test_what_is_not_looked_at_is_said(folder):
    said = list_frames([folder]).left_out
    assert said.startswith("2 files") and ".txt" in said and ".log" in said
    assert list_frames([folder / "a.cbf"]).left_out == ""


def test_lists_name_files_beside_them_and_images_of_crystfel(folder, monkeypatch):
    (folder / "deep" / "files.lst").write_text("# comment\n\nc.cbf //3\n  c.cbf\ndeeper/d.tiff\n")
    assert names(folder / "deep" / "files.lst") == ["c.cbf", "d.tiff"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{folder / 'a.cbf'}\n"))
    assert names("-", folder / "a.cbf") == ["a.cbf"]
    (folder / "bad.lst").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bad\.lst"):
        names(folder / "bad.lst")
    (folder / "gone.lst").write_text("gone.cbf\n")
    with pytest.raises(MissingDataError, match="gone"):
        names(folder / "gone.lst")


def test_a_series_is_named_by_its_master(tmp_path):
    for name in ("run_master.h5", "run_data_000001.h5", "other_data_000001.h5"):
        write_eiger(tmp_path / name, counts(), 1)
    wanted = ["other_data_000001.h5", "run_master.h5"]
    assert names(tmp_path) == wanted
    assert (
        sorted(names(tmp_path / "run_data_000001.h5", tmp_path / "run_master.h5", tmp_path))
        == wanted
    )


@pytest.mark.parametrize(
    ("name", "known"),
    [("a.cbf.bz2", True), ("a.0017", True), ("A.H5", True), ("a.txt", False), ("a", False)],
)
def test_names_of_frames(tmp_path, name, known):
    assert looks_like_a_frame(tmp_path / name) == known


def test_sound_files_are_judged_in_two_processes_as_in_one(tmp_path):
    from diffranet_utils.screening.screener import Screener, screen_paths

    for k in range(3):
        write_cbf(tmp_path / f"{k}.cbf", counts())
    (tmp_path / "bad.cbf").write_bytes(b"")
    found = [sorted((r["file"], r["verdict"], r["n_spots"] or 0) for r in screen_paths([tmp_path],
        Screener(), n))
             for n in (1, 2)]  # fmt: skip
    assert found[0] == found[1] and len(found[0]) == 4
