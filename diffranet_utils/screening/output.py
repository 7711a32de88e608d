"""What `diffranet screen` prints: lines, tables and a summary."""

import csv
import io
import json
import re
import tempfile
from collections import Counter

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.records.entries import format_entry
from diffranet_utils.records.metrics import proportion
from diffranet_utils.screening.screener import COLUMNS, HIT, MISS, UNREADABLE, UNSURE

TITLE = "Screened frames"


def line(record):
    """One line for people: verdict, class, probability, spots, resolution, seconds, file or
    reason.
    """
    if record["verdict"] == UNREADABLE:
        return f"{UNREADABLE:10s} {frame_formats.one_line(record['reason'])}"
    chance = "" if record["probability"] is None else f"p={record['probability']:.2f}"
    reach = "" if record["resolution_A"] is None else f"{record['resolution_A']:.1f} A"
    facts = (
        f"{record['class'] or '':10s} {chance:6s} {record['n_spots']:5d} spots {reach:6s} "
        f"{record['seconds']:6.2f} s"
    )
    notes = f" ({record['notes']})" if record.get("notes") else ""
    return f"{record['verdict']:10s} {facts}  {frame_formats.one_line(record['file'] + notes)}"


def hit_rate(records):
    """Share of hits among the frames judged hit or miss, as a record entry; None if there is
    none.
    """
    counts = Counter(record["verdict"] for record in records)
    n = counts[HIT] + counts[MISS]
    return proportion(counts[HIT], n) if n else None


def summary(records, seconds):
    """Hit rate with its interval, without *unsure* and as a range with it, numbers of all verdicts,
    and frames/s.

    Parameters
    ----------
    records : list of dict
        From `screening.Screener.screen`.
    seconds : float
        Wall-clock time of all.

    Returns
    -------
    str
    """
    rate, counts = hit_rate(records), Counter(r["verdict"] for r in records)
    numbers = ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in (HIT, MISS, UNSURE, UNREADABLE)
    )
    said = f"hit rate {format_entry(rate)}" if rate else "no frame judged"
    missing = sum(r.get("n_missing") or 0 for r in records)
    lost = f"; {missing} images that files declare are not in them" if missing else ""
    return (
        f"{said}{_range(counts)}; {numbers}{lost}; {len(records) / max(seconds, 1e-9):.1f} frames/s"
    )


def _range(counts):
    """The hit rate if no unsure frame were a hit, and if all were; nothing where there is none."""
    hits, unsure = counts.get(HIT, 0), counts.get(UNSURE, 0)
    n = hits + unsure + counts.get(MISS, 0)
    return f" ({hits / n:.1%} to {(hits + unsure) / n:.1%} with unsure)" if unsure else ""


def as_text(records, kind):
    """Records as ``json`` (a list) or ``csv``; of a file name what is no Unicode becomes a question
    mark.
    """
    rows = [{name: _plain(record.get(name)) for name in COLUMNS} for record in records]
    if kind == "json":
        return json.dumps(rows, indent=1, ensure_ascii=False)
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _plain(value):
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def check_target(path, suffixes):
    """Refuse a file to write that has another suffix, that cannot be written, or that the screener
    did not write.

    Parameters
    ----------
    path : Path
    suffixes : tuple of str

    Raises
    ------
    InputError
    """
    require(path.suffix in suffixes, f"Cannot write {path}: give a file {' or '.join(suffixes)}.")
    require(not path.is_dir(), f"Cannot write {path}: it is a folder, give a file in it.")
    ours = not path.exists() or (path.is_file() and _is_ours(path))
    require(
        ours, f"{path} is there and not by diffranet screen: it is left alone, give another name."
    )
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):  # raises what a write at the end would
            pass
    except OSError as error:
        raise InputError(
            f"Cannot write {path}: {error.strerror}. Choose a writable folder."
        ) from error


def _is_ours(path):
    """Whether a file is empty or starts as our tables and pages do."""
    with path.open("rb") as handle:
        head = handle.read(10_000)  # a path has up to 4,096
    if path.suffix == ".json":
        return (
            not head.split()
            or re.match(rb'\[\s*(\]|\{\s*"file":.*"verdict":)', head, re.DOTALL) is not None
        )
    return (
        not head
        or head.startswith(",".join(COLUMNS).encode())
        or f"<title>{TITLE}</title>".encode() in head
    )
