"""Build the labelled data set in DiffraNet's folder layout, with workers, and go on after a stop."""

import csv
import os
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from diffranet_utils.crystals.bragg import wants_gpu
from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.files import atomic_path, read_json, sha256_of, write_bytes, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.core.journal import Journal
from diffranet_utils.studies.diffranet.labels import Label
from diffranet_utils.core.progress import progress
from diffranet_utils.records.provenance import origin
from diffranet_utils.studies.diffranet.shots import render_shot, sample_shot
from diffranet_utils.core.workers import completed

SPLITS = ("train", "validation", "test")
BATCH = 10  # images a worker makes before it reports back
GPU_VARIABLE = "DIFFRANET_GPU"


def batched(items, n):
    """Lists of `n` items, the last one perhaps shorter, made as they are asked for."""
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def images_of(preset):
    """All images of a preset, split by split.

    A name counts within its split, so that the first images of a larger preset are those of a smaller one.

    Yields
    ------
    tuple
        (number within the set, id, split, number within the split).
    """
    number = 0
    for split, n in preset.split_sizes.items():
        for k in range(n):
            yield number, f"{split}_{k:06d}", split, k
            number += 1


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


def build_dataset(root, preset, seed, workers=None, scheduler=None):
    """Make every missing image of a data set, then its manifest and card.

    Workers compute, this process writes: a cluster needs no folder in common.

    Parameters
    ----------
    root : path-like
        Folder; images go to ``synthetic/<split>/<class>/<id>.pgm``.
    preset : Preset
    seed : int
    workers : int, optional
        Processes; by default the preset's.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead.

    Returns
    -------
    dict
        The card: preset, seed, counts, seconds, versions.

    Raises
    ------
    DiffranetError
        If the folder cannot be written, or holds a data set of another seed, station or code, or the scheduler does
        not answer.
    """
    root, start = Path(root), perf_counter()
    identity = identity_of(preset, seed)
    _claim(root, identity)
    journal = open_journal(root, preset)
    n_missing = int((journal.place < 0).sum())
    missing = (image for image in images_of(preset) if image[0] not in journal)
    workers = workers or preset.n_workers
    with progress(total=n_missing, title="simulate") as bar:
        make = partial(_make_batch, preset, seed)
        for made in completed(make, batched(missing, BATCH), workers, scheduler):
            for path, content, _ in made:
                write_bytes(root / path, content)
            journal.append([row for _, _, row in made])
            bar.update(len(made))
    counts, sha256 = write_manifest(root, journal)
    card = identity | origin() | {"made": n_missing, "seconds": round(perf_counter() - start, 2), "counts": counts}
    card |= {"workers": scheduler or workers, "manifest_sha256": sha256, "shares": class_shares(counts)}
    write_json(root / "card.json", card)
    return card


def use_gpu(yes):
    """Let this process and its workers compute Bragg spots on the GPU, or keep them from it.

    Parameters
    ----------
    yes : bool

    Raises
    ------
    DiffranetError
        If torch sees none.
    """
    if yes:
        import torch

        if not torch.cuda.is_available():
            raise DiffranetError("No GPU here that torch can use: leave --gpu out.")
    os.environ[GPU_VARIABLE] = str(int(yes))


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


def class_shares(counts):
    """Share of each class in all splits together, from the counts of a card."""
    total = {label.title: sum(of_split[label.title] for of_split in counts.values()) for label in Label}
    return {name: round(n / sum(total.values()), 5) for name, n in total.items()}


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
        "gpu": wants_gpu(),
        "code": code_fingerprint(render_shot.__module__),
    }


def open_journal(root, preset, check_files=True):
    """Journal of a build, without images that have left the folder since; leftovers of a kill are deleted."""
    for orphan in root.glob("synthetic/*/*/.*.tmp"):
        orphan.unlink()
    sizes = preset.split_sizes
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))

    def number_of(row):
        k = int(row["id"].split("_")[1])
        return first[row["split"]] + k if k < sizes[row["split"]] else None  # a larger set may have been here

    journal = Journal(root / "journal.jsonl", number_of, sum(sizes.values()))
    if check_files and journal.size:
        for number, row in zip(np.flatnonzero(journal.place >= 0), journal.rows(), strict=True):
            if not (root / row["path"]).exists():
                journal.forget(number)
    return journal


def write_manifest(root, journal):
    """Write ``manifest.csv``, row by row in the order of the images.

    Returns
    -------
    counts : dict
        split -> class name -> images.
    sha256 : str
        Of the file.
    """
    counts = {}
    with atomic_path(root / "manifest.csv") as temporary, temporary.open("w", newline="") as table:
        writer = None
        for row in journal.rows():
            if writer is None:
                writer = csv.DictWriter(table, fieldnames=list(row))
                writer.writeheader()
            writer.writerow(row)
            of_split = counts.setdefault(row["split"], {label.title: 0 for label in Label})
            of_split[Label(row["label"]).title] += 1
    return counts, sha256_of(root / "manifest.csv")


def _claim(root, identity):
    """Write down whose folder this is, or refuse a folder of other images."""
    path = root / "identity.json"
    if not path.exists():
        write_json(path, identity)
    known = read_json(path)
    held, asked = known.get("preset"), identity["preset"]
    require(held == asked, f"{root} holds the data set of preset {held}, not {asked}: choose another folder.")
    same = all(known.get(key, False) == identity[key] for key in ("seed", "station", "code", "gpu"))
    require(same, f"{root} holds a data set of another seed, station or program version: choose an empty folder.")


def _make_batch(preset, seed, batch):
    return [make_file(preset, seed, name, split, number) for _, name, split, number in batch]


def make_file(preset, seed, name, split, number):
    """Render one image: its path below the root, its bytes and its row of the manifest."""
    shot = make_image(preset, seed, split, number)
    content = encode_pgm(shot.image)
    path = Path("synthetic") / split / str(int(shot.label)) / f"{name}.pgm"
    lists = {"rotation": "{:.9f}", "other_edges_um": "{:.6f}"}
    truth = shot.truth | {key: " ".join(form.format(x) for x in shot.truth[key]) for key, form in lists.items()}
    row = {"id": name, "split": split, "label": int(shot.label), "path": path.as_posix(), "sha256": sha256_of(content)}
    return path, content, row | truth | {"seed": f"{seed}/{SPLITS.index(split)}/{number}"}
