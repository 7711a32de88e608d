"""Measured frames with known techniques, for evaluation only: `DIFFRANET_SCATTERING` names them."""

import csv
import os
from pathlib import Path

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.records import metrics
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.quick_sorter import SHIPPED, read_sorter
from diffranet_utils.studies.scattering.sort_command import judged_file

VARIABLE = "DIFFRANET_SCATTERING"
NO_FRAMES = f"{VARIABLE} names no folder of measured frames with a labels.csv"


def judge_real(folder, sorter):
    """What the sorter says of labelled frames.

    Parameters
    ----------
    folder : path-like
        With ``labels.csv``, columns ``file`` and ``technique``.
    sorter : quick_sorter.QuickSorter

    Returns
    -------
    list of dict
        ``file``, ``truth``, ``technique`` (or unsure), ``likeliest`` of the four, ``probability``.

    Raises
    ------
    MissingDataError
        If there is no table of labels.
    InputError
        If a label is no technique.
    """
    table = Path(folder) / "labels.csv"
    if not table.is_file():
        raise MissingDataError(f"There is no {table}: list files and techniques there.")
    with table.open(encoding="utf-8", newline="") as text:
        labels = [(row["file"], row["technique"]) for row in csv.DictReader(text)]
    rows = []
    for name, truth in labels:
        require(truth in TECHNIQUES, f"{table} calls {name} {truth!r}: not one of {TECHNIQUES}.")
        record = judged_file(Path(folder) / name, sorter)[0]
        likeliest = max(TECHNIQUES, key=lambda technique: record.get(technique) or 0)
        keys = ("technique", "probability")
        rows.append({"file": name, "truth": truth} | {k: record.get(k) for k in keys})
        rows[-1]["likeliest"] = likeliest
    return rows


def real_accuracy():
    """Accuracy of the shipped sorter's likeliest technique on the measured frames.

    The sorter was trained, and its limit chosen, on simulation alone.

    Returns
    -------
    values : dict
        ``real_accuracy`` with n and interval; empty without frames.
    details : dict
        ``real``, see `judge_real`, or ``real_missing``, the reason.
    """
    folder = os.environ.get(VARIABLE)
    if not folder or not Path(folder).is_dir():
        return {}, {"real_missing": NO_FRAMES}
    rows = judge_real(folder, read_sorter(SHIPPED))
    right = sum(row["likeliest"] == row["truth"] for row in rows)
    return {"real_accuracy": metrics.proportion(right, len(rows))}, {"real": rows}
