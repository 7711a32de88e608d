"""The command `diffranet screen`, from the paths to the last line."""

import os
import sys
import time
import warnings

import typer

from . import screening, screening_output
from .files import write_bytes


def run(paths, model=None, kind=None, out=None, report=None, watch=False, idle_s=None):
    """Judge frames and print, write and draw what is asked for.

    Lines appear as frames are judged; JSON and CSV at the end. What is found is written also when the user stops it.

    Parameters
    ----------
    paths : list of path-like
    model : path-like, optional
        See `screening.load_screener`.
    kind : {"json", "csv"}, optional
        Print this instead of lines.
    out, report : Path, optional
        Files for the table and for the page.
    watch : bool
        Follow the one folder in `paths`.
    idle_s : float, optional
        See `screening_output.follow`.
    """
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a file is in its record
    screener = screening.load_screener(model, os.cpu_count() or 1)
    start, records = time.perf_counter(), []
    try:
        for record in _records(paths, screener, watch, idle_s):
            records.append(record)
            if kind is None:
                typer.echo(screening_output.line(record))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
    if kind is not None:
        typer.echo(screening_output.as_text(records, kind), nl=kind == "json")
    if out is not None:
        write_bytes(out, screening_output.as_text(records, out.suffix[1:]).encode())
    if report is not None:
        screening_output.report(records, report)
    print(screening_output.summary(records, time.perf_counter() - start), file=sys.stderr)


def _records(paths, screener, watch, idle_s):
    if watch:
        return screening_output.follow(paths[0], lambda path: screening.screen_paths([path], screener), idle_s)
    return screening.screen_paths(paths, screener)
