"""Write files whole or not at all: to a temporary name first, then renamed."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from diffranet_utils.core.errors import DiffranetError


@contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path` that replaces it when the block ends well.

    A device or a pipe, such as ``/dev/null``, is never replaced: the content is written to it.

    Parameters
    ----------
    path : path-like
        The final name. Missing parent folders are made.

    Yields
    ------
    Path
        Temporary name in the same folder; it is removed if the block raises.

    Raises
    ------
    DiffranetError
        If the folder is read-only or the disk is full.
    """
    path = Path(path)
    special = path.exists() and not path.is_file() and not path.is_dir()
    folder = Path(tempfile.gettempdir()) if special else path.parent
    temporary = folder / f".{path.name}.{os.getpid()}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if special:
            with temporary.open("rb") as written, path.open("wb") as stream:
                shutil.copyfileobj(written, stream)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise DiffranetError(
            f"Cannot write {path}: {error.strerror or error}. Free some space or choose a "
            "writable folder."
        ) from error
    finally:
        with suppress(OSError):  # a folder that cannot be written holds no temporary file either
            temporary.unlink(missing_ok=True)


def write_bytes(path, content):
    """Write `content` (bytes) to `path` atomically; see `atomic_path` for errors."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path, value):
    """Write `value` as indented JSON to `path` atomically; see `atomic_path` for errors."""
    write_bytes(path, (json.dumps(value, indent=1, default=plain) + "\n").encode())


def read_json(path):
    """Read a JSON file.

    Raises
    ------
    DiffranetError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise DiffranetError(
            f"Cannot read {path}: {error}. Delete it and run the step again."
        ) from error


def plain(value):
    """Turn a NumPy scalar, an array or a path into what JSON can hold."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into a record")


def sha256_of(*parts):
    """SHA-256 hex digest of bytes and files.

    Parameters
    ----------
    *parts : bytes or path-like
        Bytes are hashed as they are; a path stands for the content of that file.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else Path(part).read_bytes())
    return digest.hexdigest()
