"""Files derived from read-only data: kept outside it and found by what they were made of."""

import os
import stat
import tempfile
from pathlib import Path

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.core.files import atomic_path, sha256_of

VARIABLE = "DIFFRANET_CACHE"


def cache_folder(option=None):
    """The folder for derived files, made if missing.

    In this order: `option`; the variable DIFFRANET_CACHE; ``diffranet`` in XDG_CACHE_HOME or else
    in ``~/.cache`` (XDG Base Directory Specification 0.8); and, without a home that can be written,
    ``diffranet-<user id>`` in the system's folder for temporary files, for this user only.

    Parameters
    ----------
    option : path-like, optional
        What the person asked for.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If a folder that was asked for cannot be written, or the temporary one belongs to someone
        else.
    """
    for chosen in (option, os.environ.get(VARIABLE)):
        if chosen:
            return _asked_for(Path(chosen).expanduser())
    usual = _usual_folder()
    if usual is not None and _can_write(usual):
        return usual
    return _temporary_folder()


def cached(name, sources, make, folder=None):
    """A file derived from others, made unless the cache has it.

    Parameters
    ----------
    name : str
        Name of the file, such as ``mask.npy``: what it is, with its suffix.
    sources : sequence of bytes or path-like
        All that decides the content: files, and settings as bytes. Their SHA-256 is the key, so
        that a changed source is never answered from the cache, and a moved one is.
    make : callable
        ``make(path)`` writes the file; not called if the file is there, and nothing stays if it
        raises.
    folder : path-like, optional
        See `cache_folder`.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        See `cache_folder`.
    MissingDataError
        If a source cannot be read.
    """
    # A hash of hashes: otherwise (b"ab", b"c") and (b"a", b"bc") would have one key.
    key = sha256_of("".join(map(_sha256_of_source, sources)).encode())
    path = cache_folder(folder) / key[:2] / key / name
    if not path.exists():
        with atomic_path(path) as temporary:
            make(temporary)
    return path


def derived(path, sources, make):
    """A file derived from others at a place of its own or, where that is read-only, in the cache.

    Parameters
    ----------
    path : path-like
        Where it belongs; its name tells it from files that other sources make.
    sources, make
        As for `cached`.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InputError
        If neither place can be written.
    """
    path = Path(path)
    if path.exists():
        return path
    if not _can_write(path.parent):
        return cached(path.name, sources, make)
    with atomic_path(path) as temporary:
        make(temporary)
    return path


def _sha256_of_source(source):
    try:
        return sha256_of(source)
    except OSError as error:
        reason = f"{error.strerror}. Give a file that is there."
        raise MissingDataError(f"Cannot read {source}: {reason}") from error


def _usual_folder():
    """Where XDG has it; None without a home. Relative paths are invalid there and are ignored."""
    parent = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(parent):
        return Path(parent) / "diffranet"
    # Not Path.home(), which asks the list of users: services leave HOME out on purpose.
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE") or ""
    return Path(home) / ".cache" / "diffranet" if os.path.isabs(home) else None


def _asked_for(folder):
    if not _can_write(folder):
        remedy = f"choose another with {VARIABLE}."
        raise InputError(f"Cannot write to the cache folder {folder}: {remedy}")
    return folder


def _can_write(folder):
    """Whether files can be made in a folder, found out by making one; makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary_folder():
    """Ours alone: in a folder that all can write, another user may have put this name first."""
    user = os.getuid() if hasattr(os, "getuid") else 0  # under Windows all files are user 0's
    folder = Path(tempfile.gettempdir()) / f"diffranet-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == user
        if is_ours:
            folder.chmod(0o700)
    except OSError:
        is_ours = False
    if not is_ours or not _can_write(folder):
        raise InputError(f"{folder} is not a folder of this user: set {VARIABLE} to one that is.")
    return folder
