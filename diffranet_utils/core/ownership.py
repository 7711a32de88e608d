"""One writer for a folder, on this machine and others; reading needs no permission.

The owner is named in ``.owner.<n>``, a file that is made by a hard link and therefore by one
process only, also on network file systems. Each owner takes the next number, and only numbers below
the newest are ever deleted: two processes that find the same owner dead compete for one name, and
the loser sees that it lost. An owner shows that it lives by its process (same machine), its
``flock`` (where there is one) or the age of its file (other machines).
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from diffranet_utils.core.errors import DiffranetError, InputError

try:
    import fcntl
except ImportError:
    fcntl = None

HEARTBEAT_S = 10.0
STALE_S = 120.0  # a dozen heartbeats: a busy file server delays some
POLL_S = 0.2
OWNER_FILE = re.compile(r"\.owner\.(\d+)")


@contextlib.contextmanager
def owned(folder, wait=False, stale_s=STALE_S):
    """Be the only one who writes in a folder inside a ``with`` block.

    Parameters
    ----------
    folder : path-like
        Made if missing. A file ``.owner.<n>`` of some hundred bytes stays in it.
    wait : bool or float
        Seconds to wait for an owner that lives: False not at all, True without end.
    stale_s : float
        Age in seconds at which the file of an owner on another machine counts as left behind.

    Yields
    ------
    Ownership

    Raises
    ------
    InputError
        If another process owns the folder.
    DiffranetError
        If the folder cannot be written.
    """
    with _writable(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        ownership = Ownership(Path(folder), stale_s)
    end = time.monotonic() + (float("inf") if wait is True else float(wait))
    told = False
    with _writable(folder):
        while (owner := ownership.take()) is not None:
            in_use = f"{folder} is in use by {_describe(owner)}"
            if time.monotonic() >= end:
                raise InputError(f"{in_use}: wait for it or choose another folder.")
            if not told:
                print(f"{in_use}: waiting for it to end.", file=sys.stderr, flush=True)
                told = True
            time.sleep(POLL_S)
    try:
        yield ownership
    finally:
        ownership.release()


def owner_of(folder, stale_s=STALE_S):
    """Who owns a folder now.

    Parameters
    ----------
    folder : path-like
        May be read-only or missing.
    stale_s : float
        See `owned`.

    Returns
    -------
    dict or None
        ``host``, ``pid``, ``since`` (ISO 8601, UTC), ``command`` and what else tells processes
        apart.
    """
    number, path = _newest(Path(folder))
    return None if path is None else _living_owner(path, time.time(), stale_s)


class Ownership:
    """The right to write in a folder; `owned` makes it.

    Parameters
    ----------
    folder : Path
    stale_s : float
        See `owned`.
    """

    def __init__(self, folder, stale_s):
        self.folder, self.stale_s, self.path = folder, stale_s, None
        self._ended, self._handle, self._beat = threading.Event(), None, None

    def take(self):
        """Become the owner.

        Returns
        -------
        dict or None
            The owner in the way, as in `owner_of`; None when this process owns the folder now.
        """
        card = _card()
        with _candidate(self.folder, card) as candidate:
            number, path = _newest(self.folder)
            if path is not None:
                # The file server's clock, as this new file has it, not this machine's.
                owner = _living_owner(path, candidate.stat().st_mtime, self.stale_s)
                if owner is not None:
                    return owner
            mine = self.folder / f".owner.{number + 1}"
            handle = _locked_open(candidate)
            if not _link(candidate, mine) or _newest(self.folder)[0] > number + 1:
                handle.close()
                if _read(mine).get("token") == card["token"]:
                    mine.unlink()
                return owner_of(self.folder, self.stale_s) or self.take()
        self._start(mine, handle)
        return None

    def is_held(self):
        """Whether nobody took the folder over, as happens to owners that are silent too long."""
        return self.path is not None and _newest(self.folder)[1] == self.path

    def release(self):
        """Give the folder back; the file stays, without an owner."""
        self._ended.set()
        self._beat.join()
        with contextlib.suppress(OSError):  # a folder that has gone needs no release
            if self.is_held():
                with _candidate(self.folder, {"released": True}) as candidate:
                    os.replace(candidate, self.path)
        self._handle.close()
        self.path = None

    def _start(self, path, handle):
        self.path, self._handle = path, handle
        for number, old in _owner_files(self.folder):
            if number < int(path.suffix[1:]):
                old.unlink(missing_ok=True)
        self._beat = threading.Thread(target=self._keep_fresh, name="heartbeat", daemon=True)
        self._beat.start()

    def _keep_fresh(self):
        while not self._ended.wait(min(HEARTBEAT_S, self.stale_s / 4)):
            with contextlib.suppress(OSError):  # a file server that is away may come back
                os.utime(self.path)


@contextlib.contextmanager
def _writable(folder):
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}. Choose a writable folder."
        raise DiffranetError(f"Cannot write in {folder}: {reason}") from error


def _card():
    """What tells this process from all others, and a person who it is."""
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": uuid.uuid4().hex,
    }


def _describe(owner):
    return f"process {owner['pid']} on {owner['host']} since {owner['since']} ({owner['command']})"


def _boot():
    """Linux's id of this start of the machine: names and ids of processes come again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start_of(pid):
    """When a process started, in the system's own words; None if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # proc(5): the state is field 3, the start time field 22, and the second has been cut off.
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        ask = ["ps", "-o", "lstart=", "-p", str(pid)]
        result = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError:  # no `ps`: the age of the file decides
        return None
    return result.stdout.strip() or None


@contextlib.contextmanager
def _candidate(folder, card):
    """A file with a name of its own that holds a card; gone afterwards under that name."""
    path = folder / f".owner-{uuid.uuid4().hex}"
    try:
        with path.open("w") as file:
            json.dump(card, file)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _link(candidate, path):
    """Give a candidate its number; False if another has it."""
    try:
        os.link(candidate, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links (FAT, some network file systems): the second best way
        return _create(path, candidate.read_bytes())
    return True


def _create(path, content):
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _locked_open(path):
    """Open a file and hold its ``flock``, where there is one, until the handle is closed."""
    handle = path.open("r+")
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_locked(path):
    """Whether the owner, or a forked child of it that still writes, holds the ``flock``."""
    if fcntl is None:
        return False
    try:
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _owner_files(folder):
    """Pairs of number and path."""
    names = os.listdir(folder) if folder.is_dir() else []
    matches = filter(None, map(OWNER_FILE.fullmatch, names))
    return [(int(match[1]), folder / match[0]) for match in matches]


def _newest(folder):
    return max(_owner_files(folder), default=(0, None))


def _read(path):
    """The card in a file; an empty one if it is gone or cut short."""
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _living_owner(path, now, stale_s):
    """The owner that a file names, if it lives; `now` is in seconds since the epoch."""
    unknown = {"host": "an unknown machine", "pid": "?", "since": "?", "command": "?", "boot": None}
    card = _read(path)
    if card.get("released"):
        return None
    card = unknown | card
    here = (card["host"], card["boot"]) == (socket.gethostname(), _boot())
    if here and card.get("started"):
        alive = card["started"] == _start_of(card["pid"]) or _is_locked(path)
    else:
        try:
            alive = now - path.stat().st_mtime < stale_s
        except OSError:  # it has just been taken over
            return owner_of(path.parent, stale_s)
    return card if alive else None
