"""What `diffranet screen` writes: lines, tables, a report with pictures; and how it follows a folder."""

import base64
import html
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from . import frames
from .errors import DiffranetError, MissingDataError
from .files import write_bytes
from .screening import HIT, MISS, UNREADABLE, UNSURE, expand, hit_rate
from .tables import format_entry

POLL_S = 0.5
PICTURES = 24  # of each verdict in a report
THUMBNAIL = 220  # pixels
STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:75rem;padding:0 1rem}
figure{display:inline-block;margin:.4rem;width:220px;vertical-align:top}
img{width:220px;height:220px;object-fit:contain;background:#000}
figcaption{font-size:.8rem;overflow-wrap:anywhere}"""


def line(record):
    """One line for people: verdict, class, probability, spots, resolution, seconds, file or reason."""
    if record["verdict"] == UNREADABLE:
        return f"{UNREADABLE:10s} {record['reason']}"
    chance = "" if record["probability"] is None else f"p={record['probability']:.2f}"
    reach = "" if record["resolution_A"] is None else f"{record['resolution_A']:.1f} A"
    facts = (
        f"{record['class'] or '':10s} {chance:6s} {record['n_spots']:5d} spots {reach:6s} {record['seconds']:6.2f} s"
    )
    return f"{record['verdict']:10s} {facts}  {record['file']}"


def summary(records, seconds):
    """Hit rate with its interval, numbers of all verdicts, and frames/s, in one line.

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
    return f"{said}; {numbers}; {len(records) / max(seconds, 1e-9):.1f} frames/s"


def as_text(records, kind):
    """Records as ``json`` (a list) or ``csv``."""
    table = pd.DataFrame(records)
    return table.to_json(orient="records", indent=1) if kind == "json" else table.to_csv(index=False)


def follow(folder, screen, idle_s=None):
    """Judge the frames of a folder and then each new one as it arrives, once it has stopped growing.

    Parameters
    ----------
    folder : path-like
    screen : callable
        ``screen(path)`` gives the records of a file.
    idle_s : float, optional
        Stop after so many seconds without a new frame; by default never.

    Yields
    ------
    dict

    Raises
    ------
    MissingDataError
        If there is no such folder.
    """
    if not Path(folder).is_dir():
        raise MissingDataError(f"No folder {folder} to watch: create it, or give another.")
    sizes, done, last = {}, set(), time.monotonic()
    while idle_s is None or time.monotonic() - last < idle_s:
        for path in expand(folder):
            size = path.stat().st_size if path.exists() else 0
            if path not in done and size and sizes.get(path) == size:
                done.add(path)
                sizes.pop(path)
                yield from screen(path)
                last = time.monotonic()
            elif path not in done:
                sizes[path] = size
        time.sleep(POLL_S)


def report(records, path, title="Screened frames"):
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
    write_bytes(Path(path), (head + "".join(parts)).encode())


def _figure(record):
    name, _, index = record["file"].partition("#")
    try:
        picture = _thumbnail(frames.read_frame(name, int(index or 0)))
    except DiffranetError:  # gone since it was judged
        picture = ""
    text = f"{Path(record['file']).name}: {record['n_spots']} spots"
    if record["probability"] is not None:
        text += f", p = {record['probability']:.2f}"
    image = f'<img alt="{html.escape(text)}" src="data:image/png;base64,{picture}">'
    return f"<figure>{image}<figcaption>{html.escape(text)}</figcaption></figure>"


def _thumbnail(frame):
    """The whole frame in a small PNG, base64: brightest pixel of each block, so that spots survive."""
    factor = max(1, -(-max(frame.data.shape) // THUMBNAIL))
    data = np.sqrt(np.maximum(frame.data, 0))
    data = data[: data.shape[0] // factor * factor, : data.shape[1] // factor * factor]
    small = data.reshape(data.shape[0] // factor, factor, -1, factor).max(axis=(1, 3))
    low, high = np.quantile(small, [0.02, 0.995])
    grey = np.clip(255 * (small - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    return base64.b64encode(cv2.imencode(".png", grey)[1]).decode()
