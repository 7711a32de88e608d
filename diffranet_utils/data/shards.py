"""A data set as a few hundred tar files instead of millions of images: the WebDataset layout.

Each image is a pair ``<id>.pgm``, ``<id>.json`` (its row of the manifest) in a tar file, so that
any WebDataset reader, and the ten lines below, stream it from a disk, an object store or a pipe.
"""

import io
import json
import tarfile
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.files import atomic_path
from diffranet_utils.core.ownership import owned
from diffranet_utils.core.progress import progress
from diffranet_utils.data.split import load_manifest


def write_shards(root, out, per_shard=1000):
    """Pack every split of a data set into tar files ``<split>-000000.tar``; the same set gives the
    same bytes.

    Parameters
    ----------
    root : path-like
        Data set with a manifest.
    out : path-like
        Folder of the shards.
    per_shard : int
        Images in one file.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If `per_shard` is below one.
    DiffranetError
        If an image is missing or the folder cannot be written.
    """
    require(per_shard >= 1, f"per_shard is {per_shard}: give at least one image.")
    with owned(out):
        return _write_shards(root, out, per_shard)


def _write_shards(root, out, per_shard):
    written = []
    for split, rows in load_manifest(root).groupby("split", sort=False):
        records = json.loads(rows.to_json(orient="records"))
        parts = [records[k : k + per_shard] for k in range(0, len(records), per_shard)]
        for number, part in enumerate(progress(parts, title=f"shards of {split}", unit="shard")):
            path = Path(out) / f"{split}-{number:06d}.tar"
            with (
                atomic_path(path) as temporary,
                tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar,
            ):
                for row in part:
                    _add(tar, f"{row['id']}.pgm", _content(Path(root) / row["path"]))
                    _add(tar, f"{row['id']}.json", json.dumps(row).encode())
            written.append(path)
    return written


def read_shards(paths):
    """Stream images from shards.

    Parameters
    ----------
    paths : iterable of path-like

    Yields
    ------
    image : ndarray, shape (n_slow, n_fast), uint8
    row : dict
        Of the manifest: id, label and the truth.

    Raises
    ------
    DiffranetError
        If a file is damaged.
    """
    import cv2

    for path in paths:
        try:
            with tarfile.open(path) as tar:
                image = None
                for member in tar:
                    content = tar.extractfile(member).read()
                    if member.name.endswith(".json"):
                        yield image, json.loads(content)
                    else:
                        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            raise DiffranetError(
                f"Cannot read the shard {path}: {error}. Write it again."
            ) from error


def _add(tar, name, content):
    """One file, without owner or date, which would differ from run to run."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _content(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise DiffranetError(
            f"Cannot read {path}: {error.strerror}. Run `diffranet dataset verify --repair`."
        ) from error
