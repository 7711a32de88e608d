"""Build the labelled data set in DiffraNet's folder layout, with workers, and go on after a stop."""

import csv
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from .errors import DiffranetError, require
from .files import atomic_path, read_json, sha256_of, write_bytes, write_json
from .labels import Label
from .progress import progress
from .provenance import code_fingerprint, origin
from .shots import render_shot, sample_shot

SPLITS = ("train", "validation", "test")
SIMULATOR = (
    "geometry", "cells", "structure_factors", "crystal", "sources", "bragg", "reflections", "ice", "background",
    "detector", "shadows", "experiment", "stations", "shots", "labelling", "labels",
)  # fmt: skip
BATCH = 10  # images a worker makes before it reports back


def image_ids(preset):
    """Names of all images of a preset, split by split.

    A name counts within its split, so that the first images of a larger preset are those of a smaller one.

    Returns
    -------
    list of tuple
        (id, split, number within the split).
    """
    return [(f"{split}_{k:06d}", split, k) for split, n in preset.split_sizes.items() for k in range(n)]


def make_image(preset, seed, split, number):
    """Draw and render one image of the set from its own seed.

    Parameters
    ----------
    preset : Preset
    seed : int
        Of the data set.
    split : str
    number : int
        Within the split.

    Returns
    -------
    ShotImage
    """
    # One stream per (data set, split, number): bytes do not depend on order or on who makes them.
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    return render_shot(sample_shot(rng, preset), preset)


def build_dataset(root, preset, seed, workers=None):
    """Make every missing image of a data set, then its manifest and card.

    Parameters
    ----------
    root : path-like
        Folder; images go to ``synthetic/<split>/<class>/<id>.pgm``.
    preset : Preset
    seed : int
    workers : int, optional
        Processes; by default the preset's.

    Returns
    -------
    dict
        The card: preset, seed, counts, seconds, versions.

    Raises
    ------
    DiffranetError
        If the folder cannot be written, or holds a data set of another seed, station or code.
    """
    root, start = Path(root), perf_counter()
    identity = identity_of(preset, seed)
    _claim(root, identity)
    rows = _journal(root)
    todo = [entry for entry in image_ids(preset) if entry[0] not in rows]
    with progress(total=len(todo), title="simulate") as bar:
        for new in _in_workers(root, preset, seed, todo, workers or preset.n_workers):
            _append(root, new)
            rows.update({row["id"]: row for row in new})
            bar.update(len(new))
    ordered = [rows[name] for name, _, _ in image_ids(preset)]
    _write_manifest(root, ordered)
    made = {"made": len(todo), "seconds": round(perf_counter() - start, 2)}
    card = identity | origin() | made | {"counts": class_counts(ordered)}
    write_json(root / "card.json", card)
    return card


def encode_pgm(image):
    """Binary Portable Greymap of an 8-bit image, the paper's format.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast), uint8

    Returns
    -------
    bytes
    """
    return b"P5\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + np.ascontiguousarray(image).tobytes()


def class_counts(rows):
    """Images per split and class.

    Parameters
    ----------
    rows : iterable of dict
        With keys ``split`` and ``label``.

    Returns
    -------
    dict
        split -> class name -> count.
    """
    counts = {}
    for row in rows:
        of_split = counts.setdefault(row["split"], {label.title: 0 for label in Label})
        of_split[Label(row["label"]).title] += 1
    return counts


def identity_of(preset, seed):
    """What decides the bytes of the images: seed, station and simulator code; and the sizes.

    Returns
    -------
    dict
    """
    return {
        "preset": preset.name,
        "seed": seed,
        "station": preset.station.name,
        "split_sizes": preset.split_sizes,
        "workers": preset.n_workers,
        "code": code_fingerprint(*SIMULATOR),
    }


def _claim(root, identity):
    """Write down whose folder this is, or refuse a folder of other images."""
    path = root / "identity.json"
    if not path.exists():
        write_json(path, identity)
    known = read_json(path)
    same = all(known[key] == identity[key] for key in ("seed", "station", "code"))
    require(same, f"{root} holds a data set of another seed, station or program version: choose an empty folder.")


def _journal(root):
    """Rows of the images already made; a line cut short by a kill is dropped, and its image made again."""
    path, rows = root / "journal.jsonl", {}
    for orphan in root.glob("synthetic/*/*/.*.tmp"):
        orphan.unlink()
    if not path.exists():
        return rows
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    write_bytes(path, "".join(whole).encode())
    for row in map(json.loads, whole):
        if (root / row["path"]).exists():
            rows[row["id"]] = row
    return rows


def _append(root, rows):
    try:
        with (root / "journal.jsonl").open("a") as journal:
            journal.write("".join(json.dumps(row) + "\n" for row in rows))
    except OSError as error:
        raise DiffranetError(
            f"Cannot write {root}/journal.jsonl: {error.strerror}. Free some space and resume."
        ) from error


def _in_workers(root, preset, seed, todo, workers):
    """Yield lists of finished rows, in whatever order they come."""
    batches = [todo[k : k + BATCH] for k in range(0, len(todo), BATCH)]
    if workers == 1 or len(batches) < 2:
        yield from (_make_batch(root, preset, seed, batch) for batch in batches)
        return
    # Spawned, not forked: a notebook's process has threads that do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_make_batch, root, preset, seed, batch) for batch in batches]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(cancel_futures=True)


def _make_batch(root, preset, seed, batch):
    return [_make_file(root, preset, seed, *entry) for entry in batch]


def _make_file(root, preset, seed, name, split, number):
    shot = make_image(preset, seed, split, number)
    content = encode_pgm(shot.image)
    path = Path("synthetic") / split / str(int(shot.label)) / f"{name}.pgm"
    write_bytes(root / path, content)
    lists = {"rotation": "{:.9f}", "other_edges_um": "{:.6f}"}
    truth = shot.truth | {key: " ".join(form.format(x) for x in shot.truth[key]) for key, form in lists.items()}
    row = {"id": name, "split": split, "label": int(shot.label), "path": path.as_posix(), "sha256": sha256_of(content)}
    return row | truth | {"seed": f"{seed}/{SPLITS.index(split)}/{number}"}


def _write_manifest(root, rows):
    with atomic_path(root / "manifest.csv") as temporary, temporary.open("w", newline="") as table:
        writer = csv.DictWriter(table, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
