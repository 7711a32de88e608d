"""A labelled data set: made when it is missing or stale, read as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from diffranet_utils.core.cache import derived
from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import read_json, sha256_of
from diffranet_utils.core.ownership import owned
from diffranet_utils.data import class_folders
from diffranet_utils.data.build import SPLITS, identity_of, make_missing
from diffranet_utils.data.pgm import read_image


@dataclass(frozen=True)
class Split:
    """Images of one split with their labels, in the order of the manifest.

    Parameters
    ----------
    images : ndarray, shape (n, n_slow, n_fast), uint8
        Memory-mapped.
    labels : ndarray, shape (n,), int64
        Class folders.
    ids : list of str
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list


def ensure_dataset(root, recipe, seed, scheduler=None):
    """Build a data set if it is missing, and again if what makes it has changed.

    One that is finished is only read, so that it may lie where nothing can be written. Otherwise a
    process waits for another that is writing there.

    Parameters
    ----------
    root : Path
    recipe : build.Recipe
    seed : int
    scheduler : str, optional
        Address of a Dask scheduler whose workers make the images.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the folder holds images of another seed, which are not thrown away unasked.
    """
    root = Path(root)
    if _state(root, recipe, seed) == "finished":
        return root
    with owned(root, wait=True):
        state = _state(root, recipe, seed)  # another process may have finished it meanwhile
        if state == "stale":
            remove_dataset(root, recipe)
        if state != "finished":
            make_missing(root, recipe, seed, scheduler=scheduler)
    return root


def _state(root, recipe, seed):
    """Whether a folder's data set is "finished", "unfinished" or "stale"; InputError if it is
    another seed's.
    """
    card, identity = root / "card.json", identity_of(recipe, seed)
    known = read_json(root / "identity.json") if (root / "identity.json").exists() else identity
    there, wanted = known.get("seed"), identity["seed"]
    require(
        there == wanted,
        f"{root} holds images of seed {there}: give seed {wanted} another data folder.",
    )
    if any(known.get(key, False) != value for key, value in recipe.identity.items()):
        return "stale"
    is_whole = card.exists() and read_json(card)["split_sizes"] == identity["split_sizes"]
    return "finished" if is_whole else "unfinished"


def remove_dataset(root, recipe):
    """Delete what `build_dataset` wrote under `root`, and nothing else."""
    folders = (f"synthetic/*/{int(label)}/*{recipe.suffix}" for label in recipe.classes)
    for path in [
        *(path for folder in folders for path in Path(root).glob(folder)),
        *Path(root).glob("*.npy"),
    ]:
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
        raise MissingDataError(
            f"No data set in {root}: run `diffranet dataset --root {root}` first."
        )
    return pd.read_csv(path)


def load_split(root, split, kinds):
    """Images and labels of one split as arrays.

    The images are packed once into a ``.npy`` file and memory-mapped from then on. It lies beside
    the manifest, or in the cache folder (see `cache.cache_folder`) where that is read-only.

    Parameters
    ----------
    root : path-like
        Data set folder.
    split : str
        ``train``, ``validation`` or ``test``. Where there is no manifest, as in the published
        DiffraNet, the class folders are read; ``real_raw/test`` names real images there, see
        `class_folders.scan`.
    kinds : dict of str to type of IntEnum
        Classes of each kind of images that class folders may hold; see `class_folders.scan`.

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
    rows = _rows_of(Path(root), split, kinds)
    key = sha256_of("".join(rows.sha256).encode())[:16]
    packed = Path(root) / f"{split.replace('/', '-')}-{key}.npy"
    if not packed.exists():
        packed = derived(packed, [key.encode()], lambda path: _pack(Path(root), rows, path))
    return Split(np.load(packed, mmap_mode="r"), rows.label.to_numpy(np.int64), rows.id.tolist())


def _rows_of(root, split, kinds):
    """Rows of one split: from the manifest, or from class folders where there is none."""
    require(
        split in SPLITS or split.startswith("real_"),
        f"Unknown split {split!r}: choose one of {', '.join(SPLITS)}, or real_raw/test and the "
        "like.",
    )
    by_folder = split not in SPLITS or (
        not (root / "manifest.csv").exists() and (root / "synthetic").is_dir()
    )
    if by_folder:
        return class_folders.scan(root, split, kinds)
    manifest = load_manifest(root)
    return manifest[manifest.split == split]


def _pack(root, rows, packed):
    first = read_image(root / rows.path.iloc[0])
    array = np.lib.format.open_memmap(packed, "w+", np.uint8, (len(rows), *first.shape))
    for k, path in enumerate(rows.path):
        image = read_image(root / path)
        require(
            image.shape == first.shape,
            f"{root / path} is {image.shape}, others {first.shape}: rebuild it.",
        )
        array[k] = image
    array.flush()
