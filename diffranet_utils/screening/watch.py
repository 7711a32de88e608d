"""Follow a folder that is being written to."""

import stat
import time
from pathlib import Path

from diffranet_utils.core.errors import MissingDataError
from diffranet_utils.frames import formats as frame_formats
from diffranet_utils.screening.listing import HDF5, frames_in, master_of
from diffranet_utils.screening.screener import UNREADABLE

POLL_S = 0.5
RETRY_S = 5.0  # after which a file that could not be read is tried again, though it has not changed


class Watch:
    """Follow a folder: judge its frames and then each new one as it arrives, once it has stopped
    growing.

    A file that cannot be read may still be on its way: it is tried again when it has changed, and
    now and then, and is reported at the end. The master file of an EIGER is judged when the data
    files that it names are there and whole; they wait for it. What is no regular file is judged at
    once.

    Parameters
    ----------
    folder : path-like
    screen : callable
        ``screen(path)`` gives the records of a file.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    """

    def __init__(self, folder, screen):
        self.folder, self.screen = Path(folder), screen
        self.done, self.sizes, self.named, self.failed = set(), {}, set(), {}
        if not self.folder.is_dir():
            raise MissingDataError(f"No folder {folder} to watch: create it, or give another.")

    def records(self, idle_s=None):
        """Records as frames arrive, without end, or until `idle_s` seconds passed without a new
        frame.

        Raises
        ------
        MissingDataError
            If the folder goes away.
        """
        last = time.monotonic()
        while idle_s is None or time.monotonic() - last < idle_s:
            for path in self._ready():
                found = self._judged(path)
                for record in found:
                    self.done.add(path)
                    yield record
                last = time.monotonic() if found else last
            time.sleep(POLL_S)

    def _judged(self, path):
        """Records of a file; none as long as it may be on its way."""
        mark = (self.sizes.get(path), time.monotonic())
        before = self.failed.get(path)
        if before and before[0] == mark[0] and mark[1] - before[1] < RETRY_S:
            return []
        found = list(self.screen(path))
        if path.is_file() and all(record["verdict"] == UNREADABLE for record in found):
            self.failed[path] = mark
            return []
        return found

    def waiting(self):
        """Frames that are there and were not judged: empty, still growing, or parts of an EIGER
        series without end.
        """
        there = frames_in(self.folder) if self.folder.is_dir() else []
        return [
            path
            for path in there
            if path not in self.done | self.named and master_of(path) not in self.done
        ]

    def _ready(self):
        """What is whole since the last look."""
        if not self.folder.is_dir():
            raise MissingDataError(f"The folder {self.folder} is gone: what is known is kept.")
        new = [path for path in frames_in(self.folder) if path not in self.done]
        links = {
            path: frame_formats.linked_files(path) for path in new if path.suffix.lower() in HDF5
        }
        self.named |= {file for files in links.values() for file in files if not links.get(file)}
        calm = {path for path in self.named.union(new, *links.values()) if self._is_calm(path)}
        alone = [
            path
            for path in new
            if path in calm and path not in self.named and master_of(path) is None
        ]
        return [path for path in alone if path not in links or _is_whole(path, links[path], calm)]

    def _is_calm(self, path):
        """Whether a file has kept its size, not zero, since the last look; what is no file cannot
        grow.
        """
        try:
            status = path.stat()
        except OSError:  # gone again, or a link to nothing
            return False
        if not stat.S_ISREG(status.st_mode):
            return True
        before, self.sizes[path] = self.sizes.get(path), status.st_size
        return status.st_size == before > 0


def _is_whole(master, files, calm):
    """Whether an HDF5 file is complete, and the data files that it names are there and calm."""
    return not master.is_file() or (calm.issuperset(files) and frame_formats.is_complete(master))
