"""HDF5 of NeXus, EIGER, CXI, psana and stations' own making: images wherever they lie, with the
masks declared beside.

Which data set holds the images is decided in this order: what NeXus' ``default`` and ``signal``
name, the data of an EIGER's master, CXI, a data set called data or like it, any array of images;
several of one name are one series.
"""

import bisect
import errno
import itertools
import math
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import hdf5_tree, nexus
from diffranet_utils.frames.image import RawImage
from diffranet_utils.frames.shapes import require_shape
from diffranet_utils.frames.stacks import Stack

NAME = "HDF5"
MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_CHUNK_BYTES = 500_000_000
OWN_FILTERS = 256  # HDF5's own have smaller numbers
MAX_MASKS = 8
RANKS = (
    re.compile(r"/entry[^/]*/data/data_\d+$"),
    re.compile(r"/entry_\d+/(instrument_\d+/detector_\d+|data_\d+|image_\d+)/data$"),
    re.compile(
        r"/(data|frames?|images?|calib|raw|adc|photons|intensit\w+|array_data|img)$", re.IGNORECASE
    ),
    re.compile(r"/(data|frames?|images?)[^/]*$", re.IGNORECASE),
)


def detect(source):
    """Whether a file holds the mark of HDF5, at its start or after a block of the user's.

    Parameters
    ----------
    source : source.Source
    """
    return any(source.head[k : k + 8] == MAGIC for k in (0, 512, 1024, 2048, 4096, 8192))


def count(source):
    """Number of images whose data are there: a header of 3 kB can declare a billion.

    Parameters
    ----------
    source : source.Source
    """
    return len(series(source))


def n_missing(source):
    """Number of images that a file declares and that are not there.

    Parameters
    ----------
    source : source.Source
    """
    return max(series(source).n_declared - len(series(source)), 0)


def read(source, index=0):
    """One image of a file.

    Parameters
    ----------
    source : source.Source
    index : int

    Returns
    -------
    RawImage

    Raises
    ------
    InputError
        If the image is not there, or is none of a detector.
    """
    found = series(source)
    return RawImage(found.image(index), found.header, found.bad(index), found.notes)


def series(source):
    """The images of a file as a `Series`, open until the source is closed.

    Parameters
    ----------
    source : source.Source

    Raises
    ------
    InputError
        If it holds none, or is locked.
    """
    return source.keep("hdf5", lambda: Series(open_file(source), source.data_path))


def number_at(source, place, index=0):
    """The number at a path in a file; of one per image, that of an image; None without.

    Parameters
    ----------
    source : source.Source
    place : str
    index : int
    """
    return nexus.number(series(source).file.get(place), index)


def mask_at(source, place, index=0):
    """The mask at a path in a file, as stored; of one per image, that of an image; None without.

    Parameters
    ----------
    source : source.Source
    place : str
    index : int
    """
    found = series(source)
    mask = None if "%" in place else found.file.get(place)
    if mask is None or not hasattr(mask, "ndim") or mask.dtype.kind not in "iub":
        return None
    size = _size(found.stacks[0])
    if mask.size == size:
        return mask[()]
    fits = mask.ndim > 2 and mask.size == size * mask.shape[0] and index < mask.shape[0]
    require(fits, f"its mask {place} of shape {mask.shape} does not fit its images")
    return mask[index]


def open_file(source):
    """The file as h5py opens it, also while it is written in single-writer mode.

    Parameters
    ----------
    source : source.Source
    """
    import h5py

    where = source.stream() if source.is_packed else source.path
    try:
        return source.enter(h5py.File(where, "r"))
    except OSError as error:
        if _is_locked(error):
            raise InputError(
                "another program is writing it: wait until it is closed, or use --watch"
            ) from error
        with suppress(OSError):
            return source.enter(h5py.File(where, "r", swmr=True))
        if "truncated" in str(error):
            raise InputError(
                "it is truncated or still being copied: wait, or copy it again"
            ) from error
        raise


def _is_locked(error):
    return error.errno in (errno.EAGAIN, errno.EACCES) or "unable to lock" in str(error)


class Series:
    """Images of one file in order, through all its data sets.

    Parameters
    ----------
    file : h5py.File
    wanted : str, optional
        Path of the data set that a geometry names; another is used where it is not there.
    """

    def __init__(self, file, wanted=None):
        self.file, self.tree = file, hdf5_tree.walk(file)
        images = self.tree.images
        chosen = {wanted: images[wanted]} if wanted in images else choose(file, images)
        require(chosen, self._nothing())
        self.paths = list(chosen)
        self.stacks = [Stack(data, hdf5_tree.n_stored(data)) for data in chosen.values()]
        self.ends = list(itertools.accumulate(len(stack) for stack in self.stacks))
        self.n_declared = max(
            sum(math.prod(stack.outer) for stack in self.stacks), self._announced()
        )
        self.masks, notes = self._fitting()
        self.notes = self.stacks[0].notes + notes + self._left_out()
        self.header, self._bad = nexus.header_of(file, self.paths[0]), None
        for stack in self.stacks:
            _check_filters(stack.array)

    def __len__(self):
        return self.ends[-1]

    def image(self, index):
        """Counts of an image, shape (n_slow, n_fast)."""
        if not len(self):
            require(not self.tree.missing, self._nothing())
            raise InputError("it holds no image: the file is not complete, copy it again")
        stack, index = self.find(index)
        return stack.image(index)

    def find(self, index):
        """The `Stack` that holds an image, and its number in it, once the image is known to be
        there.
        """
        number = bisect.bisect_right(self.ends, index)
        require(0 <= index < len(self), f"it holds {len(self)} images: there is no image {index}")
        stack = self.stacks[number]
        index -= self.ends[number] - len(stack)
        require_shape(stack.shape)
        require_stored(stack, index)
        return stack, index

    def bad(self, index):
        """Pixels that the masks of the file declare bad, shape (n_slow, n_fast), bool, or None."""
        if not any(self._varies(mask) for mask in self.masks.values()):
            if self._bad is None and self.masks:
                self._bad = self._joined(0)
            return self._bad
        return self._joined(index)

    def _joined(self, index):
        shape = self.stacks[0].shape
        layers = []
        for path, mask in self.masks.items():
            values = mask[index] if self._varies(mask) else mask[()]
            layers.append(nexus.mask_bits(np.asarray(values).reshape(shape), path))
        return np.logical_or.reduce(layers)

    def _varies(self, mask):
        """Whether a mask has a layer for each image."""
        return (
            mask.ndim == 3
            and mask.shape[0] == self.n_declared_in_first > 1
            and mask.size != _size(self.stacks[0])
        )

    @property
    def n_declared_in_first(self):
        """Number of images that the first data set declares."""
        return math.prod(self.stacks[0].outer)

    def _fitting(self):
        """Masks that fit the images, those nearest to the data first, and a note where none of them
        does.
        """
        stack = self.stacks[0]
        group = self.paths[0].rsplit("/", 1)[0]
        order = sorted(self.tree.masks.items(), key=lambda item: not item[0].startswith(group))
        fits = {
            p: m
            for p, m in order
            if m.size == _size(stack) and m.shape[-2:] == stack.array.shape[-2:]
        }
        fits |= {
            p: m for p, m in order if m.shape[-2:] == stack.array.shape[-2:] and self._varies(m)
        }
        require(len(fits) <= MAX_MASKS, f"it holds {len(fits)} masks: keep one")
        if fits or not order:
            return fits, ()
        path, mask = order[0]
        return {}, (
            f"its mask {path} of shape {mask.shape} does not fit images of {stack.shape}: it is "
            "not used",
        )

    def _left_out(self):
        """A note on arrays of images that are not read beside those that are."""
        others = [path for path in self.tree.images if path not in self.paths]
        return (
            (f"{len(others)} other arrays in it are not read, such as {others[0]}",)
            if others
            else ()
        )

    def _announced(self):
        """Number of images that an EIGER was told to take."""
        detector = (
            "/" + self.paths[0].strip("/").split("/")[0] + "/instrument/detector/detectorSpecific/"
        )
        numbers = []
        for name in ("nimages", "ntrigger"):
            item = self.file.get(detector + name)
            numbers.append(
                int(item[()])
                if item is not None and item.shape == () and item.dtype.kind in "iu"
                else 1
            )
        return math.prod(numbers) if 0 < math.prod(numbers) < 10**7 else 0

    def _nothing(self):
        names = sorted(set(self.tree.missing))
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return (
                f"its images lie in {names[0]}{more}, which is missing: keep the data files "
                "beside it"
            )
        return (
            "it is HDF5 with no array of images: give a file that holds an array (y, x) or (n, y, "
            "x)"
        )


def _size(stack):
    return math.prod(stack.shape)


def choose(file, images):
    """Data sets of the file's series, in order, from path to h5py.Dataset.

    Parameters
    ----------
    file : h5py.File
    images : dict of str to h5py.Dataset
        All that may hold images.
    """
    if not images:
        return {}
    signal = _signal(file)
    rank, first = min(
        ((_rank(path, signal), path) for path in images), key=lambda found: (found[0], found[1])
    )
    shape = Stack(images[first]).shape
    # Data files of a series and scans of a file differ in numbers only.
    pattern = re.sub(r"\d+", "#", first)
    same = [
        p for p in images if re.sub(r"\d+", "#", p) == pattern and Stack(images[p]).shape == shape
    ]
    return (
        {path: images[path] for path in sorted(same, key=_natural)}
        if rank
        else {first: images[first]}
    )


def _rank(path, signal):
    if path == signal:
        return 0
    return 1 + next((k for k, pattern in enumerate(RANKS) if pattern.search(path)), len(RANKS))


def _natural(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def _signal(file):
    """Path of the data that NeXus' attributes ``default`` and ``signal`` lead to, or an empty
    one.
    """
    group = file
    for _ in range(4):
        name = group.attrs.get("default")
        if not isinstance(name, str | bytes) or not hasattr(group.get(_text(name)), "keys"):
            break
        group = group[_text(name)]
    name = group.attrs.get("signal")
    return f"{group.name}/{_text(name)}" if isinstance(name, str | bytes) else ""


def _text(name):
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _check_filters(dataset):
    """Load the plugin of a compression that HDF5 lacks; refuse pixels that are kept outside
    HDF5.
    """
    require(
        not dataset.external, "it keeps its pixels in raw files beside it: repack it with h5repack"
    )
    if dataset.is_virtual:
        needed = True
    else:
        plist = dataset.id.get_create_plist()
        needed = any(plist.get_filter(k)[0] >= OWN_FILTERS for k in range(plist.get_nfilters()))
    if needed:
        with suppress(ImportError):
            import hdf5plugin  # noqa: F401  registers the compression of the EIGER


def require_stored(stack, index):
    """Refuse an image that HDF5 would invent from zeros, and a chunk that would unpack to all
    memory.

    Parameters
    ----------
    stack : stacks.Stack
        Of an h5py.Dataset.
    index : int

    Raises
    ------
    InputError
    """
    data = stack.array
    if data.chunks is None or data.is_virtual:
        return
    fine = math.prod(data.chunks) * data.dtype.itemsize <= MAX_CHUNK_BYTES
    require(
        fine,
        f"it is in chunks of more than {MAX_CHUNK_BYTES // 10**6} MB: repack it image by image",
    )
    place = [int(k) for k in np.unravel_index(index, stack.outer)] if stack.outer else []
    if stack.module_axis is not None:
        place.insert(stack.module_axis, 0)
    chunk = tuple(k // c * c for k, c in zip((*place, 0, 0), data.chunks, strict=True))
    there = data.id.get_chunk_info_by_coord(chunk).byte_offset is not None
    require(there, f"it declares image {index} and holds no data of it: copy it again")


def linked_files(path):
    """Data files that the master file of an EIGER names, as a list of Path; empty for any other
    file.
    """
    import h5py

    if not Path(path).is_file():  # HDF5 would wait for ever at a FIFO
        return []
    try:
        with h5py.File(path, "r") as file:
            group = file["entry/data"]
            links = [group.get(key, getlink=True) for key in group]
            return [
                Path(path).parent / link.filename
                for link in links
                if isinstance(link, h5py.ExternalLink)
            ]
    except Exception:  # no HDF5, damaged, or without such a group: it names nothing
        return []


def is_complete(source):
    """Whether all images that a file declares are there, also in the data files that it names.

    Parameters
    ----------
    source : source.Source
    """
    found = series(source)
    return len(found) > 0 and not found.tree.missing and n_missing(source) == 0
