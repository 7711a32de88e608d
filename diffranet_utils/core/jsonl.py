"""Files of JSON lines that only grow, so that what was killed can go on."""

import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.files import plain


class JsonLines:
    """One JSON value a line; each is on disk when `append` returns.

    Parameters
    ----------
    path : path-like
        Made by the first `append`. A last line without its end, cut short by a kill, is dropped.

    Attributes
    ----------
    size : int
        Bytes of the whole lines.
    """

    def __init__(self, path):
        self.path, self.size = Path(path), 0
        if self.path.exists():
            self._read_through()

    def _read_through(self):
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
        """Hook for those who remember something of each line; it starts at `size`."""

    def rows(self):
        """Values of all lines, in the order of the file.

        Raises
        ------
        DiffranetError
            If a line is no JSON.
        """
        for number, line in enumerate(
            self.path.read_bytes().splitlines() if self.path.exists() else [], 1
        ):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise DiffranetError(
                    f"{self.path}, line {number} is damaged: move the file away."
                ) from error

    def append(self, rows):
        """Add values that JSON holds, NumPy's scalars and arrays included.

        Returns
        -------
        list of int
            Where the line of each begins.

        Raises
        ------
        DiffranetError
            If the disk is full; the file is as it was before.
        """
        lines = [json.dumps(row, default=plain).encode() + b"\n" for row in rows]
        with self._writing("ab") as file:
            left = memoryview(b"".join(lines))
            while left:
                left = left[file.write(left) :]
        places = []
        for line in lines:
            places.append(self.size)
            self.size += len(line)
        return places

    @contextmanager
    def _writing(self, mode):
        """The open file; where the disk is full, the part of a line that still went in is taken
        back.
        """
        try:
            with self.path.open(mode, buffering=0) as file:
                yield file
        except OSError as error:
            with suppress(OSError):
                os.truncate(self.path, self.size)
            raise DiffranetError(
                f"Cannot write {self.path}: {error.strerror}. Free some space and resume."
            ) from error
