"""From a file of a detector to its images: finds the format by what the file holds, whatever its
name.

Each format is a module with ``detect(source)`` and ``read(source, index)``, and ``count(source)``
if a file may hold several images; gzip, bzip2 and xz are unpacked on the way. Sizes are checked
before anything is decoded, so a damaged header cannot ask for a terabyte.
"""

from functools import partial

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.frames import (
    cbf,
    edf,
    foreign,
    hdf5,
    imgcif,
    mar345,
    marccd,
    npy,
    pgm,
    png,
    smv,
    tiff,
)
from diffranet_utils.frames.shapes import MIN_EDGE
from diffranet_utils.frames.source import Source, one_line

FORMATS = (hdf5, imgcif, cbf, marccd, tiff, smv, edf, mar345, npy, png, pgm)
KNOWN = "CBF, HDF5 (NeXus, EIGER, CXI), SMV, EDF, MarCCD, mar345, TIFF, NumPy, PNG or PGM"
DAMAGED = "The file is damaged or truncated; copy it again."


class ImageFile:
    """The images of a file, open as long as they are read.

    Parameters
    ----------
    path : path-like
    layout : crystfel.CrystfelGeometry, optional
        Lays the modules of each image on a plane.

    Raises
    ------
    InputError
        One line, if the file is missing, not a regular file, empty, damaged, too large or of no
        known format.

    Examples
    --------
    >>> with ImageFile("a_master.h5") as images:
    ...     first = images.read(0)
    """

    def __init__(self, path, layout=None):
        self.name, self._layout = one_line(path), layout
        with self._refusing():
            self._source = Source(path)
            self._source.data_path = None if layout is None else layout.data
        try:
            with self._refusing():
                self._format = format_of(self._source)
                self._n = self._format.count(self._source) if hasattr(self._format, "count") else 1
        except BaseException:
            self.close()
            raise

    def __len__(self):
        return self._n

    @property
    def format_name(self):
        """Such as ``CBF``."""
        return self._format.NAME

    @property
    def n_missing(self):
        """Number of images that the file declares and does not hold."""
        return self._format.n_missing(self._source) if hasattr(self._format, "n_missing") else 0

    def read(self, index=0):
        """One image as `image.RawImage`; its counts are as stored, without a pass over them.

        Parameters
        ----------
        index : int

        Raises
        ------
        InputError
            One line, if it is not there or no image of a detector.
        """
        with self._refusing():
            plural = "images" if self._n != 1 else "image"
            require(
                0 <= index < max(self._n, 1),
                f"it holds {self._n} {plural}: there is no image {index}",
            )
            image = self._format.read(self._source, index)
            _check(image.counts)
            return image if self._layout is None else self._laid_out(image, index)

    def _laid_out(self, image, index):
        """An image with its modules where they lie, by what the geometry finds in the file."""
        if not hasattr(self._format, "number_at"):
            return self._layout.assembled(image)
        number, mask = (
            partial(find, self._source, index=index)
            for find in (self._format.number_at, self._format.mask_at)
        )
        return self._layout.assembled(image, number, mask)

    def is_complete(self):
        """Whether all images that the file declares are there."""
        return (
            self._format.is_complete(self._source) if hasattr(self._format, "is_complete") else True
        )

    def close(self):
        """Close the file and all that it links to."""
        if hasattr(self, "_source"):
            self._source.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _refusing(self):
        return _OneLine(self.name)


class _OneLine:
    """Makes one line that names the file of whatever a decoder raises on damaged bytes."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if error is None or not isinstance(error, Exception):
            return
        reason = one_line(error)
        if isinstance(error, InputError):
            said = reason if self.name in reason else f"Cannot read {self.name}: {reason}."
        else:
            said = f"Cannot read {self.name}: {reason[:120] or kind.__name__}. {DAMAGED}"
        raise InputError(said) from error


def format_of(source):
    """The module that reads a file.

    Parameters
    ----------
    source : source.Source

    Raises
    ------
    InputError
        If there is none; names the format where it is known.
    """
    for module in FORMATS:
        if module.detect(source):
            return module
    reason = foreign.explain(
        source.head, len(source.content()) if source.is_packed else source.size
    )
    raise InputError(reason or f"it is not an image of a known format: give {KNOWN}")


def _check(counts):
    shape = counts.shape
    require(len(shape) == 2, f"it holds an array of shape {shape}: give a greyscale image")
    require(counts.dtype.kind in "iuf", f"it holds values of type {counts.dtype}: give counts")
    small = (
        f"it is an image of {shape[0]} x {shape[1]} pixels: a frame has at least {MIN_EDGE} x "
        f"{MIN_EDGE}"
    )
    require(min(shape) >= MIN_EDGE, small)


def read_raw(path, index=0, layout=None):
    """Read one image of a file as it is stored.

    Parameters
    ----------
    path : path-like
    index : int
        Which image, in a file that holds several; `ImageFile` reads many at less cost.
    layout : crystfel.CrystfelGeometry, optional
        See `ImageFile`.

    Returns
    -------
    image.RawImage

    Raises
    ------
    InputError
        As for `ImageFile`.
    """
    with ImageFile(path, layout) as images:
        return images.read(index)


def load(path, index=0):
    """Counts, header and declared mask (or None) of one image; see `read_raw`."""
    image = read_raw(path, index)
    return image.counts, image.header, image.bad


def n_images(path):
    """Number of images whose data are in a file. Errors as for `ImageFile`."""
    with ImageFile(path) as images:
        return len(images)


def linked_files(path):
    """Data files that an HDF5 master names; see `hdf5.linked_files`."""
    return hdf5.linked_files(path)


def is_complete(path):
    """Whether a file can be read, with all images that it declares, also in the data files that it
    names.
    """
    try:
        with ImageFile(path) as images:
            return images.is_complete()
    except Exception:  # still being written
        return False
