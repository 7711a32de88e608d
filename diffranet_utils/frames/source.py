"""A file that may hold images: read no further than needed, unpacked within bounds, open as long as
it is used.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from diffranet_utils.core.errors import InputError, require

HEAD_BYTES = 16_384
MAX_BYTES = 1_000_000_000  # of a file that is read whole
MAX_UNPACKED = (
    400_000_000  # two images of the largest detectors; more is a bomb or should be unpacked first
)
PACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


def one_line(error):
    """An error or path in one line without what a terminal cannot print: damaged bytes end up in
    messages.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())


class Source:
    """A file to read images from.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : Path
    head : bytes
        First bytes, unpacked.
    data_path : str or None
        Where the images lie in a file that holds many things, if the user says so.

    Raises
    ------
    InputError
        One line, if the file is missing, no regular file or empty.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.size = checked_size(path)
        self._open, self._stack, self._kept = None, ExitStack(), {}
        self.data_path = None
        with open(path, "rb") as handle:
            self.head = handle.read(HEAD_BYTES)
        self._open = next(
            (opener for magic, opener in PACKERS.items() if self.head.startswith(magic)), None
        )
        if self.is_packed:
            self.head = self.content()[:HEAD_BYTES]

    @property
    def is_packed(self):
        """Whether the file is compressed as a whole."""
        return self._open is not None

    def content(self):
        """All bytes, unpacked.

        Raises
        ------
        InputError
            If there are more than one image can need.
        """
        if "content" in self._kept:
            return self._kept["content"]
        require(
            self.size <= MAX_BYTES,
            f"it has {self.size} bytes: more than {MAX_BYTES} is no single image",
        )
        if not self.is_packed:
            return self._kept.setdefault("content", self.path.read_bytes())
        with self._open(self.path) as stream:
            content = stream.read(MAX_UNPACKED + 1)
        bomb = (
            f"it unpacks to more than {MAX_UNPACKED // 10**6} MB: unpack it first, or it is no "
            "image"
        )
        require(len(content) <= MAX_UNPACKED, bomb)
        return self._kept.setdefault("content", content)

    def stream(self):
        """The unpacked file as a binary file object, open until `close`."""
        if self.is_packed:
            return io.BytesIO(self.content())
        return self.keep("stream", lambda: self._stack.enter_context(open(self.path, "rb")))

    def keep(self, name, make):
        """What `make()` gives, made once for this file."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def enter(self, context):
        """Enter a context manager that is left at `close`; gives what it gives."""
        return self._stack.enter_context(context)

    def close(self):
        """Close all that was opened."""
        self._kept.clear()
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def checked_size(path):
    """Size in bytes of a regular, non-empty file; looking at a FIFO this way does not wait for it.

    Raises
    ------
    InputError
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot read {one_line(path)}: {reason}. Check the name.") from error
    name = one_line(path)
    folder = f"{name} is a folder, not a frame: give frames, or a folder that holds them directly."
    require(not stat.S_ISDIR(status.st_mode), folder)
    require(stat.S_ISREG(status.st_mode), f"{name} is not a regular file: give an image.")
    require(status.st_size > 0, f"{name} is empty: copy it again.")
    return status.st_size
