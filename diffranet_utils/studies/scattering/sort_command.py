"""The command `diffranet sort`: technique and probability of every frame; tables, copies, links.

Nothing of the user's is moved or overwritten: copies and links get new names in a folder.
"""

import csv
import html
import io
import json
import os
import shutil
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from diffranet_utils.core.errors import DiffranetError, InputError, require
from diffranet_utils.core.files import write_bytes
from diffranet_utils.core.workers import completed
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames.image import zero_gaps
from diffranet_utils.screening.listing import list_frames
from diffranet_utils.studies.scattering.frame_pictures import picture_of
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.quick_descriptors import describe
from diffranet_utils.studies.scattering.quick_sorter import SHIPPED, UNSURE, read_sorter

UNREADABLE = "unreadable"
COLUMNS = ("file", "technique", "probability", *TECHNIQUES, "other", "seconds", "note")
FEW_FILES = 48  # are judged sooner by one process than others start
BATCH = 8
TITLE = "Scattering techniques"


@dataclass(frozen=True)
class Where:
    """Where results go.

    Parameters
    ----------
    kind : {"json", "csv"}, optional
        Printed instead of lines.
    report : Path, optional
        HTML page; a file that is there already is refused.
    copy_to, link_to : Path, optional
        Folder that gets a folder for each technique with copies of the files, or links to them.

    Raises
    ------
    InputError
        If both folders are asked for, or the page exists.
    """

    kind: str | None = None
    report: Path | None = None
    copy_to: Path | None = None
    link_to: Path | None = None

    def __post_init__(self):
        both = self.copy_to is not None and self.link_to is not None
        require(not both, "Choose one of --copy-to and --link-to.")
        page = self.report
        there = page is not None and page.exists()
        require(not there, f"{page} exists: name a new file for --report.")


def run(paths, where, model=None, recursive=False, workers=1):
    """Judge frames, print what they are, and write, copy or link what is asked for.

    Parameters
    ----------
    paths : list of path-like
        See `screening.listing.list_frames`.
    where : Where
    model : path-like, optional
        Our own by default.
    recursive : bool
        Look into folders in folders.
    workers : int
        Processes of this machine.

    Raises
    ------
    InputError
        If no file could be read, or a number is out of range.
    """
    require(workers >= 1, f"--workers is {workers}: give at least one process.")
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a file is in its record
    start, sorter = time.perf_counter(), read_sorter(model or SHIPPED)
    listing = list_frames(paths, recursive)
    records = []
    for record in judged(listing.files, sorter, workers):
        records.append(record)
        if where.kind is None:
            typer.echo(_line(record))
    records.sort(key=lambda record: record["file"])
    if where.kind is not None:
        typer.echo(as_text(records, where.kind), nl=False)
    _deliver(records, where)
    for text in (listing.left_out, _summary(records, time.perf_counter() - start)):
        if text:
            print(text, file=sys.stderr)
    unreadable = records and all(one["technique"] == UNREADABLE for one in records)
    require(not unreadable, f"No frame of {len(records)} could be read: the reasons are above.")


def judged(files, sorter, workers=1):
    """Records of all images of some files, as they are read.

    Parameters
    ----------
    files : list of Path
    sorter : quick_sorter.QuickSorter
    workers : int

    Yields
    ------
    dict
        See `COLUMNS`.
    """
    workers = workers if len(files) >= FEW_FILES else 1
    batches = (files[k : k + BATCH] for k in range(0, len(files), BATCH))
    for records in completed(partial(_batch, sorter), batches, workers):
        yield from records


def _batch(sorter, files):
    return [record for path in files for record in judged_file(path, sorter)]


def judged_file(path, sorter):
    """Records of all images of one file; one that says why where it cannot be read.

    Parameters
    ----------
    path : Path
    sorter : quick_sorter.QuickSorter

    Returns
    -------
    list of dict
    """
    records = []
    try:
        with frame_formats.ImageFile(path) as images:
            for index in range(max(len(images), 1)):
                start = time.perf_counter()
                facts = judged_image(images.read(index), sorter)
                name = f"{path}#{index}" if index else str(path)
                seconds = round(time.perf_counter() - start, 4)
                records.append({"file": name, **facts, "seconds": seconds, "note": ""})
    except (DiffranetError, OSError) as error:
        note = frame_formats.one_line(error)
        name = f"{path}#{len(records)}" if records else str(path)
        records.append({"file": name, "technique": UNREADABLE, "note": note})
    return records


def judged_image(image, sorter):
    """Technique and probabilities of one image.

    Parameters
    ----------
    image : frames.image.RawImage
    sorter : quick_sorter.QuickSorter

    Returns
    -------
    dict
        ``technique`` (or unsure), ``probability`` of it, and that of each technique and other.
    """
    image = image.without(zero_gaps(image.counts))
    rows, columns = image.counts.shape
    picture = picture_of(image.counts, image.usable(saturated=True))
    chances = sorter.probabilities(describe(picture, rows / columns))
    each = {
        name: round(float(p), 4) for name, p in zip((*TECHNIQUES, "other"), chances, strict=True)
    }
    return {"technique": sorter.verdict(chances), "probability": max(each.values())} | each


def as_text(records, kind):
    """Records as ``json`` (a list) or ``csv``."""
    rows = [{name: record.get(name) for name in COLUMNS} for record in records]
    if kind == "json":
        return json.dumps(rows, indent=1) + "\n"
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _line(record):
    name = frame_formats.one_line(record["file"])
    if record["technique"] == UNREADABLE:
        return f"{UNREADABLE:10s} {record['note']}"
    likely = max(TECHNIQUES, key=lambda technique: record[technique])
    doubt = f" ({likely} {record[likely]:.2f}?)" if record["technique"] == UNSURE else ""
    return f"{record['technique']:10s} p={record['probability']:.2f} {name}{doubt}"


def _summary(records, seconds):
    counts = Counter(record["technique"] for record in records)
    parts = [f"{n} {name}" for name, n in counts.most_common()]
    return f"{', '.join(parts) or 'No frames'}; {len(records) / max(seconds, 1e-9):.0f} frames/s"


def _deliver(records, where):
    target = where.copy_to or where.link_to
    if target is not None:
        placed = place(records, target, link=where.link_to is not None)
        print(f"{placed} files in {target}", file=sys.stderr)
    if where.report is not None:
        write_bytes(where.report, page(records).encode())


def place(records, target, link=False):
    """Copy files into a folder for each technique, or link to them there.

    A file whose images differ goes to the technique of most of them; one that cannot be read goes
    nowhere. A name that is taken, by whatever, gets a number, unless it already leads to the same
    file.

    Parameters
    ----------
    records : list of dict
        From `judged`.
    target : Path
    link : bool
        Symbolic links instead of copies.

    Returns
    -------
    int
        Files placed now.

    Raises
    ------
    InputError
        If `target` is a file.
    """
    target = Path(target)
    require(not target.exists() or target.is_dir(), f"{target} is no folder: name another.")
    votes = {}
    for record in records:
        if record["technique"] != UNREADABLE:
            path = _file_of(record["file"])
            votes.setdefault(path, Counter())[record["technique"]] += 1
    return sum(
        _placed(path, target / counts.most_common(1)[0][0], link) for path, counts in votes.items()
    )


def _file_of(name):
    """The file of a record's name, which may end in the number of an image."""
    path = Path(name)
    return path if path.exists() else Path(name.rpartition("#")[0])


def _placed(path, folder, link):
    """Place one file under a name that is free; 0 if it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    stem, dot, suffixes = path.name.partition(".")
    for number in range(1, 100_000):
        new = folder / (path.name if number == 1 else f"{stem}_{number}{dot}{suffixes}")
        if os.path.lexists(new):
            if _is_same(path, new):
                return 0
            continue
        try:
            _make(path, new, link)
        except FileExistsError:  # someone else was faster
            continue
        return 1
    raise InputError(f"{folder} is full of files called {path.name}: name another folder.")


def _is_same(path, new):
    """Whether a file that is there is this one, or a copy of it."""
    if not new.exists():
        return False
    if os.path.samefile(path, new):
        return True
    return path.stat().st_size == new.stat().st_size and path.read_bytes() == new.read_bytes()


def _make(path, new, link):
    """A link, or a copy that fails rather than replace a file."""
    if link:
        new.symlink_to(path.resolve())
        return
    with path.open("rb") as source, new.open("xb") as copy:
        shutil.copyfileobj(source, copy)
    shutil.copystat(path, new)


def page(records):
    """An HTML page of all records that needs no other file."""
    counts = Counter(record["technique"] for record in records)
    found = ", ".join(f"{n} {name}" for name, n in counts.most_common())
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(one.get(name))}</td>" for name in COLUMNS) + "</tr>"
        for one in records
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>'
        "<style>body{font:1rem sans-serif}td,th{padding:.2rem .6rem;text-align:left}</style>"
        f"</head><body><h1>{TITLE}</h1><p>{len(records)} images: {html.escape(found)}</p>"
        f"<table><tr>{head}</tr>\n{rows}</table></body></html>\n"
    )


def _cell(value):
    return "" if value is None else html.escape(frame_formats.one_line(value))
