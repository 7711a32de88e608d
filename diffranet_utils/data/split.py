"""The labelled data set: made when it is missing or stale, read as arrays."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from diffranet_utils.data import class_folders as published
from diffranet_utils.data.build import SPLITS, build_dataset, identity_of, make_image
from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.core.files import atomic_path, locked, read_json, sha256_of
from diffranet_utils.studies.diffranet.labels import CLASS_NAMES
from diffranet_utils.records.metrics import proportion
from diffranet_utils.records.provenance import plain_value

__all__ = [
    "SPLITS",
    "Split",
    "build_dataset",
    "ensure_dataset",
    "load_manifest",
    "load_split",
    "make_image",
    "read_image",
]


@dataclass(frozen=True)
class Split:
    """Images of one split with their labels, in the order of the manifest.

    Parameters
    ----------
    images : ndarray, shape (n, n_slow, n_fast), uint8
        Memory-mapped.
    labels : ndarray, shape (n,), int64
        Class folders, 1 to 5.
    ids : list of str
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list


def ensure_dataset(run):
    """Return the folder of the run's data set; build it if it is missing, and again if the simulator has changed.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the folder holds images of another seed, which are not thrown away unasked.
    """
    root, card = run.data_dir, run.data_dir / "card.json"
    identity = identity_of(run.preset, run.seed)
    with locked(root):
        known = read_json(root / "identity.json") if (root / "identity.json").exists() else identity
        there, wanted = known.get("seed"), identity["seed"]
        require(there == wanted, f"{root} holds images of seed {there}: give seed {wanted} another data folder.")
        if any(known.get(key, False) != identity[key] for key in ("code", "station", "gpu")):
            remove_dataset(root)
        elif card.exists() and read_json(card)["split_sizes"] == identity["split_sizes"]:
            return root
        build_dataset(root, run.preset, run.seed, scheduler=run.scheduler)
    return root


def remove_dataset(root):
    """Delete what `build_dataset` wrote under `root`, and nothing else."""
    for path in [*Path(root).glob("synthetic/*/[1-5]/*.pgm"), *Path(root).glob("*.npy")]:
        path.unlink()
    for name in ("journal.jsonl", "manifest.csv", "card.json", "identity.json"):
        (Path(root) / name).unlink(missing_ok=True)


def load_manifest(root):
    """Read ``manifest.csv``, sorted by split and id.

    Raises
    ------
    MissingDataError
        If there is no data set.
    """
    path = Path(root) / "manifest.csv"
    if not path.exists():
        raise MissingDataError(f"No data set in {root}: run `diffranet dataset --root {root}` first.")
    return pd.read_csv(path)


def load_split(root, split):
    """Images and labels of one split as arrays.

    The images are packed once into a ``.npy`` file beside the manifest and memory-mapped from then on.

    Parameters
    ----------
    root : path-like
        Data set folder.
    split : str
        ``train``, ``validation`` or ``test``. Where there is no manifest, as in the published DiffraNet, the class
        folders are read; ``real_raw/test`` names real images there, see `published.scan`.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If the split or a class folder is unknown.
    MissingDataError
        If there is no data set.
    DiffranetError
        If an image is missing or damaged.
    """
    rows = _rows_of(Path(root), split)
    key = sha256_of("".join(rows.sha256).encode())[:16]
    packed = Path(root) / f"{split.replace('/', '-')}-{key}.npy"
    if not packed.exists():
        _pack(Path(root), rows, packed)
    return Split(np.load(packed, mmap_mode="r"), rows.label.to_numpy(np.int64), rows.id.tolist())


def _rows_of(root, split):
    """Rows of one split: from the manifest, or from class folders where there is none."""
    require(
        split in SPLITS or split.startswith("real_"),
        f"Unknown split {split!r}: choose one of {', '.join(SPLITS)}, or real_raw/test and the like.",
    )
    by_folder = split not in SPLITS or (not (root / "manifest.csv").exists() and (root / "synthetic").is_dir())
    if by_folder:
        return published.scan(root, split)
    manifest = load_manifest(root)
    return manifest[manifest.split == split]


def read_image(path):
    """Read an 8-bit grey image, PGM or PNG.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray, shape (n_slow, n_fast), uint8

    Raises
    ------
    DiffranetError
        If the file is missing, truncated or not an 8-bit grey image.
    """
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if Path(path).is_file() else None
    if image is not None and image.ndim == 3 and (image[..., :1] == image[..., :3]).all():
        image = np.ascontiguousarray(image[..., 0])  # grey, written as if it had colours
    if image is None or image.ndim != 2 or image.dtype != np.uint8:
        raise DiffranetError(f"{path} is not a readable 8-bit grey image: rebuild or restore it.")
    return image


def dataset_step(run):
    """Heavy step of chapter 20: build the set, and measure the rate of simulation from scratch.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    root = ensure_dataset(run)
    card, manifest = read_json(root / "card.json"), load_manifest(root)
    for k in range(3):  # compile, and make the table of structure factors
        make_image(run.preset, run.seed, "validation", k)
    start, n = perf_counter(), 20
    for k in range(n):
        make_image(run.preset, run.seed, "train", k)
    values = {
        "images_per_second_per_core": plain_value(n / (perf_counter() - start), "image/s on one core"),
        "images": plain_value(len(manifest), "image"),
    }
    if card["made"] >= len(manifest):  # a resumed build timed only a part
        values["images_per_second"] = plain_value(
            len(manifest) / card["seconds"], f"image/s, {card['workers']} processes"
        )
    shares = np.bincount(manifest.label, minlength=6)[1:]
    values |= {f"share_{name}": proportion(k, len(manifest)) for name, k in zip(CLASS_NAMES, shares, strict=True)}
    return values, {"card": card}


def _pack(root, rows, packed):
    first = read_image(root / rows.path.iloc[0])
    with atomic_path(packed) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", np.uint8, (len(rows), *first.shape))
        for k, path in enumerate(rows.path):
            image = read_image(root / path)
            require(image.shape == first.shape, f"{root / path} is {image.shape}, others {first.shape}: rebuild it.")
            array[k] = image
        array.flush()
