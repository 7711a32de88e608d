"""Files appear whole or not at all."""

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core import files
from diffranet_utils.core.errors import DiffranetError


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    files.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("killed")
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_the_final_name_appears_only_at_the_end(tmp_path):
    path = tmp_path / "file.txt"
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_an_impossible_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiffranetError, match="Cannot write .*below"):
        files.write_bytes(tmp_path / "file" / "below", b"")


def test_json_round_trip_of_numpy_and_paths(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": np.float32(0.5), "y": np.arange(3), "p": Path("a/b")})
    assert files.read_json(path) == {"x": 0.5, "y": [0, 1, 2], "p": "a/b"}
    with pytest.raises(TypeError, match="set does not go"):
        files.write_json(path, {"x": {1, 2}})
    assert files.read_json(path)["x"] == 0.5


def test_unreadable_json_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(DiffranetError, match="a.json"):
        files.read_json(path)
    path.write_text('{"cut": ')
    with pytest.raises(DiffranetError, match="Cannot read .*a.json.*run the step again"):
        files.read_json(path)


def test_hash_joins_bytes_and_files(tmp_path):
    (tmp_path / "a").write_bytes(b"def")
    assert files.sha256_of(b"abc", tmp_path / "a") == hashlib.sha256(b"abcdef").hexdigest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    read = []
    reader.start()
    files.write_bytes(pipe, b"verdicts")
    reader.join(timeout=10)
    assert read == [b"verdicts"] and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]
