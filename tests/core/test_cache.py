"""Derived files are found by their sources and lie where this user may write."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

import pytest

from diffranet_utils.core.cache import cache_folder, cached
from diffranet_utils.core.errors import InputError, MissingDataError


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """A home and a temporary folder of our own, and no variables."""
    for name in ("DIFFRANET_CACHE", "XDG_CACHE_HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


def barred(folder):
    """A path where not even root can make a folder."""
    (folder / "file").write_text("")
    return folder / "file" / "inside"


def test_each_choice_goes_before_the_next(surroundings, monkeypatch):
    assert cache_folder() == surroundings / "home" / ".cache" / "diffranet"
    monkeypatch.setenv("XDG_CACHE_HOME", str(surroundings / "xdg"))
    assert cache_folder() == surroundings / "xdg" / "diffranet"
    monkeypatch.setenv("DIFFRANET_CACHE", str(surroundings / "variable"))
    assert cache_folder() == surroundings / "variable"
    assert cache_folder(surroundings / "option") == surroundings / "option"
    assert all((surroundings / name).is_dir() for name in ("variable", "option"))


def test_a_relative_xdg_folder_is_ignored(surroundings, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == surroundings / "home" / ".cache" / "diffranet"


@pytest.mark.parametrize("home", [None, "", "unwritable"])
def test_without_a_home_it_is_a_private_temporary_folder(surroundings, monkeypatch, home):
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home and str(barred(surroundings)))
    folder = cache_folder()
    assert folder == surroundings / "tmp" / f"diffranet-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_folder() == folder


def test_a_temporary_folder_that_others_could_read_is_closed(surroundings, monkeypatch):
    monkeypatch.delenv("HOME")
    (surroundings / "tmp" / f"diffranet-{os.getuid()}").mkdir(mode=0o777)
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700


def test_a_link_that_someone_put_there_is_not_followed(surroundings, monkeypatch):
    monkeypatch.delenv("HOME")
    (surroundings / "trap").mkdir()
    (surroundings / "tmp" / f"diffranet-{os.getuid()}").symlink_to(surroundings / "trap")
    with pytest.raises(InputError):
        cache_folder()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(surroundings, monkeypatch):
    monkeypatch.delenv("HOME")
    folder = surroundings / "tmp" / f"diffranet-{os.getuid()}"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(InputError):
        cache_folder()


def test_a_folder_that_was_asked_for_is_not_replaced_by_another(surroundings, monkeypatch):
    with pytest.raises(InputError, match="inside"):
        cache_folder(barred(surroundings))
    monkeypatch.setenv("DIFFRANET_CACHE", str(surroundings / "file" / "inside"))
    with pytest.raises(InputError, match="inside"):
        cache_folder()


def test_a_file_is_made_once_per_content(tmp_path):
    source, calls = tmp_path / "a", []

    def make(path):
        calls.append(path)
        path.write_text(str(len(calls)))

    source.write_bytes(b"one")
    first = cached("mask.npy", [source, b"threshold 3"], make)
    assert cached("mask.npy", [source, b"threshold 3"], make) == first
    source.rename(tmp_path / "b")
    assert cached("mask.npy", [tmp_path / "b", b"threshold 3"], make) == first
    assert cached("mask.npy", [b"one", b"threshold 4"], make) != first
    assert cached("mask.npy", [b"onethreshold", b" 3"], make) != first
    (tmp_path / "b").write_bytes(b"two")
    assert cached("mask.npy", [tmp_path / "b", b"threshold 3"], make) != first
    assert first.read_text() == "1"
    assert len(calls) == 4


def test_the_key_is_the_hash_of_the_hashes():
    parts = "".join(hashlib.sha256(part).hexdigest() for part in (b"x", b"y"))
    key = hashlib.sha256(parts.encode()).hexdigest()
    assert cached("t", [b"x", b"y"], lambda path: path.write_text("")).parent.name == key


def test_nothing_stays_of_a_file_that_was_not_finished():
    def fail(path):
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached("t", [b"x"], fail)
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]
    assert cached("t", [b"x"], lambda path: path.write_text("whole")).read_text() == "whole"


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(MissingDataError, match="no-such"):
        cached("t", [tmp_path / "no-such"], Path.touch)
