"""Make golden_curves.csv: python tests/golden/pdf/make_golden.py (diffpy.pdffit2 1.5.1)."""

import json
import sys
from pathlib import Path

import numpy as np
from diffpy.pdffit2 import PdfFit

HERE = Path(__file__).parent


def golden_curve(cell):
    """G(r) at 0.01 to 30 angstrom for a structure written as a PDFfit file."""
    lengths = np.linalg.norm(cell["lattice"], axis=1)
    unit = np.array(cell["lattice"]) / lengths[:, None]
    angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]))
    star = np.linalg.inv(cell["lattice"])
    star /= np.linalg.norm(star, axis=0)
    metric = 0.008 * star.T @ star  # an isotropic displacement in the axes of this cell
    tensor = f"{metric[0, 1]:.8f} {metric[0, 2]:.8f} {metric[1, 2]:.8f}"
    numbers = ", ".join(f"{v:.8f}" for v in (*lengths, *angles))
    lines = ["title golden", "format pdffit", "scale 1.0", "sharp 0.0, 0.0, 1.0, 0.0"]
    lines += [f"cell {numbers}", "dcell 0, 0, 0, 0, 0, 0", f"ncell 1, 1, 1, {len(cell['frac'])}"]
    lines.append("atoms")
    for symbol, place in zip(cell["symbols"], cell["frac"], strict=True):
        lines.append(f"{symbol} {place[0]:.8f} {place[1]:.8f} {place[2]:.8f} 1.0")
        lines += ["0 0 0 0", "0.008 0.008 0.008", "0 0 0", tensor, "0 0 0"]
    fit = PdfFit()
    fit.read_struct_string("\n".join(lines) + "\n")
    fit.alloc("X", 23.0, 0.04, 0.01, 30.0, 3000)
    fit.setvar("qbroad", 0.01)
    fit.setvar("qdamp", 0.04)
    fit.calc()
    return np.array(fit.getR()), np.array(fit.getpdf_fit())


if __name__ == "__main__":
    cells = json.loads((HERE / "cells.json").read_text())
    curves = [golden_curve(cell) for cell in cells]
    chosen = slice(149, 3000, 10)
    table = np.column_stack([curves[0][0][chosen], *(g[chosen] for _, g in curves)])
    header = "r," + ",".join(cell["name"] for cell in cells)
    np.savetxt(HERE / "golden_curves.csv", table, "%.6f", ",", header=header, comments="")
    sys.stderr.write(f"{len(cells)} curves, {len(table)} points\n")
