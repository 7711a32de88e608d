"""What lies in an HDF5 file: data sets that may hold images, masks, and files that links lead to,
there or not.

A damaged or hostile file may hold links in circles, links to pipes, or a billion declared images in
3 kB.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import require
from diffranet_utils.frames.stacks import looks_like_images

MAX_OBJECTS, MAX_LEVELS = 20_000, 16
MAX_DEPTH = 8  # virtual data sets that lead from file to file
MASK = re.compile(r"mask|bad_?pixel|dead_?pixel", re.IGNORECASE)
# Data sets of the size of an image that are none.
AUXILIARY = re.compile(
    r"mask|flat|gain|pedestal|dark|background|offset|efficien|error|variance|std|weight|bad_?pixel|dead_?pixel|"
    r"thumbnail|trim|geometry|coordinate|position|sensitivity|corner|histogram|peak|_id$|cellid|pulseid|^[xyz]$|^q$",
    re.IGNORECASE,
)  # fmt: skip


@dataclass
class Tree:
    """Data sets of a file, by path.

    Parameters
    ----------
    images, masks : dict of str to h5py.Dataset
    missing : list of str
        Files that external links and virtual data sets name and that are not there.
    """

    images: dict = field(default_factory=dict)
    masks: dict = field(default_factory=dict)
    missing: list = field(default_factory=list)


def walk(file):
    """Find all data sets of an open file (h5py.File), each once though links lead to it from many
    places.

    Returns
    -------
    Tree
    """
    tree, seen, queue, n = Tree(), set(), [(file, "", 0)], 0
    while queue:
        group, place, level = queue.pop(0)
        for key in group:
            n += 1
            require(
                n <= MAX_OBJECTS,
                f"it holds more than {MAX_OBJECTS} objects: name no such file, or split it",
            )
            item = follow(file, group, key, tree)
            if item is None or (address := _address(item)) in seen:
                continue
            seen.add(address)
            if hasattr(item, "ndim"):
                _sort_in(tree, f"{place}/{key}", item)
            elif level < MAX_LEVELS and hasattr(item, "keys"):
                queue.append((item, f"{place}/{key}", level + 1))
    return tree


def follow(file, group, key, tree=None):
    """What a key stands for, or None; a link to a pipe is not followed, for HDF5 would wait for
    ever.

    Parameters
    ----------
    file, group : h5py.File, h5py.Group
    key : str
    tree : Tree, optional
        Gets the name of a file that is not there.
    """
    name = getattr(group.get(key, getlink=True), "filename", None)
    if name is not None:
        target = beside(group.file, name)
        if not target.is_file():
            if tree is not None:
                tree.missing.append(str(name))
            return None
    try:
        return group.get(key)
    except (KeyError, OSError, RuntimeError, ValueError):
        return None


def beside(file, name):
    """The file that a name in an open HDF5 file means."""
    return Path(file.filename).parent / name


def _address(item):
    import h5py

    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def _sort_in(tree, path, item):
    name = path.rsplit("/", 1)[-1]
    if not looks_like_images(item):
        return
    if MASK.search(name):
        tree.masks[path] = item
    elif not AUXILIARY.search(name):
        tree.images[path] = item
        if item.is_virtual:
            tree.missing += missing_sources(item)


def missing_sources(stack, depth=0):
    """Files that a virtual data set (h5py.Dataset) names and that are not there, also through
    others.
    """
    missing = []
    for name in sorted({source.file_name for source in stack.virtual_sources()} - {"."}):
        path = beside(stack.file, name)
        if not path.exists():
            missing.append(name)
        else:
            require(
                path.is_file(), f"its virtual data set leads to {name}, which is no regular file"
            )
    return missing


def n_stored(stack, depth=0):
    """Number of images of a stack (h5py.Dataset), no more than its stored bytes allow; `depth` of
    virtual ones.
    """
    if stack.ndim < 3:
        declared, size = 1, 1
    else:
        declared, size = int(np.prod(stack.shape[:-2], dtype=np.float64).clip(max=2.0**62)), None
    if stack.is_virtual:
        return min(declared, _n_elsewhere(stack, depth))
    if stack.chunks:
        # A chunk may hold a part of an image, or many images.
        in_chunk, per_image = np.prod(stack.chunks[:-2], dtype=int), 1
        for n, c in zip(stack.shape[-2:], stack.chunks[-2:], strict=True):
            per_image *= -(-n // c)
        return min(
            declared,
            int(-(-stack.id.get_num_chunks() // per_image) * (in_chunk if size is None else 1)),
        )
    return declared if stack.id.get_storage_size() or stack.external else 0


def _n_elsewhere(stack, depth):
    """Number of images in the files that a virtual stack is put together from."""
    import h5py

    require(depth < MAX_DEPTH, "a virtual data set leads from file to file without end")
    n = 0
    for name, dataset in sorted(
        {(source.file_name, source.dset_name) for source in stack.virtual_sources()}
    ):
        path = Path(stack.file.filename) if name == "." else beside(stack.file, name)
        if path.is_file():  # HDF5 would wait for ever at a FIFO
            with h5py.File(path, "r") as file:
                found = file.get(dataset)
                n += (
                    n_stored(found, depth + 1)
                    if isinstance(found, h5py.Dataset) and found.ndim >= 2
                    else 0
                )
    return n
