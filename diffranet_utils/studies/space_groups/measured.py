"""Measured pair distribution functions: read, checked, and put on the study's grid.

Files are two or more columns, r in angstrom and G(r), after any header: the .gr files of PDFgetX3,
PDFgetN, xPDFsuite and GSAS-II, or plain text.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.studies.space_groups.curves import PairSettings

SHORTEST_RANGE_A = 15.0
FEWEST_ROWS = 10
_NUMBER = r"([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)"
_QMAX = re.compile(rf"(?im)^[#\s]*(?:qmax|pdf qmax)\s*[=:]\s*{_NUMBER}|\bqmax\s*[=:]\s*{_NUMBER}")
_QDAMP = re.compile(rf"(?i)\bqdamp\s*[=:]\s*{_NUMBER}")
_NANOMETRES = re.compile(r"(?i)\br\s*\(\s*nm\s*\)|\bnanomet|\br\s*\[nm\]")


@dataclass(frozen=True)
class MeasuredCurve:
    """A measured G(r) on its own grid.

    Parameters
    ----------
    r_A : ndarray, shape (n_points,), float64
        Distances, angstrom, evenly spaced.
    g : ndarray, shape (n_points,), float64
        Reduced pair distribution function, 1/square angstrom.
    q_max, q_damp : float or None
        From the header, 1/angstrom; None where it is silent.
    """

    r_A: np.ndarray
    g: np.ndarray
    q_max: float | None = None
    q_damp: float | None = None


def read_curve(path):
    """Read a measured pair distribution function.

    Parameters
    ----------
    path : path-like
        A ``.gr`` file or two-column text.

    Returns
    -------
    MeasuredCurve
        Checked: evenly spaced, finite, in angstrom and long enough.

    Raises
    ------
    MissingDataError
        If the file is missing.
    InputError
        If it is no such curve.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} does not exist. Name a file with columns r and G(r).")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is no text file. Name a file with columns r and G(r).") from error
    start, rows = _columns(lines)
    require(len(rows) >= 2, f"{path} holds no two columns of numbers. Give r in angstrom and G(r).")
    header = "\n".join(lines[:start])
    table = np.array(rows)
    _check(path, table[:, 0], table[:, 1], header)
    return MeasuredCurve(table[:, 0], table[:, 1], _value(_QMAX, header), _value(_QDAMP, header))


def on_study_grid(curve, settings=None):
    """Put a measured curve on the study's grid by its band limit, not by straight lines.

    The curve is low-passed at the study's Qmax by convolving it, as an odd function of r, with the
    sinc kernel of that band, so that a curve measured further out in Q gets the same ripples as
    those that the models have seen (Farrow et al., 2011, Phys. Rev. B 84, 134105).

    Parameters
    ----------
    curve : MeasuredCurve
        From `read_curve`.
    settings : PairSettings, optional
        The study's own if left out.

    Returns
    -------
    ndarray, shape (n_points,), float64
        G at `settings.r_A`; zero beyond the end of the measured curve, where nothing is known.
    """
    settings = settings or PairSettings()
    step_A = np.diff(curve.r_A).mean()
    cut = min(settings.q_max, np.pi / step_A)
    away = settings.r_A[:, None] - curve.r_A
    across = settings.r_A[:, None] + curve.r_A
    kernel = np.sinc(cut * away / np.pi) - np.sinc(cut * across / np.pi)
    values = kernel @ curve.g * step_A * cut / np.pi
    return np.where(settings.r_A <= curve.r_A[-1] + step_A / 2, values, 0.0)


def settings_of(curve, settings=None):
    """Settings whose Qdamp is that of the measured curve, for models trained to match it.

    Parameters
    ----------
    curve : MeasuredCurve
        From `read_curve`.
    settings : PairSettings, optional
        Where the other values come from; the study's own if left out.

    Returns
    -------
    PairSettings
        The grid is kept: only the damping changes, if the header names it.
    """
    settings = settings or PairSettings()
    return settings if curve.q_damp is None else replace(settings, q_damp=curve.q_damp)


def _columns(lines):
    """Line where the table starts, and its first two columns; a broken row becomes NaN."""
    start, rows = 0, []
    for k, line in enumerate(lines):
        values = _numbers(line)
        comment = line.lstrip().startswith("#")
        if values and not rows:
            start = k
        if values:
            rows.append(values)
        elif line.strip() and len(rows) < FEWEST_ROWS:
            rows = []  # numbers inside a header
        elif line.strip() and not comment:
            rows.append([np.nan, np.nan])
    return start, rows


def _numbers(line):
    words = line.replace(",", " ").split()
    try:
        return [float(word) for word in words[:2]] if len(words) >= 2 else None
    except ValueError:
        return None


def _value(pattern, header):
    found = pattern.search(header)
    value = float(next(v for v in found.groups() if v)) if found else 0.0
    return value if value > 0 else None


def _check(path, r, g, header):
    bad = ~(np.isfinite(r) & np.isfinite(g))
    require(
        not bad.any(), f"{path} holds {bad.sum()} values that are not finite. Repair or cut them."
    )
    require(np.ptp(g) > 0, f"{path} holds a flat curve. Check the column of G(r).")
    steps = np.diff(r)
    step = np.median(steps)
    even = step > 0 and np.abs(steps - step).max() < 0.25 * step
    require(
        even,
        f"{path} has gaps or steps that differ near r = {r[np.abs(steps - step).argmax()]:.4g}. "
        "Use one step.",
    )
    nanometres = bool(_NANOMETRES.search(header)) or (r[-1] <= 10 and step < 0.005)
    require(
        not nanometres,
        f"{path} has r to {r[-1]:.4g}, in nanometres it seems. Multiply r by 10, divide G by 100.",
    )
    require(
        r[-1] >= SHORTEST_RANGE_A,
        f"{path} stops at {r[-1]:.4g} angstrom. At least {SHORTEST_RANGE_A:g} are needed.",
    )
    require(r[0] <= 1.5 + step, f"{path} starts at {r[0]:.4g} angstrom. Start at 1.5 or below.")
    require(step < np.pi / 10, f"{path} has steps of {step:.3g} angstrom. Use 0.1 or less.")
