"""The journal of a build: one JSON line for each image made, so that a build that was killed can go on.

Only the place of each line is kept in memory, eight bytes an image: a set of millions fits.
"""

import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError


class Journal:
    """Lines on disk, found by the number of their image.

    Parameters
    ----------
    path : path-like
        Made if missing. A last line without its end, cut short by a kill, is dropped.
    number_of : callable
        ``number_of(row)`` gives the number of the image that a row describes, or None for one that is not wanted.
    n : int
        Images in all.
    """

    def __init__(self, path, number_of, n):
        self.path, self.number_of = Path(path), number_of
        self.place = np.full(n, -1, np.int64)
        self.size = 0
        if self.path.exists():
            self._index()

    def _index(self):
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._note(line)
                self.size += len(line)
        if self.path.stat().st_size > self.size:
            with self._writing("r+b") as file:
                file.truncate(self.size)

    def _note(self, line):
        """Remember where the line of an image starts; a line that is no JSON counts as not written."""
        try:
            number = self.number_of(json.loads(line))
        except (ValueError, KeyError, TypeError):
            return
        if number is not None:
            self.place[number] = self.size

    def __contains__(self, number):
        """Whether the image of this number has its line."""
        return bool(self.place[number] >= 0)

    def append(self, rows):
        """Add rows (dicts that JSON holds); on disk when this returns."""
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        with self._writing("ab") as file:
            left = memoryview(b"".join(lines))
            while left:
                left = left[file.write(left) :]
        for row, line in zip(rows, lines, strict=True):
            self.place[self.number_of(row)] = self.size
            self.size += len(line)

    def forget(self, number):
        """Treat an image as not yet made."""
        self.place[number] = -1

    def rows(self):
        """Rows of all images that have one, by rising number, read one after the other."""
        with self.path.open("rb") as file:
            for place in self.place[self.place >= 0].tolist():  # a copy: images may be forgotten meanwhile
                file.seek(place)
                yield json.loads(file.readline())

    @contextmanager
    def _writing(self, mode):
        """The open file; where the disk is full, the part of a line that still went in is taken back."""
        try:
            with self.path.open(mode, buffering=0) as file:
                yield file
        except OSError as error:
            with suppress(OSError):
                os.truncate(self.path, self.size)
            raise DiffranetError(f"Cannot write {self.path}: {error.strerror}. Free some space and resume.") from error
