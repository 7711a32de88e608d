"""What ``diffranet drops`` does: train on any form of labelled set, judge a folder of pictures."""

import base64
import csv
import html
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import atomic_path, write_bytes

from . import network as networks
from . import readers
from .crops import Shelf, brought_to
from .labels import CLASS_COLORS, CLASSES
from .predict import predict
from .presets import PRESETS
from .training import Trainer

THUMB_PX = 180  # height of a picture on the page of `report`
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Crystallisation drops</title>
<style>body {{ font-family: sans-serif; margin: 1em }}
main {{ display: flex; flex-wrap: wrap; gap: 8px }}
figure {{ margin: 0; border-top: 6px solid }}
figcaption {{ font-size: 80%; max-width: 240px; overflow-wrap: anywhere }}
</style><h1>Crystallisation drops</h1><p>{title}</p><main>
{figures}
</main></html>
"""


def read_labelled(source):
    """Read labelled pictures in whichever form they come.

    Parameters
    ----------
    source : path-like
        A CSV of labels, a folder with ``*tfrecord*`` shards, or one with class folders.

    Returns
    -------
    readers.DropSet

    Raises
    ------
    MissingDataError, InputError
        If there is nothing of use; see `readers`.
    """
    source = Path(source)
    if source.suffix.lower() == ".csv":
        return readers.read_label_table(source)
    shards = sorted(source.glob("*tfrecord*")) if source.is_dir() else []
    return readers.read_shards(shards) if shards else readers.read_class_folders(source)


def train(source, preset, seed, out):
    """Train a network and write its file.

    Parameters
    ----------
    source : path-like
        See `read_labelled`.
    preset : str
        Whose network and training.
    seed : int
    out : path-like
        Ends in ``.safetensors``.

    Returns
    -------
    list of str
        What to tell: the accuracy on the tenth that was kept back, and what was left out.

    Raises
    ------
    InputError
        If the preset is unknown or there are fewer than ten pictures.
    """
    require(preset in PRESETS, f"Unknown preset {preset!r}: choose one of {', '.join(PRESETS)}.")
    found, sizes = read_labelled(source), PRESETS[preset].network
    require(
        len(found.entries) >= 10, f"{source} has {len(found.entries)} pictures: give 10 or more."
    )
    order = np.random.default_rng(seed).permutation(len(found.entries))
    kept = [found.entries[k] for k in order]
    n = len(kept) // 10
    parts = [Shelf(tuple(part), sizes.framing.short_side) for part in (kept[n:], kept[:n])]
    made = networks.build_network(sizes.shape, torch.Generator().manual_seed(seed))
    trainer = Trainer(made, sizes.training, sizes.framing.crop, seed)
    history = trainer.fit(*parts)
    about = {"history": history, "settings": asdict(sizes.training), "n_train": len(kept) - n}
    networks.save_model(out, trainer.network, sizes.shape, sizes.framing, about)
    lost = [*found.left_out, *(item for part in parts for item in part.left_out.values())]
    score = history[-1]["validation_accuracy"]
    return [
        f"accuracy on {n} pictures kept back: {score:.1%}",
        readers.left_out_line(lost),
        f"The model is {out}",
    ]


def predict_folder(folder, model, out):
    """Judge every picture below a folder and write a table, likely crystals first.

    Parameters
    ----------
    folder, model, out : path-like

    Returns
    -------
    list of str
        What to tell.

    Raises
    ------
    MissingDataError
        If the folder has no picture or there is no model.
    """
    network, framing, _ = networks.load_model(model)
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in readers.SUFFIXES)
    if not paths:
        raise MissingDataError(f"No JPEG or PNG picture in {folder}: give a folder with some.")
    shelf = Shelf(tuple(readers.Entry(path, 0) for path in paths), framing.short_side)
    seen = predict(network, shelf, framing.crop, title="judge")
    order = np.argsort(-seen.probabilities[:, CLASSES.index("crystals")], kind="stable")
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["file", "class", *CLASSES])
        for k in order:
            name = paths[seen.numbers[k]].relative_to(folder).as_posix()
            rows.writerow(
                [name, CLASSES[seen.classes[k]], *(f"{p:.4f}" for p in seen.probabilities[k])]
            )
    return [
        readers.left_out_line(list(shelf.left_out.values())),
        f"{len(order)} pictures are in {out}",
    ]


def report(folder, table, out, n_pictures):
    """Write a page of pictures, likely crystals first, from the table that `predict_folder` wrote.

    Parameters
    ----------
    folder : path-like
        Of the pictures.
    table, out : path-like
        CSV that is read, HTML that is written; the page needs no other file.
    n_pictures : int
        Most pictures on the page.

    Returns
    -------
    list of str
        What to tell.

    Raises
    ------
    MissingDataError
        If there is no table.
    InputError
        If the table is of another kind.
    """
    rows = _predicted(Path(table))
    left_out, figures = [], []
    for row in rows[:n_pictures]:
        entry = readers.Entry(Path(folder) / row["file"], 0)
        for _, picture in readers.pictures([entry], left_out, 1):
            figures.append(_figure(row, brought_to(picture, THUMB_PX)))
    counts = ", ".join(f"{sum(row['class'] == name for row in rows)} {name}" for name in CLASSES)
    title = f"{len(rows)} pictures: {counts}. Likely crystals first; {len(figures)} are shown."
    page = PAGE.format(title=html.escape(title), figures="\n".join(figures))
    write_bytes(Path(out), page.encode("utf-8"))
    return [readers.left_out_line(left_out), title, f"The page is {out}"]


def _predicted(table):
    if not table.exists():
        raise MissingDataError(
            f"There is no table {table}: write it with `diffranet drops predict` first."
        )
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = bool(rows) and {"file", "class", *CLASSES} <= set(rows[0])
    require(known, f"{table} is no table of predictions: write it with `diffranet drops predict`.")
    return rows


def _figure(row, picture):
    coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    name, data = html.escape(row["file"]), base64.b64encode(coded).decode()
    words = f"{row['class']}, crystals {float(row['crystals']):.0%}"
    colour = CLASS_COLORS.get(row["class"], "#707070")
    return (
        f'<figure style="border-color:{colour}"><img alt="{name}" '
        f'src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{name}<br>{html.escape(words)}</figcaption></figure>"
    )
