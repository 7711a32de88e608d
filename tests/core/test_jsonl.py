"""JSON lines: what a kill leaves is dropped, what a full disk leaves is taken back."""

import errno
import json

import numpy as np
import pytest

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.jsonl import JsonLines


def test_rows_come_back_and_a_cut_line_does_not(tmp_path):
    path = tmp_path / "lines"
    lines = JsonLines(path)
    assert list(lines.rows()) == []
    places = lines.append([{"a": np.float32(0.5)}, [1, "ä"]])
    assert [json.loads(path.read_bytes()[place:].splitlines()[0]) for place in places] == [
        {"a": 0.5},
        [1, "ä"],
    ]
    with path.open("ab") as file:
        file.write(b'{"cut')
    again = JsonLines(path)
    again.append([3])
    assert list(again.rows()) == list(JsonLines(path).rows()) == [{"a": 0.5}, [1, "ä"], 3]


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "lines"
    path.write_text("1\nno json\n2\n")
    with pytest.raises(DiffranetError, match="line 2"):
        list(JsonLines(path).rows())


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    lines = JsonLines(tmp_path / "lines")
    lines.append([1])

    class Full:
        """A file that takes three bytes and no more."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            if self.file.tell() > lines.size:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data[:3])

    whole = type(lines.path).open
    with monkeypatch.context() as patch:
        patch.setattr(
            type(lines.path), "open", lambda *args, **kwargs: Full(whole(*args, **kwargs))
        )
        with pytest.raises(DiffranetError, match="No space left"):
            lines.append([{"long": "row"}])
    assert list(lines.rows()) == [1] and lines.path.read_bytes() == b"1\n"
