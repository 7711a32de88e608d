"""Crystal structures to learn from: the mineral data base, JSON tables and CIF files.

The minerals are those of the American Mineralogist Crystal Structure Database (Downs &
Hall-Wallace, 2003, Am. Mineral. 88, 247-250) as the package larixite carries them.
"""

import gzip
import importlib.util
import json
import re
import sqlite3
import warnings
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.studies.space_groups.crystal import CrystalStructure

SYMMETRY_TOLERANCE_A = 0.01
COORDINATE_UNIT = 4e6  # the data base stores coordinates as integers of 1 / 4,000,000
SAME_SITE = 1e-3
SAME_ATOM_A = 0.05
MOST_ATOMS = 1000
UNNAMED = ("", "<missing>")  # what the data base writes where a crystal is no named mineral
#: Site names of the data base that are no element symbols, and the atom that scatters there.
SITE_NAMES = {
    "Wat": "O",
    "WAT": "O",
    "OH": "O",
    "Oh": "O",
    "O-H": "O",
    "H2O": "O",
    "Ow": "O",
    "OW": "O",
    "REE": "La",
}


@dataclass(frozen=True)
class Entry:
    """A structure with its name and symmetry.

    Parameters
    ----------
    name : str
        Mineral, or reduced formula where there is none: structures of one name are one family.
    crystal : CrystalStructure
        The atoms, with their orbits.
    group : int
        Number of the space group that spglib finds.
    wyckoff : str
        Sorted Wyckoff letters of the orbits; with the group it names the prototype.
    """

    name: str
    crystal: CrystalStructure
    group: int
    wyckoff: str

    @property
    def prototype(self):
        """Group and Wyckoff letters, such as ``225:ab``."""
        return f"{self.group}:{self.wyckoff}"


def with_symmetry(name, crystal, tolerance_A=SYMMETRY_TOLERANCE_A):
    """Find the space group, the orbits and the Wyckoff letters of a structure.

    Parameters
    ----------
    name : str
        What the structure is called.
    crystal : CrystalStructure
        Its atoms.
    tolerance_A : float
        How far atoms may lie from their ideal places (spglib's symprec), angstrom.

    Returns
    -------
    Entry or None
        None where spglib finds no symmetry (overlapping atoms).

    Raises
    ------
    MissingDataError
        If spglib is not installed.
    """
    spglib = _package("spglib")
    kinds = crystal.atomic_numbers * 1000 + np.round(crystal.occupancy * 20).astype(int)
    cell = (crystal.lattice_A, crystal.fractional, np.unique(kinds, return_inverse=True)[1] + 1)
    with warnings.catch_warnings():  # spglib's word on its own error handling
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_symmetry_dataset(cell, symprec=tolerance_A)
        except spglib.SpglibError:
            found = None
    if found is None:
        return None
    orbit = found.crystallographic_orbits
    first = np.unique(orbit, return_index=True)[1]
    letters = "".join(sorted(found.wyckoffs[i] for i in first))
    fields = (crystal.lattice_A, crystal.fractional, crystal.atomic_numbers, crystal.occupancy)
    return Entry(name, CrystalStructure(*fields, orbit), int(found.number), letters)


def without_duplicates(entries):
    """Keep the first of all entries with one composition, group and cell (to 1 %).

    Parameters
    ----------
    entries : iterable of Entry
        Structures in order of preference.

    Returns
    -------
    list of Entry
        As the paper pruned its collection: same composition and same structure once.
    """
    kept = {}
    for entry in entries:
        kept.setdefault(_identity(entry), entry)
    return list(kept.values())


def _identity(entry):
    crystal = entry.crystal
    numbers, inverse = np.unique(crystal.atomic_numbers, return_inverse=True)
    amounts = np.bincount(inverse, crystal.occupancy)
    shares = np.round(amounts / amounts.sum(), 2)
    atom_volume_A3 = crystal.volume_A3 / crystal.occupancy.sum()
    size = round(float(np.log(atom_volume_A3)) / 0.03)  # 3 % in volume is 1 % in length
    return entry.prototype, tuple(numbers), tuple(shares), size


def read_minerals(path=None, check_group=True, stride=1):
    """Read the crystals of the mineral data base whose group spglib confirms.

    Parameters
    ----------
    path : path-like, optional
        SQLite file; that of the installed package larixite if left out.
    check_group : bool
        Leave out entries whose group differs from the one that is written with them.
    stride : int
        Read every so many entries, for a quick look.

    Yields
    ------
    Entry
        In the order of the data base; entries without usable coordinates are passed over.

    Raises
    ------
    MissingDataError
        If there is no such file or larixite is not installed.
    InputError
        If the file is not that data base.
    """
    rows, operations, names = _database(_mineral_path(path))
    for mineral, group_id, *row in rows[::stride]:
        symbol, symmetry = operations[group_id]
        crystal = _mineral_crystal(row, symmetry)
        entry = crystal and with_symmetry(_family(names.get(mineral, ""), crystal), crystal)
        if entry and (not check_group or entry.group == symmetry.number(symbol)):
            yield entry


def _family(mineral, crystal):
    return reduced_formula(crystal) if mineral.strip() in UNNAMED else mineral


def reduced_formula(crystal):
    """Composition in whole atoms of the cell without their common factor, such as ``CaO3Ti``.

    Parameters
    ----------
    crystal : CrystalStructure
        Sites that are filled in part count as such; the sum of each element is rounded, to at least
        one atom.

    Returns
    -------
    str
        Elements in alphabetical order.
    """
    numbers, inverse = np.unique(crystal.atomic_numbers, return_inverse=True)
    amounts = np.bincount(inverse, crystal.occupancy)
    atoms = np.maximum(np.rint(amounts).astype(int), 1)
    atoms = atoms // np.gcd.reduce(atoms)
    parts = zip((gemmi.Element(int(number)).name for number in numbers), atoms, strict=True)
    return "".join(symbol + (str(n) if n > 1 else "") for symbol, n in sorted(parts))


def _package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDataError(
            f"The package {name} is not installed. Install it with pip install {name}."
        ) from error


def _mineral_path(path):
    if path is None:
        found = importlib.util.find_spec("larixite")
        require_data = found is not None and found.submodule_search_locations
        if not require_data:
            raise MissingDataError(
                "The package larixite is not installed. Install it or name its amcsd_cif1.db."
            )
        path = Path(next(iter(found.submodule_search_locations))) / "amcsd_cif1.db"
    if not Path(path).is_file():
        raise MissingDataError(f"{path} does not exist. Name the file amcsd_cif1.db of larixite.")
    return Path(path)


def _database(path):
    cell = "mineral_id, spacegroup_id, a, b, c, alpha, beta, gamma"
    columns = f"{cell}, atoms_sites, atoms_x, atoms_y, atoms_z"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            f"select {columns}, atoms_occupancy from cif order by id"
        ).fetchall()
        groups = connection.execute(
            "select id, hm_notation, symmetry_xyz from spacegroups"
        ).fetchall()
        names = dict(connection.execute("select id, name from minerals"))
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} is not the mineral data base: {error}. Name amcsd_cif1.db."
        ) from error
    finally:
        connection.close()
    return (
        rows,
        {number: (symbol, _Symmetry(json.loads(text))) for number, symbol, text in groups},
        names,
    )


class _Symmetry:
    """Operations of one setting of a space group."""

    def __init__(self, triplets):
        self.operations = [gemmi.Op(text) for text in triplets]
        scaled = [np.array(operation.float_seitz()) for operation in self.operations]
        self.turns = np.array([matrix[:3, :3] for matrix in scaled])
        self.shifts = np.array([matrix[:3, 3] for matrix in scaled])

    def number(self, symbol):
        """Number of the group; of the symbol where the operations are no standard setting."""
        found = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(self.operations))
        found = found or gemmi.find_spacegroup_by_name(symbol.replace("*", "").split(":")[0])
        return found.number if found else 0

    def orbit(self, place, lattice_A):
        """All different images of a place, shape (n_images, 3)."""
        images = (self.turns @ place + self.shifts) % 1.0
        apart = images[:, None] - images[None]
        apart = np.linalg.norm((apart - np.round(apart)) @ lattice_A, axis=-1)
        first = np.argmax(apart < SAME_ATOM_A, axis=1)
        return images[np.unique(first)]


def _mineral_crystal(row, symmetry):
    """Build a crystal from one row, or None where sites cannot be used."""
    *cell, sites, x, y, z, occupancy = row
    places = [_decoded(values) for values in (x, y, z)]
    numbers = [_atomic_number(site) for site in np.atleast_1d(json.loads(sites))]
    if None in numbers or any(values is None or len(values) != len(numbers) for values in places):
        return None
    places = _snapped(np.array(places).T)
    if np.abs(places).max() >= 1.9:  # the mark of an unknown coordinate
        return None
    filled = _decoded(occupancy)
    filled = (
        np.ones(len(numbers))
        if filled is None
        else np.where((filled <= 0) | (filled > 1), 1, filled)
    )
    lattice_A = _lattice(cell)
    if lattice_A is None or len(filled) != len(numbers):
        return None
    return _filled_cell(lattice_A, _merged_sites(places, numbers, filled), symmetry)


def _filled_cell(lattice_A, sites, symmetry):
    """All atoms of a cell from its different sites, or None where that is no crystal."""
    atoms = []
    for place, number, share in sites:
        atoms += [(image, number, share) for image in symmetry.orbit(place, lattice_A)]
    if not 0 < len(atoms) <= MOST_ATOMS:
        return None
    fractional, charges, shares = zip(*atoms, strict=True)
    try:
        return CrystalStructure(
            lattice_A, np.array(fractional), np.array(charges), np.array(shares)
        )
    except InputError:
        return None


def _lattice(cell):
    """Cell vectors as rows, or None; some entries print a decimal comma."""
    try:
        lengths_and_angles = [float(text.replace(",", ".")) for text in cell]
    except ValueError:
        return None
    return np.array(gemmi.UnitCell(*lengths_and_angles).orth.mat.tolist()).T


def _decoded(text):
    if text in (0, "0", None):
        return None
    return np.frombuffer(b64decode(text), np.int32) / COORDINATE_UNIT


def _atomic_number(site):
    for start, symbol in SITE_NAMES.items():
        if site.startswith(start):
            return gemmi.Element(symbol).atomic_number
    found = re.match(r"[A-Z][a-z]?", site)
    for symbol in (found[0], found[0][0]) if found else ():
        number = gemmi.Element(symbol).atomic_number
        if number:
            return number
    return None


def _snapped(places):
    """Restore thirds and sixths that were printed with three or four digits."""
    ideal = np.round(places * 6) / 6
    return np.where(np.abs(places - ideal) < 6e-4, ideal, places)


def _merged_sites(places, numbers, filled):
    """One atom for each place: the commonest element there, with the sum of the occupancies."""
    merged = []
    for place, number, share in zip(places, numbers, filled, strict=True):
        same = next((m for m in merged if np.linalg.norm(m[0] - place) < SAME_SITE), None)
        if same is None:
            merged.append((place, [(share, number)]))
        else:
            same[1].append((share, number))
    return [
        (place, max(there)[1], min(1.0, sum(share for share, _ in there)))
        for place, there in merged
    ]


def read_json_structures(path):
    """Read a table of structures: a list of ``{formula, lattice, frac, z}``.

    Parameters
    ----------
    path : path-like
        JSON, or gzipped JSON where the name ends in ``.gz``.

    Returns
    -------
    list of (str, CrystalStructure)
        Formula (or id) and structure.

    Raises
    ------
    MissingDataError
        If the file is missing.
    InputError
        If it is not such a table.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} does not exist. Name a JSON file of structures.")
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as text:
            rows = json.load(text)
        return [
            (str(r.get("formula", r.get("id", k))), _json_crystal(r)) for k, r in enumerate(rows)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no table of structures: {error}. It needs lattice, frac and z of each."
        ) from error


def _json_crystal(row):
    return CrystalStructure(
        np.array(row["lattice"], float), np.array(row["frac"], float), np.array(row["z"])
    )


def read_cif(path):
    """Read one structure from a CIF file.

    Parameters
    ----------
    path : path-like
        A small-molecule or inorganic CIF.

    Returns
    -------
    CrystalStructure
        All atoms of the cell.

    Raises
    ------
    MissingDataError
        If the file is missing.
    InputError
        If it holds no structure.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} does not exist. Name a CIF file.")
    try:
        small = gemmi.read_small_structure(str(path))
    except (RuntimeError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is no readable CIF: {error}. Check the file.".replace("\n", " ")
        ) from error
    sites = [site for site in small.get_all_unit_cell_sites() if site.element.atomic_number]
    require(bool(sites), f"{path} holds no atoms with coordinates. Leave it out.")
    return CrystalStructure(
        np.array(small.cell.orth.mat.tolist()).T,
        np.array([site.fract.tolist() for site in sites]),
        np.array([site.element.atomic_number for site in sites]),
        np.array([site.occ for site in sites]),
    )


def read_cif_folder(folder):
    """Read all CIF files of a folder and its sub-folders.

    Parameters
    ----------
    folder : path-like
        Where the files lie.

    Returns
    -------
    list of (str, CrystalStructure)
        Name and structure in the order of the names.

    Raises
    ------
    MissingDataError
        If there is no such folder or no CIF in it.
    InputError
        If a file cannot be read.
    """
    paths = sorted(Path(folder).rglob("*.cif"))
    if not paths:
        raise MissingDataError(f"{folder} holds no .cif file. Name a folder with CIF files.")
    return [(path.stem, read_cif(path)) for path in paths]
