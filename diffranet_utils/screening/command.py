"""The command `diffranet screen`, from the paths to the last line."""

import signal
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace

import typer

from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.files import write_bytes
from diffranet_utils.frames import masks as frame_masks
from diffranet_utils.frames.crystfel_text import read_geometry
from diffranet_utils.screening import output as screening_output
from diffranet_utils.screening import screener as screening
from diffranet_utils.screening.listing import list_frames
from diffranet_utils.screening.watch import Watch

FEW_FILES = 24
SAVE_S = 10  # while a folder is watched, the table on disk is at most so old


def make_screener(study, model=None, mask=None, geometry=None):
    """A `screening.Screener`: see `screening.load_screener` and, for its mask and its geometry,
    `frame_masks.read_mask` and `crystfel_text.read_geometry`.
    """
    layout = None if geometry is None else read_geometry(geometry)
    bad = None if mask is None else frame_masks.read_mask(mask)
    return replace(screening.load_screener(study, model), bad=bad, layout=layout)


@dataclass(frozen=True)
class How:
    """How frames are found and who judges them.

    Parameters
    ----------
    recursive : bool
        Look into folders in folders.
    workers : int
        Processes of this machine.
    scheduler : str, optional
        Address of a Dask scheduler whose workers judge instead.
    watch : bool
        Follow one folder, and write the table as it grows.
    idle_s : float, optional
        See `watch.Watch`.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    recursive: bool = False
    workers: int = 1
    scheduler: str | None = None
    watch: bool = False
    idle_s: float | None = None

    def __post_init__(self):
        require(
            self.idle_s is None or self.idle_s > 0,
            f"--idle is {self.idle_s}: give seconds above 0.",
        )
        require(self.workers >= 1, f"--workers is {self.workers}: give at least one process.")


def run(paths, screener, kind=None, out=None, report=None, how=None):
    """Judge frames and print, write and draw what is asked for.

    Lines appear as frames are judged; JSON and CSV at the end. What is found is written also when
    the user or a SIGTERM stops it, or the folder goes away.

    Parameters
    ----------
    paths : list of path-like
        See `listing.list_frames`; of a watch, one folder.
    screener : screening.Screener
    kind : {"json", "csv"}, optional
        Print this instead of lines.
    out, report : Path, optional
        Files for the table and for the page; an existing file that is not by this command is left
        alone.
    how : How, optional

    Raises
    ------
    InputError
        Before anything is judged, if a file to write is unusable; at the end, if no frame could be
        read.
    """
    how = how or How()
    for path, suffixes in ((out, (".json", ".csv")), (report, (".html", ".htm"))):
        if path is not None:
            screening_output.check_target(path, suffixes)
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a file is in its record
    start, records = time.perf_counter(), []
    if how.watch:
        following = Watch(paths[0], lambda path: screening.screen_file(screener, path))
        failure = _collect(_watched(following, how.idle_s), records, kind, out, following)
    else:
        listing = list_frames(paths, how.recursive)
        # A process takes a second to start: few files are judged sooner by this one.
        workers = how.workers if len(listing.files) >= FEW_FILES else 1
        failure = _collect(
            screening.screen_paths(listing, screener, workers, how.scheduler), records, kind
        )
        if listing.left_out:
            print(listing.left_out, file=sys.stderr)
    if kind is not None:
        typer.echo(screening_output.as_text(records, kind), nl=kind == "json")
    _save(records, out)
    if report is not None:
        from diffranet_utils.screening.report import write_report

        write_report(records, report)
    print(screening_output.summary(records, time.perf_counter() - start), file=sys.stderr)
    if failure is not None:
        raise failure
    unreadable = records and all(r["verdict"] == screening.UNREADABLE for r in records)
    require(not unreadable, f"No frame of {len(records)} could be read: the reasons are above.")


def _collect(found, records, kind, out=None, following=None):
    """Add records to a list, print and save them as they come; what ended it too early, or None."""
    saved = time.monotonic()
    try:
        with _terminated_as_interrupted():
            for record in found:
                _keep(record, records, kind)
                if time.monotonic() - saved > SAVE_S:
                    _save(records, out)
                    saved = time.monotonic()
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        # Here, not in the generator: the signal may have come while a line was printed.
        for record in _left_over(following) if following else ():
            _keep(record, records, kind)
    except (DiffranetError, OSError) as error:  # the folder is gone, say
        return error
    return None


def _keep(record, records, kind):
    records.append(record)
    if kind is None:
        typer.echo(screening_output.line(record))


def _watched(following, idle_s):
    """Records of a folder that grows, and at the end of what never became whole."""
    yield from following.records(idle_s)
    for path in following.waiting():
        yield from following.screen(path)


def _left_over(following):
    """Records of empty files, on which no time is lost; says how many others a stop leaves."""
    left = following.waiting()
    empty = [path for path in left if path.exists() and not path.stat().st_size]
    if len(left) > len(empty):
        typer.echo(f"{len(left) - len(empty)} files were not judged.", err=True)
    for path in empty:
        yield from following.screen(path)


def _save(records, out):
    if out is not None:
        write_bytes(out, screening_output.as_text(records, out.suffix[1:]).encode())


@contextmanager
def _terminated_as_interrupted():
    """Let SIGTERM end the block as Ctrl-C does; outside the main thread signals stay as they
    are.
    """
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
