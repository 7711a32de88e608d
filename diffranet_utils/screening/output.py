"""What `diffranet screen` writes: lines, tables, a report with pictures; and how it follows a folder."""

import base64
import html
import re
import stat
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError, require
from diffranet_utils.core.files import write_bytes
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.frames import read as frames
from diffranet_utils.records.metrics import proportion
from diffranet_utils.records.tables import format_entry
from diffranet_utils.screening.screener import COLUMNS, HDF5, HIT, MISS, UNREADABLE, UNSURE, frames_in, master_of

POLL_S = 0.5
TITLE = "Screened frames"
PICTURES = 24  # of each verdict in a report
THUMBNAIL = 220  # pixels
STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:75rem;padding:0 1rem}
figure{display:inline-block;margin:.4rem;width:220px;vertical-align:top}
img{width:220px;height:220px;object-fit:contain;background:#000}
figcaption{font-size:.8rem;overflow-wrap:anywhere}"""


def line(record):
    """One line for people: verdict, class, probability, spots, resolution, seconds, file or reason."""
    if record["verdict"] == UNREADABLE:
        return f"{UNREADABLE:10s} {frame_formats.one_line(record['reason'])}"
    chance = "" if record["probability"] is None else f"p={record['probability']:.2f}"
    reach = "" if record["resolution_A"] is None else f"{record['resolution_A']:.1f} A"
    facts = (
        f"{record['class'] or '':10s} {chance:6s} {record['n_spots']:5d} spots {reach:6s} {record['seconds']:6.2f} s"
    )
    return f"{record['verdict']:10s} {facts}  {frame_formats.one_line(record['file'])}"


def hit_rate(records):
    """Share of hits among the frames judged hit or miss, as a record entry; None if there is none."""
    counts = Counter(record["verdict"] for record in records)
    n = counts[HIT] + counts[MISS]
    return proportion(counts[HIT], n) if n else None


def summary(records, seconds):
    """Hit rate with its interval, without *unsure* and as a range with it, numbers of all verdicts, and frames/s.

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
    rate, counts = hit_rate(records), pd.Series([r["verdict"] for r in records]).value_counts()
    numbers = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in (HIT, MISS, UNSURE, UNREADABLE))
    said = f"hit rate {format_entry(rate)}" if rate else "no frame judged"
    return f"{said}{_range(counts)}; {numbers}; {len(records) / max(seconds, 1e-9):.1f} frames/s"


def _range(counts):
    """The hit rate if no unsure frame were a hit, and if all were; nothing where there is none."""
    hits, unsure = counts.get(HIT, 0), counts.get(UNSURE, 0)
    n = hits + unsure + counts.get(MISS, 0)
    return f" ({hits / n:.1%} to {(hits + unsure) / n:.1%} with unsure)" if unsure else ""


def as_text(records, kind):
    """Records as ``json`` (a list) or ``csv``; of a file name what is no Unicode becomes a question mark."""
    table = pd.DataFrame(records, columns=COLUMNS)
    for name in ("file", "reason"):
        table[name] = [r[name] and r[name].encode(errors="replace").decode() for r in records]
    table["n_spots"] = table["n_spots"].astype("Int64")  # an empty cell would make them all floats
    return table.to_json(orient="records", indent=1) if kind == "json" else table.to_csv(index=False)


def check_target(path, suffixes):
    """Refuse a file to write that has another suffix, that cannot be written, or that the screener did not write.

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
    require(ours, f"{path} is there and not by diffranet screen: it is left alone, give another name.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):  # raises what a write at the end would
            pass
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}. Choose a writable folder.") from error


def _is_ours(path):
    """Whether a file is empty or starts as our tables and pages do."""
    with path.open("rb") as handle:
        head = handle.read(10_000)  # a path has up to 4,096
    if path.suffix == ".json":
        return not head.split() or re.match(rb'\[\s*(\]|\{\s*"file":.*"verdict":)', head, re.DOTALL) is not None
    return not head or head.startswith(",".join(COLUMNS).encode()) or f"<title>{TITLE}</title>".encode() in head


class Watch:
    """Follow a folder: judge its frames and then each new one as it arrives, once it has stopped growing.

    The master file of an EIGER is judged when the data files that it names are there and whole; they wait for it. What
    is no regular file is judged at once.

    Parameters
    ----------
    folder : path-like
    screen : callable
        ``screen(path)`` gives the records of a file.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    """

    def __init__(self, folder, screen):
        self.folder, self.screen = Path(folder), screen
        self.done, self.sizes, self.named = set(), {}, set()
        if not self.folder.is_dir():
            raise MissingDataError(f"No folder {folder} to watch: create it, or give another.")

    def records(self, idle_s=None):
        """Records as frames arrive, without end, or until `idle_s` seconds passed without a new frame.

        Raises
        ------
        MissingDataError
            If the folder goes away.
        """
        last = time.monotonic()
        while idle_s is None or time.monotonic() - last < idle_s:
            for path in self._ready():
                for record in self.screen(path):
                    self.done.add(path)
                    yield record
                last = time.monotonic()
            time.sleep(POLL_S)

    def waiting(self):
        """Frames that are there and were not judged: empty, still growing, or parts of an EIGER series without end."""
        there = frames_in(self.folder) if self.folder.is_dir() else []
        return [path for path in there if path not in self.done | self.named and master_of(path) not in self.done]

    def _ready(self):
        """What is whole since the last look."""
        if not self.folder.is_dir():
            raise MissingDataError(f"The folder {self.folder} is gone: what is known is kept.")
        new = [path for path in frames_in(self.folder) if path not in self.done]
        links = {path: frame_formats.linked_files(path) for path in new if path.suffix in HDF5}
        self.named |= {file for files in links.values() for file in files if not links.get(file)}
        calm = {path for path in self.named.union(new, *links.values()) if self._is_calm(path)}
        alone = [path for path in new if path in calm and path not in self.named and master_of(path) is None]
        return [path for path in alone if not links.get(path) or _is_whole(path, links[path], calm)]

    def _is_calm(self, path):
        """Whether a file has kept its size, not zero, since the last look; what is no file cannot grow."""
        try:
            status = path.stat()
        except OSError:  # gone again, or a link to nothing
            return False
        if not stat.S_ISREG(status.st_mode):
            return True
        before, self.sizes[path] = self.sizes.get(path), status.st_size
        return status.st_size == before > 0


def _is_whole(master, files, calm):
    """Whether the data files that a master names are there, calm and complete."""
    return calm.issuperset(files) and frame_formats.is_complete(master)


def report(records, path, title=TITLE):
    """Write a page with the numbers and a contact sheet of hits, misses and unsure frames; it needs no network.

    Parameters
    ----------
    records : list of dict
    path : path-like
        ``.html``.
    title : str
    """
    parts = [f"<h1>{html.escape(title)}</h1><p>{html.escape(summary(records, sum(r['seconds'] for r in records)))}</p>"]
    for verdict in (HIT, UNSURE, MISS):
        ours = [r for r in records if r["verdict"] == verdict]
        shown = [ours[k] for k in np.unique(np.linspace(0, len(ours) - 1, PICTURES).astype(int))] if ours else []
        parts.append(f"<h2>{verdict}: {len(ours)}</h2>" + "".join(map(_figure, shown)))
    broken = [r for r in records if r["verdict"] == UNREADABLE]
    rows = "".join(f"<li>{html.escape(r['reason'] or '')}</li>" for r in broken)
    parts.append(f"<h2>{UNREADABLE}: {len(broken)}</h2><ul>{rows}</ul>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<title>{html.escape(title)}</title><style>{STYLE}</style>'
    write_bytes(Path(path), (head + "".join(parts)).encode(errors="replace"))


def _figure(record):
    try:
        picture = _thumbnail(frames.read_frame(*_file_and_index(record["file"])))
    except DiffranetError:  # gone since it was judged
        picture = ""
    text = f"{Path(record['file']).name}: {record['n_spots']} spots"
    if record["probability"] is not None:
        text += f", p = {record['probability']:.2f}"
    image = f'<img alt="{html.escape(text)}" src="data:image/png;base64,{picture}">'
    return f"<figure>{image}<figcaption>{html.escape(text)}</figcaption></figure>"


def _file_and_index(name):
    """File and number of the image in it; a file name may hold a # itself."""
    stem, _, index = name.rpartition("#")
    return (stem, int(index)) if stem and index.isdecimal() and not Path(name).exists() else (name, 0)


def _thumbnail(frame):
    """The whole frame in a small PNG, base64: brightest pixel of each block, so that spots survive."""
    data = np.sqrt(np.maximum(frame.data, 0))
    factor = max(1, -(-max(data.shape) // THUMBNAIL))
    rows, columns = (min(factor, n) for n in data.shape)  # a narrow strip has less than a block
    data = data[: data.shape[0] // rows * rows, : data.shape[1] // columns * columns]
    small = data.reshape(data.shape[0] // rows, rows, -1, columns).max(axis=(1, 3))
    low, high = np.quantile(small, [0.02, 0.995])
    grey = np.clip(255 * (small - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    return base64.b64encode(cv2.imencode(".png", grey)[1]).decode()
