"""``diffranet sort``: which scattering technique frames were taken with."""

from pathlib import Path
from typing import Annotated

import typer


def sort(  # noqa: PLR0913 - options of a command
    paths: Annotated[list[Path], typer.Argument(help="Folder, frames, patterns or .lst lists.")],
    copy_to: Annotated[
        Path | None, typer.Option(help="Copy each file into DIR/TECHNIQUE.", metavar="DIR")
    ] = None,
    link_to: Annotated[
        Path | None, typer.Option(help="Link to each file in DIR/TECHNIQUE.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page.")] = None,
    model: Annotated[Path | None, typer.Option(help="Another model than the shipped one.")] = None,
    recursive: Annotated[bool, typer.Option(help="Look into folders in folders.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
):
    """Say of each frame whether it is SAXS, WAXS, GISAXS or GIWAXS, or that nothing is sure.

    No file is moved or overwritten; copies and links get new names where a name is taken.
    """
    from diffranet_utils.core.errors import require
    from diffranet_utils.studies.scattering import sort_command

    require(not (as_json and as_csv), "Choose one of --json and --csv.")
    kind = "json" if as_json else "csv" if as_csv else None
    where = sort_command.Where(kind, report, copy_to, link_to)
    sort_command.run(paths, where, model, recursive, workers)
