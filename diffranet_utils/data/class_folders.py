"""Read the published DiffraNet, or any folder laid out like it: class folders of images, no
manifest.
"""

from pathlib import Path

import pandas as pd

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import sha256_of

SUFFIXES = (".png", ".pgm")


def scan(root, split, kinds):
    """List the images of one split with their labels.

    Parameters
    ----------
    root : path-like
        Folder that holds ``synthetic``, ``real_raw`` or ``real_preprocessed``.
    split : str
        ``train``, ``validation`` or ``test`` of the synthetic images, or a path such as
        ``real_raw/test``.
    kinds : dict of str to type of IntEnum
        Classes of each kind of images: ``synthetic``, ``real_raw`` and the like.

    Returns
    -------
    DataFrame
        ``id`` (file name without its ending), ``label``, ``path`` (relative to `root`) and
        ``sha256`` (of name, size and time of change, which tells a changed folder without reading
        it), by class and name.

    Raises
    ------
    MissingDataError
        If the folder is missing or holds no class folder or no image.
    InputError
        If a folder in it is no class.
    """
    kind, _, name = split.rpartition("/")
    kind = kind or "synthetic"
    known = ", ".join(kinds)
    require(kind in kinds, f"Unknown kind of images {kind!r}: choose one of {known}.")
    folder = Path(root) / kind / name
    if not folder.is_dir():
        raise MissingDataError(
            f"No folder {folder}: a DiffraNet has {kind}/{name} with one folder per class."
        )
    rows = [
        row
        for label in _class_folders(folder, kinds[kind])
        for row in _images(Path(root), folder, label)
    ]
    if not rows:
        raise MissingDataError(
            f"No PNG or PGM image in the class folders of {folder}: unpack the archive again."
        )
    return pd.DataFrame(rows, columns=["id", "label", "path", "sha256"])


def _class_folders(folder, classes):
    """Labels of the class folders that are there."""
    found = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    names = {str(int(label)): int(label) for label in classes}
    strange = [name for name in found if name not in names]
    meaning = ", ".join(f"{int(label)} ({label.title})" for label in classes)
    require(
        not strange,
        f"{folder}/{strange[0] if strange else ''} is no class folder: expected {meaning}.",
    )
    return [names[name] for name in found]


def _images(root, folder, label):
    for path in sorted((folder / str(label)).iterdir()):
        if path.suffix.lower() in SUFFIXES:
            facts = path.stat()
            stamp = sha256_of(f"{path.name} {facts.st_size} {facts.st_mtime_ns}".encode())
            yield path.stem, label, path.relative_to(root).as_posix(), stamp
