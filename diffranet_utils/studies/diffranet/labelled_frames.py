"""Real frames that somebody judged by eye: a folder with labels.csv."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.frames.read import read_frame
from diffranet_utils.studies.diffranet.labels import RealLabel

REAL_VARIABLE = "DIFFRANET_REAL"


@dataclass(frozen=True)
class LabelledFrame:
    """A frame on disk that somebody judged by eye; ``label`` is a `RealLabel`."""

    path: Path
    label: RealLabel
    note: str = ""

    def read(self):
        """The `Frame`; errors as for `read_frame`."""
        return read_frame(self.path)


def find_real(folder=None):
    """The labelled real frames named by ``DIFFRANET_REAL``: a folder with labels.csv (file, label,
    note).

    Parameters
    ----------
    folder : path-like, optional
        Instead of the environment variable.

    Returns
    -------
    list of LabelledFrame, or None
        None where the variable is unset or names no folder.

    Raises
    ------
    MissingDataError, InputError
        If the folder has no labels.csv, or a row names no file or no known label.
    """
    folder = Path(folder or os.environ.get(REAL_VARIABLE) or "")
    if folder == Path() or not folder.is_dir():
        return None
    table = folder / "labels.csv"
    if not table.exists():
        raise MissingDataError(f"No {table}. Write one with the columns file, label and note.")
    with table.open(newline="") as handle:
        return [_labelled(folder, table, row) for row in csv.DictReader(handle)]


def _labelled(folder, table, row):
    titles = {label.title: label for label in RealLabel}
    if row.get("label") not in titles:
        raise InputError(
            f"{table} calls {row.get('file')} {row.get('label')!r}: choose {' or '.join(titles)}."
        )
    path = folder / (row.get("file") or "")
    if not path.is_file():
        raise MissingDataError(f"{table} names {path.name!r}, which is not in {folder}.")
    return LabelledFrame(path, titles[row["label"]], row.get("note") or "")
