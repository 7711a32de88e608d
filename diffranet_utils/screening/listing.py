"""Which files to judge: from names, patterns, folders and lists to every frame's file once, in
order.
"""

import glob
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.frames import formats as frame_formats

SUFFIXES = (".cbf", ".img", ".smv", ".edf", ".mccd", ".tif", ".tiff", ".h5", ".hdf5", ".nxs",
    ".cxi", ".npy", ".png",
            ".pgm", ".mar1200", ".mar1600", ".mar1800", ".mar2300", ".mar2400", ".mar3000",
            ".mar3450")  # fmt: skip
PACKED = (".gz", ".bz2", ".xz")
HDF5 = (".h5", ".hdf5", ".nxs", ".cxi")
LISTS = (".lst", ".list")
DATA_OF_EIGER = re.compile(r"(.+)_data_\d+(\.\w+)")
EVENT = re.compile(r"\s+\S*//\S*$")  # CrystFEL's way to name an image of a file
MAX_LIST_BYTES = 100_000_000


@dataclass
class Listing:
    """Files to judge.

    Parameters
    ----------
    files : list of Path
        Each once, however it was named.
    unknown : Counter
        Of the files in folders that are not called like a frame: how many end in what.
    """

    files: list = field(default_factory=list)
    unknown: Counter = field(default_factory=Counter)

    @property
    def left_out(self):
        """One line that says how many files of the folders are not looked at, or an empty one."""
        if not self.unknown:
            return ""
        kinds = ", ".join(
            f"{n} {suffix or 'without suffix'}" for suffix, n in self.unknown.most_common(5)
        )
        more = ", ..." if len(self.unknown) > 5 else ""
        return (
            f"{self.unknown.total()} files are not called like frames and were not looked at "
            f"({kinds}{more})"
        )


def list_frames(paths, recursive=False):
    """Find the files that names stand for.

    Parameters
    ----------
    paths : iterable of path-like
        Files; folders, for the frames directly in them; patterns; lists of names (``.lst``, one a
        line); ``-`` for such a list on standard input.
    recursive : bool
        Look into folders in folders too.

    Returns
    -------
    Listing

    Raises
    ------
    MissingDataError
        If a name or pattern matches nothing.
    InputError
        If a list is no text.
    """
    listing, seen = Listing(), set()
    for path in paths:
        for file in _expanded(Path(path), recursive, listing.unknown):
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                listing.files.append(file)
    listing.files = without_data_files(listing.files)
    return listing


def _expanded(path, recursive, unknown):
    if str(path) == "-":
        return _named(sys.stdin.read().splitlines(), Path(), recursive, unknown)
    if path.is_dir():
        found = frames_in(path, recursive, unknown)
        return without_data_files(found) or [path]
    if path.suffix in LISTS and path.is_file():
        return _named(_lines(path), path.parent, recursive, unknown)
    found = (
        [path]
        if path.exists() or path.is_symlink()
        else [Path(p) for p in sorted(glob.glob(str(path)))]
    )
    if not found:
        raise MissingDataError(
            f"No file {frame_formats.one_line(path)}: check the name or pattern."
        )
    return found


def _lines(path):
    require(
        path.stat().st_size <= MAX_LIST_BYTES,
        f"{path} is larger than a list of names: give frames by themselves.",
    )
    try:
        return path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: a list holds one file name a line.") from error


def _named(lines, folder, recursive, unknown):
    """Files named in a list, relative to it or, failing that, to the working folder; a list in a
    list is a file.
    """
    found = []
    for text in lines:
        name = EVENT.sub("", text.strip())
        if not name or name.startswith("#"):
            continue
        place = folder / name if (folder / name).exists() else Path(name)
        found += [place] if place.suffix in LISTS else _expanded(place, recursive, unknown)
    return found


def expand(path):
    """Files that a path, folder or pattern stands for, in order; a folder without frames stands for
    itself.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    return list_frames([path]).files


def frames_in(folder, recursive=False, unknown=None):
    """What lies in a folder and is called like a frame, in order.

    Parameters
    ----------
    folder : path-like
    recursive : bool
    unknown : Counter, optional
        Counts the suffixes of the others.

    Returns
    -------
    list of Path
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # A folder or pipe that is called like a frame is named in the records.
        names += [name for name in folders if not recursive]
        for path in (Path(place) / name for name in names if not name.startswith(".")):
            if looks_like_a_frame(path):
                found.append(path)
            elif unknown is not None and not path.is_dir():
                unknown[path.suffix.lower()] += 1
        if not recursive:
            break
    return sorted(found)


def looks_like_a_frame(path):
    """Whether a file is called like a frame of a detector, such as ``a.cbf.bz2``, ``B.TIFF`` or
    ``c.0017``.
    """
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return bool(suffixes) and (suffixes[-1] in SUFFIXES or suffixes[-1][1:].isdigit())


def without_data_files(files):
    """Leave out the data files of an EIGER whose master file is there too: it reads them."""
    files = list(files)
    real = {path: os.path.realpath(path) for path in files}
    links = {
        real[path]: frame_formats.linked_files(path)
        for path in files
        if path.suffix.lower() in HDF5
    }
    linked = {
        os.path.realpath(file) for named in links.values() for file in named if file.is_file()
    }
    named = {file for file in linked if not links.get(file)}
    here = set(real.values())
    return [path for path in files if real[path] not in named and not _has_master(path, here)]


def _has_master(path, here):
    master = master_of(path)
    return master is not None and os.path.realpath(master) in here


def master_of(path):
    """The master file beside a data file of an EIGER, there or not; None for any other file."""
    found = DATA_OF_EIGER.fullmatch(path.name)
    return (
        path.with_name(f"{found[1]}_master{found[2]}")
        if found and found[2].lower() in HDF5
        else None
    )
