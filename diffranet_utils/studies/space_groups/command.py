"""The command `diffranet space-group`: ranked space groups of measured curves, CIF files and JSON
structures.
"""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import typer

from diffranet_utils.core.errors import DiffranetError, InputError, require
from diffranet_utils.studies.space_groups.curves import normalised, pair_curve
from diffranet_utils.studies.space_groups.labels import crystal_system, symbol
from diffranet_utils.studies.space_groups.measured import on_study_grid, read_curve
from diffranet_utils.studies.space_groups.relations import relation
from diffranet_utils.studies.space_groups.shipped_model import SHIPPED, read_model
from diffranet_utils.studies.space_groups.structures import read_cif, read_json_structures

NEUTRONS = re.compile(
    r"(?im)^\W*(?:stype\s*[=:]\s*n\b|scatteringtype\s*[=:]\s*neutron)|^\W*mode\s*[=:]\s*neutron"
)
HEADER = 20_000  # characters in which a header says what was scattered
FEWEST, MOST = 1, 45
RELATED = {"subgroup": "its subgroup", "supergroup": "its supergroup", "sibling": "its sibling"}


def run(paths, model=None, kind=None, top=6):
    """Rank the groups of every file and print them; a file that cannot be read is one line.

    Parameters
    ----------
    paths : list of path-like
    model : path-like, optional
        Our own by default.
    kind : {"json", "csv"}, optional
        Print this instead of lines.
    top : int
        Answers for each curve.

    Raises
    ------
    InputError
        If `top` is out of range, or no file could be read.
    """
    require(FEWEST <= top <= MOST, f"--top is {top}: give {FEWEST} to {MOST}.")
    judge = read_model(model or SHIPPED)
    rows, failures = [], []
    for path in paths:
        try:
            rows += judged(judge, Path(path), top)
        except DiffranetError as error:
            failures.append(
                {"file": str(path), "verdict": "unreadable", "note": " ".join(str(error).split())}
            )
    typer.echo(_text(rows + failures, kind))
    if not rows:
        raise InputError(
            f"None of {len(failures)} files could be read. See the reason beside each."
        )


def judged(model, path, top):
    """Answers for all curves of one file.

    Parameters
    ----------
    model : shipped_model.GroupModel
    path : Path
    top : int

    Returns
    -------
    list of dict
        ``file``, ``name``, ``verdict`` (the first symbol, or unsure), ``note`` and ``groups``.
    """
    rows = []
    for name, curve, note in _curves(path):
        x = normalised(curve)[None]
        probabilities = model.answers(x)
        notes = [text for text in (model.doubts(x, probabilities)[0], note) if text]
        doubtful = bool(notes) and not notes[0].startswith("computed")
        groups = _ranked(model.groups, probabilities[0], top)
        verdict = "unsure" if doubtful else groups[0]["symbol"]
        rows.append(
            {
                "file": str(path),
                "name": name,
                "verdict": verdict,
                "note": "; ".join(notes),
                "groups": groups,
            }
        )
    return rows


def _curves(path):
    """Name, curve on the study's grid and note of each curve of a file."""
    suffix = path.suffix.lower()
    if suffix == ".cif":
        return [(path.stem, pair_curve(read_cif(path)), "computed from the structure")]
    if suffix == ".json" or path.name.lower().endswith(".json.gz"):
        found = read_json_structures(path)
        return [
            (name, pair_curve(crystal), "computed from the structure") for name, crystal in found
        ]
    curve = on_study_grid(read_curve(path))
    with path.open(encoding="utf-8-sig") as text:
        neutrons = NEUTRONS.search(text.read(HEADER))
    return [
        (path.stem, curve, "measured with neutrons, the model knows X-rays" if neutrons else "")
    ]


def _ranked(numbers, probabilities, top):
    order = np.argsort(-probabilities, kind="stable")[:top]
    first = numbers[order[0]]
    return [
        {
            "group": numbers[k],
            "symbol": symbol(numbers[k]),
            "system": crystal_system(numbers[k]),
            "probability": round(float(probabilities[k]), 4),
            "relation": RELATED.get(relation(numbers[k], first), ""),
        }
        for k in order
    ]


def _text(rows, kind):
    if kind == "json":
        return json.dumps(rows, indent=1)
    if kind == "csv":
        return _table(rows)
    return "\n".join(_lines(row) for row in rows)


def _table(rows):
    names = [
        "file",
        "name",
        "verdict",
        "note",
        "rank",
        "group",
        "symbol",
        "system",
        "probability",
        "relation",
    ]
    out = io.StringIO()
    table = csv.DictWriter(out, names, lineterminator="\n")
    table.writeheader()
    for row in rows:
        about = {key: value for key, value in row.items() if key != "groups"}
        for rank, answer in enumerate(row.get("groups", [{}]), start=1):
            table.writerow(about | ({"rank": rank} | answer if answer else {}))
    return out.getvalue().rstrip("\n")


def _lines(row):
    note = f" ({row['note']})" if row["note"] else ""
    answers = [
        f"  {answer['probability']:6.1%}  {answer['symbol']}, {answer['system']}"
        + (f", {answer['relation']}" if answer["relation"] else "")
        for answer in row.get("groups", [])
    ]
    name = (
        row["file"]
        if row.get("name", "") in ("", Path(row["file"]).stem)
        else f"{row['file']}: {row['name']}"
    )
    return "\n".join([f"{name}: {row['verdict']}{note}", *answers])
