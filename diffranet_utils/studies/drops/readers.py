"""Read MARCO in the forms in which it is shared: class folders, a table of labels, shards."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, MissingDataError

from . import tfrecords
from .decoding import decode_picture
from .labels import CLASSES
from .preprocess import CROP

SUFFIXES = (".jpg", ".jpeg", ".png")

SPELLINGS = {name: name for name in CLASSES} | {
    "crystal": "crystals",
    "precipitates": "precipitate",
    "others": "other",
}
"""Names of the classes that are understood, in lower case."""

FILE_COLUMNS = ("file", "filename", "image", "path", "name")
LABEL_COLUMNS = ("label", "class", "category")


@dataclass(frozen=True)
class Entry:
    """One labelled picture that has not been opened yet.

    Attributes
    ----------
    path : Path
        The picture, or the shard it is in.
    label : int
        Index into `labels.CLASSES`.
    record : int
        Offset of its record in the shard, bytes; -1 for a file of its own.
    length : int
        Length of that record, bytes.
    """

    path: Path
    label: int
    record: int = -1
    length: int = 0

    @property
    def name(self):
        """What to call the picture in a message or a table."""
        return str(self.path) if self.record < 0 else f"{self.path} at byte {self.record}"


@dataclass(frozen=True)
class LeftOut:
    """Something that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class DropSet:
    """Labelled pictures and what was left out of them."""

    entries: tuple
    left_out: tuple

    @property
    def labels(self):
        """Class indices, ndarray of shape (n,), int64."""
        return np.array([entry.label for entry in self.entries], dtype=np.int64)


def class_index(name):
    """Return the index of a class by its name in any case, or None if it is none."""
    known = SPELLINGS.get(str(name).strip().lower())
    return None if known is None else CLASSES.index(known)


def read_class_folders(folder):
    """List the JPEG and PNG pictures in the folders ``clear``, ``crystals`` and so on.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    DropSet
        Folders of other names, classes without a folder and files of other kinds are left out.

    Raises
    ------
    MissingDataError
        If the folder is missing or has no class folder with a picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingDataError(f"There is no folder {folder}. Give one with a folder per class.")
    entries, left_out, seen = [], [], set()
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        label = class_index(inside.name)
        if label is None:
            left_out.append(LeftOut(str(inside), "no class has this name"))
            continue
        seen.add(label)
        for path in sorted(path for path in inside.rglob("*") if path.is_file()):
            if path.suffix.lower() in SUFFIXES:
                entries.append(Entry(path, label))
            else:
                left_out.append(LeftOut(str(path), "neither JPEG nor PNG"))
    for label in sorted(set(range(len(CLASSES))) - seen):
        left_out.append(LeftOut(CLASSES[label], "no folder of this class"))
    if not entries:
        raise MissingDataError(
            f"{folder} has no class folder with pictures. Name folders {', '.join(CLASSES)}."
        )
    return DropSet(tuple(entries), tuple(left_out))


def _column(header, wanted, path):
    for name in header or ():
        if name.strip().lower() in wanted:
            return name
    raise InputError(
        f"{path} has no column {wanted[0]!r} but {', '.join(header or ['nothing'])}. Name one so."
    )


def read_label_table(path, folder=None):
    """Read a CSV with the columns file and label (or near names), one picture a row.

    Parameters
    ----------
    path : path-like
    folder : path-like, optional
        Where the files are; the table's own folder when None.

    Returns
    -------
    DropSet
        Rows whose file is missing or whose label is no class are left out.

    Raises
    ------
    MissingDataError
        If the table is missing or none of its files is there.
    InputError
        If it is not text or lacks a column.
    """
    path = Path(path)
    folder = path.parent if folder is None else Path(folder)
    if not path.is_file():
        raise MissingDataError(f"There is no table {path}. Give a CSV with file and label.")
    entries, left_out = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = csv.DictReader(handle)
            file_column = _column(rows.fieldnames, FILE_COLUMNS, path)
            label_column = _column(rows.fieldnames, LABEL_COLUMNS, path)
            for row in rows:
                _take_row(folder, row[file_column], row[label_column], (entries, left_out))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV in UTF-8: {error}. Save it as one.") from error
    if not entries:
        raise MissingDataError(f"None of the files in {path} is in {folder}. Give their folder.")
    return DropSet(tuple(entries), tuple(left_out))


def _take_row(folder, file, name, lists):
    """Sort one row of a table into entries or into what is left out."""
    entries, left_out = lists
    label = class_index(name)
    if label is None:
        left_out.append(LeftOut(str(file), f"{name!r} is no class"))
    elif not file or not (folder / file).is_file():
        left_out.append(LeftOut(str(file), "the file is missing"))
    else:
        entries.append(Entry(folder / file, label))


def read_shards(paths, label_names=None):
    """List the labelled pictures of TFRecord shards; every checksum is checked.

    Parameters
    ----------
    paths : sequence of path-like
    label_names : sequence of str, optional
        Names of the integers in ``image/class/label``, for shards without ``image/class/text``.

    Returns
    -------
    DropSet
        What follows a damaged record in its shard, and records without a known label, are left
        out.

    Raises
    ------
    MissingDataError
        If a shard is missing.
    InputError
        If no record of any shard can be used.
    """
    entries, left_out = [], []
    for path in map(Path, paths):
        if not path.is_file():
            raise MissingDataError(f"There is no shard {path}. Give the files themselves.")
        try:
            for record in tfrecords.records(path):
                label = _record_label(record, label_names)
                entry = Entry(path, -1 if label is None else label, record.offset)
                if label is None:
                    left_out.append(LeftOut(entry.name, "no known label or no picture"))
                else:
                    entries.append(Entry(path, label, record.offset, len(record.content)))
        except InputError as error:
            left_out.append(LeftOut(str(path), str(error)))
    if not entries:
        why = left_out[0].reason if left_out else "they are empty"
        raise InputError(f"The shards hold no labelled picture: {why}")
    return DropSet(tuple(entries), tuple(left_out))


def _record_label(record, label_names):
    """Return the class index of a record, or None if it has none or holds no picture."""
    features = tfrecords.example(record.content)
    if not features.get("image/encoded"):
        return None
    text = features.get("image/class/text")
    if text:
        return class_index(text[0].decode("utf-8", "replace"))
    number = features.get("image/class/label")
    if number and label_names is not None and 0 <= number[0] < len(label_names):
        return class_index(label_names[number[0]])
    return None


def _encoded(entry):
    """Return the bytes of an entry's JPEG or PNG."""
    if entry.record < 0:
        return entry.path.read_bytes()
    with entry.path.open("rb") as shard:
        shard.seek(entry.record)
        return tfrecords.example(shard.read(entry.length))["image/encoded"][0]


def pictures(entries, left_out, smallest=CROP):
    """Yield entries with their pictures; those that cannot be used go to the list `left_out`.

    Parameters
    ----------
    entries : iterable of Entry
    left_out : list
        `LeftOut` objects are appended to it.
    smallest : int
        Least width and height, pixels.

    Yields
    ------
    entry : Entry
    picture : ndarray, shape (height, width, 3), uint8
    """
    for entry in entries:
        try:
            picture = decode_picture(_encoded(entry), entry.name, smallest)
        except OSError:
            left_out.append(LeftOut(entry.name, "the file is missing"))
        except InputError as error:
            reason = str(error).removeprefix(f"{entry.name} is left out: ")
            left_out.append(LeftOut(entry.name, reason.split(". ")[0]))
        else:
            yield entry, picture


def left_out_line(left_out):
    """Say in one line how many things were left out, why, and the first of each reason."""
    if not left_out:
        return "Nothing was left out."
    first = {}
    for item in left_out:
        first.setdefault(item.reason, item.name)
    counts = Counter(item.reason for item in left_out)
    parts = [f"{n} because: {reason} (first {first[reason]})" for reason, n in counts.items()]
    return f"Left out {len(left_out)}: " + "; ".join(parts) + "."
