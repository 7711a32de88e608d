"""The journal of a build: one JSON line for each image made, so that a build that was killed can go
on.

Only the place of each line is kept in memory, eight bytes an image: a set of millions fits.
"""

import json

import numpy as np

from diffranet_utils.core.jsonl import JsonLines


class Journal(JsonLines):
    """JSON lines on disk, found by the number of their image.

    Parameters
    ----------
    path : path-like
        See `JsonLines`.
    number_of : callable
        ``number_of(row)`` gives the number of the image that a row describes, or None for one that
        is not wanted.
    n : int
        Images in all.
    """

    def __init__(self, path, number_of, n):
        self.number_of, self.place = number_of, np.full(n, -1, np.int64)
        super().__init__(path)

    def _note(self, line):
        """Remember where the line of an image starts; a line that is no JSON counts as not
        written.
        """
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
        places = super().append(rows)
        for row, place in zip(rows, places, strict=True):
            self.place[self.number_of(row)] = place
        return places

    def forget(self, number):
        """Treat an image as not yet made."""
        self.place[number] = -1

    def rows(self):
        """Rows of all images that have one, by rising number, read one after the other."""
        with self.path.open("rb") as file:
            for place in self.place[
                self.place >= 0
            ].tolist():  # a copy: images may be forgotten meanwhile
                file.seek(place)
                yield json.loads(file.readline())
