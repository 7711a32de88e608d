"""Heavy step of chapter 90: read the structures, time their curves, compare these with another
program's.
"""

import json
from time import perf_counter

import numpy as np

from diffranet_utils.records.metrics import proportion
from diffranet_utils.records.provenance import ROOT, plain_value
from diffranet_utils.studies.space_groups.collection import (
    curves_of,
    entries_file,
    load_entries,
    without_duplicates,
)
from diffranet_utils.studies.space_groups.comparison import collection_rows
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import PairSettings, pair_curve

GOLDEN = ROOT / "tests" / "golden" / "pdf"


def step(run):
    """Read the collection, count its groups, time its curves and compare four with
    diffpy.pdffit2's.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    asked = run.preset.curves
    path = entries_file(
        run.data_dir.parent / "space_groups" / "structures", asked.cif_dir, asked.stride
    )
    everything = load_entries(path)
    entries = without_duplicates(everything)
    pair_curve(entries[0].crystal)  # compile first
    start = perf_counter()
    timed = curves_of(entries[: asked.n_timed])
    seconds = perf_counter() - start
    values = {
        "structures": plain_value(len(everything), "structures"),
        "different_structures": proportion(len(entries), len(everything)),
        "prototypes": plain_value(len({entry.prototype for entry in entries}), "prototypes"),
        "curves_per_second": plain_value(len(timed) / seconds, "curve/s"),
    }
    rows = compare_with_pdffit2(GOLDEN) if GOLDEN.is_dir() else []
    if rows:
        values["lowest_correlation_with_pdffit2"] = plain_value(
            min(row["correlation"] for row in rows)
        )
    groups = collection_rows(curves_of(entries) if len(timed) < len(entries) else timed)
    return values, {"pdffit2": rows, "groups": groups}


def golden_curves(folder):
    """Cells and curves that diffpy.pdffit2 1.5.1 made, by name.

    Parameters
    ----------
    folder : Path
        With ``cells.json`` and ``golden_curves.csv``.

    Returns
    -------
    r_A : ndarray, shape (n_points,)
    curves : dict of str to (CrystalStructure, ndarray)
    """
    cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    table = np.loadtxt(folder / "golden_curves.csv", delimiter=",", skiprows=1)
    crystals = [
        CrystalStructure(cell["lattice"], np.array(cell["frac"]), cell["z"]) for cell in cells
    ]
    return table[:, 0], {
        cell["name"]: (crystal, column)
        for cell, crystal, column in zip(cells, crystals, table.T[1:], strict=True)
    }


def compare_with_pdffit2(folder):
    """Correlation and ratio of our curves to those of diffpy.pdffit2.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of dict
        ``structure``, ``correlation``, and ``ratio``, the factor that fits theirs to ours.
    """
    r_A, curves = golden_curves(folder)
    rows = []
    for name, (crystal, theirs) in curves.items():
        ours = pair_curve(crystal, PairSettings(q_min=0), r_A)
        ratio = float(ours @ theirs / (theirs @ theirs))
        rows.append(
            {
                "structure": name,
                "correlation": float(np.corrcoef(ours, theirs)[0, 1]),
                "ratio": ratio,
            }
        )
    return rows
