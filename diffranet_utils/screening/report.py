"""A page with the numbers and pictures of screened frames; it needs no network."""

import base64
import html
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.files import write_bytes
from diffranet_utils.frames import read as frames
from diffranet_utils.screening.output import TITLE, summary
from diffranet_utils.screening.screener import HIT, MISS, UNREADABLE, UNSURE

PICTURES = 24  # of each verdict in a report
THUMBNAIL = 220  # pixels
STYLE = """body{font:16px/1.5 system-ui,sans-serif}
body{margin:1.5rem auto;max-width:75rem;padding:0 1rem}
figure{display:inline-block;margin:.4rem;width:220px;vertical-align:top}
img{width:220px;height:220px;object-fit:contain;background:#000}
figcaption{font-size:.8rem;overflow-wrap:anywhere}"""


def write_report(records, path, title=TITLE):
    """Write a page with the numbers and a contact sheet of hits, misses and unsure frames; it needs
    no network.

    Parameters
    ----------
    records : list of dict
    path : path-like
        ``.html``.
    title : str
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(summary(records, sum(r['seconds'] for r in records)))}</p>"
    ]
    for verdict in (HIT, UNSURE, MISS):
        ours = [r for r in records if r["verdict"] == verdict]
        shown = (
            [ours[k] for k in np.unique(np.linspace(0, len(ours) - 1, PICTURES).astype(int))]
            if ours
            else []
        )
        parts.append(f"<h2>{verdict}: {len(ours)}</h2>" + "".join(map(_figure, shown)))
    broken = [r for r in records if r["verdict"] == UNREADABLE]
    rows = "".join(f"<li>{html.escape(r['reason'] or '')}</li>" for r in broken)
    parts.append(f"<h2>{UNREADABLE}: {len(broken)}</h2><ul>{rows}</ul>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8">\
<meta name="viewport" content="width=device-width">\
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
    return (
        (stem, int(index)) if stem and index.isdecimal() and not Path(name).exists() else (name, 0)
    )


def _thumbnail(frame):
    """The whole frame in a small PNG, base64: brightest pixel of each block, so that spots
    survive.
    """
    data = np.sqrt(np.maximum(frame.data, 0))
    factor = max(1, -(-max(data.shape) // THUMBNAIL))
    rows, columns = (min(factor, n) for n in data.shape)  # a narrow strip has less than a block
    data = data[: data.shape[0] // rows * rows, : data.shape[1] // columns * columns]
    small = data.reshape(data.shape[0] // rows, rows, -1, columns).max(axis=(1, 3))
    low, high = np.quantile(small, [0.02, 0.995])
    grey = np.clip(255 * (small - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    import cv2  # slow to load

    return base64.b64encode(cv2.imencode(".png", grey)[1]).decode()
