"""Data that no model learns from: another data base of structures, and measured curves.

The environment variable DIFFRANET_PDF names a folder with ``.gr`` files, their ``labels.csv``
(columns ``file`` and ``space_group``) and, for the other data base, ``mp_binaries.json.gz``.
"""

import csv
import os
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.core.progress import progress
from diffranet_utils.studies.space_groups.collection import curves_of
from diffranet_utils.studies.space_groups.curves import normalised
from diffranet_utils.studies.space_groups.labels import NUMBERS
from diffranet_utils.studies.space_groups.measured import on_study_grid, read_curve
from diffranet_utils.studies.space_groups.structures import read_json_structures, with_symmetry

VARIABLE = "DIFFRANET_PDF"
OTHER = "mp_binaries.json.gz"
LABELS = "labels.csv"


def evaluation_folder():
    """The folder that DIFFRANET_PDF names, or None where it is not set.

    Raises
    ------
    MissingDataError
        If it is set to something that is no folder.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    if not Path(named).is_dir():
        raise MissingDataError(
            f"{VARIABLE} is {named}, which is no folder. Name one with .gr files, or unset it."
        )
    return Path(named)


def other_database(folder, known, n=None):
    """Curves of another data base's structures whose group spglib confirms among the study's.

    Parameters
    ----------
    folder : Path
        From `evaluation_folder`.
    known : collection of Entry
        Structures that models have learnt from.
    n : int, optional
        Evenly spaced structures of the file; all by default.

    Returns
    -------
    curves : Collection or None
        None where the folder has no such data base.
    is_new : ndarray of bool
        Whether no known structure has the same elements in the same prototype.
    """
    path = folder / OTHER
    if not path.is_file():
        return None, np.zeros(0, bool)
    structures = read_json_structures(path)
    step = 1 if n is None else max(1, len(structures) // n)
    found = (
        with_symmetry(*row)
        for row in progress(structures[::step], title="other data base", unit="structure")
    )
    entries = [entry for entry in found if entry is not None and entry.group in NUMBERS]
    seen = {_compound(entry) for entry in known}
    return curves_of(entries), np.array([_compound(entry) not in seen for entry in entries])


def _compound(entry):
    return entry.prototype, tuple(sorted(set(entry.crystal.atomic_numbers.tolist())))


def measured_curves(folder):
    """Measured curves on the study's grid, with the groups that are known for them.

    Parameters
    ----------
    folder : Path
        With ``labels.csv`` and the files that it names.

    Returns
    -------
    names : list of str
        Of the samples, in the order of the table.
    groups : list of int
        Numbers in the International Tables.
    x : ndarray, shape (n, 209)
        Normalised.

    Raises
    ------
    InputError
        If the table has other columns.
    """
    path = folder / LABELS
    if not path.is_file():
        return [], [], np.zeros((0, 0))
    with path.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    require(
        rows and {"file", "space_group"} <= rows[0].keys(),
        f"{path} needs the columns file and space_group.",
    )
    try:
        groups = [int(row["space_group"]) for row in rows]
    except ValueError as error:
        raise InputError(f"{path} has a space_group that is no number. Give 1 to 230.") from error
    curves = [on_study_grid(read_curve(folder / row["file"])) for row in rows]
    return [Path(row["file"]).stem for row in rows], groups, normalised(curves)
