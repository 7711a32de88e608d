"""Build a labelled data set in class folders, with workers, and go on after a stop."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.core.files import atomic_path, read_json, sha256_of, write_bytes, write_json
from diffranet_utils.core.journal import Journal
from diffranet_utils.core.ownership import owned
from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import completed
from diffranet_utils.records.provenance import origin

SPLITS = ("train", "validation", "test")
BATCH = 10  # images a worker makes before it reports back


@dataclass(frozen=True)
class Recipe:
    """What a data set consists of, and who makes its images.

    Parameters
    ----------
    preset : str
        Name of the preset that asks for it.
    split_sizes : dict of str to int
        Images per split, in the order in which they are made.
    classes : type of IntEnum
        The value of a class is the name of its folder.
    make : callable
        ``make(seed, split, number)`` gives an image's class, the bytes of its file and a dict of
        its truth, the same for the same arguments whoever calls it. It is sent to workers.
    identity : dict
        What decides the bytes beside the seed, such as the station and the fingerprint of the
        simulator.
    suffix : str
        Of the files.
    n_workers : int
        Processes that make images by default.
    """

    preset: str
    split_sizes: dict = field(hash=False)
    classes: type[IntEnum]
    make: Callable = field(hash=False)
    identity: dict = field(hash=False, default_factory=dict)
    suffix: str = ".pgm"
    n_workers: int = 2

    @property
    def size(self):
        """Images of all splits together."""
        return sum(self.split_sizes.values())


def batched(items, n):
    """Lists of `n` items, the last one perhaps shorter, made as they are asked for."""
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def images_of(recipe):
    """All images of a recipe, split by split.

    A name counts within its split, so that the first images of a larger set are those of a smaller
    one.

    Yields
    ------
    tuple
        (number within the set, id, split, number within the split).
    """
    number = 0
    for split, n in recipe.split_sizes.items():
        for k in range(n):
            yield number, f"{split}_{k:06d}", split, k
            number += 1


def image_number(image_id):
    """Number of an image within its split from its id, such as 12 of ``test_000012``."""
    return int(image_id.split("_")[1])


def build_dataset(root, recipe, seed, workers=None, scheduler=None, wait=False):
    """Make every missing image of a data set, then its manifest and card, as the folder's owner.

    Workers compute, this process writes: a cluster needs no folder in common.

    Parameters
    ----------
    root : path-like
        Folder; images go to ``synthetic/<split>/<class>/<id>.<suffix>``.
    recipe : Recipe
    seed : int
    workers : int, optional
        Processes; by default the recipe's.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead.
    wait : bool or float
        How long to wait for another process that writes there; see `ownership.owned`.

    Returns
    -------
    dict
        The card: preset, seed, counts, seconds, versions.

    Raises
    ------
    DiffranetError
        If the folder is in use or cannot be written, or holds a data set of another seed, station
        or code, or the scheduler does not answer.
    """
    _refuse_foreign(Path(root), identity_of(recipe, seed))  # before anything is written there
    with owned(root, wait):
        return make_missing(Path(root), recipe, seed, workers, scheduler)


def make_missing(root, recipe, seed, workers=None, scheduler=None):
    """What `build_dataset` does, for a process that owns the folder already."""
    start = perf_counter()
    identity = identity_of(recipe, seed)
    _claim(root, identity)
    journal = open_journal(root, recipe)
    n_missing = int((journal.place < 0).sum())
    missing = (image for image in images_of(recipe) if image[0] not in journal)
    workers = workers or recipe.n_workers
    with progress(total=n_missing, title="simulate") as bar:
        make = partial(_make_batch, recipe, seed)
        for made in completed(make, batched(missing, BATCH), workers, scheduler):
            for path, content, _ in made:
                write_bytes(root / path, content)
            journal.append([row for _, _, row in made])
            bar.update(len(made))
    counts, sha256 = write_manifest(root, journal, recipe.classes)
    card = (
        identity
        | origin()
        | {"made": n_missing, "seconds": round(perf_counter() - start, 2), "counts": counts}
    )
    card |= {
        "workers": scheduler or workers,
        "manifest_sha256": sha256,
        "shares": class_shares(counts, recipe.classes),
    }
    write_json(root / "card.json", card)
    return card


def class_shares(counts, classes):
    """Share of each class in all splits together, from the counts of a card."""
    total = {
        label.title: sum(of_split[label.title] for of_split in counts.values()) for label in classes
    }
    return {name: round(n / sum(total.values()), 5) for name, n in total.items()}


def identity_of(recipe, seed):
    """What decides the bytes of the images, and the sizes.

    Returns
    -------
    dict
    """
    return {
        "preset": recipe.preset,
        "seed": seed,
        "split_sizes": recipe.split_sizes,
        **recipe.identity,
    }


def open_journal(root, recipe, check_files=True):
    """Journal of a build, without images that have left the folder since; leftovers of a kill are
    deleted.
    """
    for orphan in root.glob("synthetic/*/*/.*.tmp"):
        orphan.unlink()
    sizes = recipe.split_sizes
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))

    def number_of(row):
        k = image_number(row["id"])
        # a larger set may have been here
        return first[row["split"]] + k if k < sizes[row["split"]] else None

    journal = Journal(root / "journal.jsonl", number_of, sum(sizes.values()))
    if check_files and journal.size:
        for number, row in zip(np.flatnonzero(journal.place >= 0), journal.rows(), strict=True):
            if not (root / row["path"]).exists():
                journal.forget(number)
    return journal


def write_manifest(root, journal, classes):
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
            of_split = counts.setdefault(row["split"], {label.title: 0 for label in classes})
            of_split[classes(row["label"]).title] += 1
    return counts, sha256_of(root / "manifest.csv")


def _claim(root, identity):
    """Write down whose folder this is, or refuse a folder of other images."""
    _refuse_foreign(root, identity)
    if not (root / "identity.json").exists():
        write_json(root / "identity.json", identity)


def _refuse_foreign(root, identity):
    if not (root / "identity.json").exists():
        return
    known = read_json(root / "identity.json")
    held, asked = known.get("preset"), identity["preset"]
    require(
        held == asked,
        f"{root} holds the data set of preset {held}, not {asked}: choose another folder.",
    )
    differing = [
        key for key in identity if key != "split_sizes" and known.get(key, False) != identity[key]
    ]
    changed = "program version" if differing == ["code"] else ", ".join(differing)
    require(not differing, f"{root} holds a data set of another {changed}: choose an empty folder.")


def _make_batch(recipe, seed, batch):
    return [make_file(recipe, seed, name, split, number) for _, name, split, number in batch]


def make_file(recipe, seed, name, split, number):
    """Make one image: its path below the root, its bytes and its row of the manifest."""
    label, content, truth = recipe.make(seed, split, number)
    path = Path("synthetic") / split / str(int(label)) / f"{name}{recipe.suffix}"
    row = {
        "id": name,
        "split": split,
        "label": int(label),
        "path": path.as_posix(),
        "sha256": sha256_of(content),
    }
    return path, content, row | truth | {"seed": f"{seed}/{SPLITS.index(split)}/{number}"}
