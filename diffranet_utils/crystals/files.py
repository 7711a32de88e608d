"""Files that crystals come from: atomic models, MTZ and lists of h k l F, and the cell and space
group in them.
"""

import warnings
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import InputError, require
from diffranet_utils.crystals.cells import cell_vectors

MODELS = (".pdb", ".ent", ".cif", ".mmcif")
AMPLITUDES = {"F": "an amplitude", "G": "an amplitude of one Friedel mate"}  # column types of MTZ
LARGEST_MISFIT = 0.01  # relative, of a cell to the symmetry of its space group


def kind_of(path):
    """What a file holds by its name, compressed or not: ``"model"``, ``"mtz"`` or ``"text"``."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    last = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    return "model" if last in MODELS else "mtz" if last == ".mtz" else "text"


def read_mtz(path):
    """A reflection file as `gemmi.Mtz`; raises InputError if it is none, or has no cell or space
    group.
    """
    import gemmi

    try:
        mtz = gemmi.read_mtz_file(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"Cannot read {path} as MTZ: {error}") from None
    require(
        mtz.spacegroup is not None,
        f"{path} has no space group that gemmi knows: set one in the file.",
    )
    require(mtz.cell.is_crystal(), f"{path} has no unit cell: set one in the file.")
    return mtz


def amplitudes(mtz, column, path):
    """Miller indices and amplitudes of one column of an MTZ file, without missing ones.

    Parameters
    ----------
    mtz : gemmi.Mtz
    column : str
    path : path-like
        For messages.

    Returns
    -------
    hkl : ndarray, shape (n, 3), int
    f : ndarray, shape (n,), float64

    Raises
    ------
    InputError
        If there is no such column, or it holds no amplitudes.
    """
    labels = mtz.column_labels()
    require(column in labels, f"{path} has no column {column!r}; it has {', '.join(labels)}.")
    found = mtz.column_with_label(column)
    usable = ", ".join(one.label for one in mtz.columns if one.type in AMPLITUDES) or "none"
    wrong = f"{path}: column {column} has type {found.type}, no amplitude (type F or G)"
    require(
        found.type in AMPLITUDES, f"{wrong}: choose a column of amplitudes; the file has {usable}."
    )
    f = np.array(found, dtype=float)
    known = np.isfinite(f)
    require(
        bool(np.any(f[known] > 0)),
        f"{path}: column {column} has no amplitude above zero: choose another one.",
    )
    return np.array(mtz.make_miller_array())[known], f[known]


def read_structure(path):
    """An atomic model as `gemmi.Structure`; raises InputError if it has no atoms, cell or space
    group.
    """
    import gemmi

    try:
        structure = gemmi.read_structure(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"Cannot read {path} as PDB or mmCIF: {error}") from None
    has_atoms = len(structure) > 0 and structure[0].count_atom_sites() > 0
    require(has_atoms, f"{path} has no atoms: give a PDB or mmCIF model.")
    require(structure.cell.is_crystal(), f"{path} has no unit cell: add a CRYST1 record.")
    named = structure.spacegroup_hm
    unknown = (
        f"{path} has the unknown space group {named!r}" if named else f"{path} has no space group"
    )
    require(
        structure.find_spacegroup() is not None,
        f"{unknown}: write one such as P 21 21 21 into CRYST1.",
    )
    return structure


def read_text(path):
    """Lines of ``h k l F`` as an array.

    Returns
    -------
    ndarray, shape (n, 4), float64

    Raises
    ------
    InputError
        If the file cannot be read, is empty, or an index is no whole number.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's word on an empty file; ours comes below
            rows = np.loadtxt(path, ndmin=2, usecols=(0, 1, 2, 3))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"Cannot read {path} as lines of h k l F: {error}") from None
    require(len(rows) > 0, f"{path} has no reflections: give lines of h k l F.")
    require(
        bool(np.all(np.isfinite(rows)) and np.all(rows[:, 3] >= 0)),
        f"{path}: NaN, infinite or negative numbers.",
    )
    whole = np.all((rows[:, :3] == rows[:, :3].round()) & (abs(rows[:, :3]) < 1e6))
    require(bool(whole), f"{path}: h k l must be whole numbers below a million.")
    require(
        bool(np.any(rows[:, 3] > 0)), f"{path} has no amplitude above zero: give lines of h k l F."
    )
    return rows


def cell_and_group(path):
    """Unit cell and space group of a model or an MTZ file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    cell : tuple of 6 float
        Edges (angstrom), angles (degree).
    group : str
        Hermann-Mauguin symbol, with its setting where there are two.

    Raises
    ------
    InputError
        If the file has none or cannot be used.
    """
    kind = kind_of(path)
    cellless = f"{path} is read as lines of h k l F, which have no cell"
    remedy = (
        f"set crystal.factors={path}, crystal.cell and crystal.space_group instead of --crystal"
    )
    require(
        kind != "text", f"{cellless}: {remedy}; models end in {', '.join(MODELS)}, tables in .mtz."
    )
    if kind == "mtz":
        mtz = read_mtz(path)
        cell, group = mtz.cell, mtz.spacegroup
    else:
        structure = read_structure(path)
        cell, group = structure.cell, structure.find_spacegroup()
    edges = tuple(float(x) for x in cell.parameters)
    try:
        cell_vectors(*edges)
        check_symmetry(edges, group.xhm())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return edges, group.xhm()


def check_symmetry(cell, space_group):
    """Refuse a cell that the space group does not allow, such as unequal a and b in a tetragonal
    one.

    Parameters
    ----------
    cell : tuple of 6 float
    space_group : str

    Raises
    ------
    InputError
        If they do not fit, or the space group is unknown.
    """
    import gemmi

    group = gemmi.find_spacegroup_by_name(space_group)
    require(
        group is not None, f"Unknown space group {space_group!r}: give a Hermann-Mauguin symbol."
    )
    fits = gemmi.UnitCell(*cell).is_compatible_with_spacegroup(group, LARGEST_MISFIT)
    system = f"{group.xhm()} is {group.crystal_system_str()}"
    require(fits, f"Cell {list(cell)} does not fit its space group, {system}: change one of them.")


def require_agreement(recipe):
    """Refuse a recipe whose file of structure factors has another cell or space group.

    Parameters
    ----------
    recipe : experiment.CrystalRecipe

    Raises
    ------
    InputError
        If they differ by more than rounding.
    """
    import gemmi

    if kind_of(recipe.factors) == "text":
        return
    cell, group = cell_and_group(recipe.factors)
    same = gemmi.UnitCell(*cell).is_similar(gemmi.UnitCell(*recipe.cell), 1e-3, 0.1)
    same = same and gemmi.find_spacegroup_by_name(recipe.space_group).xhm() == group
    theirs = f"{recipe.factors} has cell {list(cell)} in {group}"
    ours = f"the station has {list(recipe.cell)} in {recipe.space_group}"
    require(same, f"{theirs}, {ours}: take both from the file with --crystal {recipe.factors}.")
