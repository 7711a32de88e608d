"""The study's collection: structures read once, their curves, and more curves made from them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffranet_utils.core.errors import MissingDataError, require
from diffranet_utils.core.files import atomic_path
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.core.progress import progress
from diffranet_utils.core.workers import completed
from diffranet_utils.studies.space_groups.augment import Variety, varied_curve
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import normalised, pair_curve
from diffranet_utils.studies.space_groups.labels import NUMBERS, class_index
from diffranet_utils.studies.space_groups.random_crystals import random_crystal
from diffranet_utils.studies.space_groups.structures import (
    Entry,
    read_cif_folder,
    read_minerals,
    reduced_formula,
    with_symmetry,
    without_duplicates,
)
from diffranet_utils.studies.space_groups.substitution import substituted

CHUNK = 500  # curves that one task of a worker makes
TRAINING_VARIETY = Variety(strain=0.08)  # a curve keeps its group when all lengths grow alike
VARIED = 0.5  # fraction of made curves that differ in temperature, resolution and noise
NO_PARENT = -1
KINDS = ("varied", "substituted", "random")
READING = ("structures", "crystal", "labels")
MAKING = ("collection", "augment", "curves", "random_crystals", "substitution")


@dataclass(frozen=True)
class Collection:
    """Curves with their labels.

    Parameters
    ----------
    x : ndarray, shape (n, 209), float32
        Normalised curves.
    labels : ndarray of int, shape (n,)
        Class of each, 0 to 44.
    names, prototypes : ndarray of str, shape (n,)
        Mineral or formula; group and Wyckoff letters.
    parents : ndarray of int, shape (n,)
        Row of the entry that a substituted structure comes from; `NO_PARENT` for other curves.
    """

    x: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    prototypes: np.ndarray
    parents: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """Some of the curves, in the order of `rows` (numbers or a mask)."""
        return Collection(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def entries_file(folder, cif_dir=None, stride=1):
    """File with the structures of the 45 groups; they are read and stored if it is missing.

    Parameters
    ----------
    folder : path-like
        Where the file lies; made if missing.
    cif_dir : path-like, optional
        Folder of CIF files to read in place of the mineral data base.
    stride : int
        Read every so many entries of the data base.

    Returns
    -------
    Path
        For `load_entries`; duplicates are still in it.
    """
    code = code_fingerprint(*(f"diffranet_utils.studies.space_groups.{name}" for name in READING))
    source = "minerals" if cif_dir is None else f"cif-{Path(cif_dir).resolve().name}"
    path = Path(folder) / f"structures-{source}-{stride}-{code}.npz"
    if not path.is_file():
        found = _cif_entries(cif_dir) if cif_dir is not None else read_minerals(stride=stride)
        found = progress(found, title="structures", unit="structure")
        write_entries(path, [entry for entry in found if entry.group in NUMBERS])
    return path


def _cif_entries(folder):
    for _, crystal in read_cif_folder(folder):  # numbered files of one compound are one family
        entry = with_symmetry(reduced_formula(crystal), crystal)
        if entry is not None:
            yield entry


def write_entries(path, entries):
    """Write structures with their symmetry into one NPZ file, without pickling."""
    require(
        len(entries) > 0, f"No structure of the study's groups for {path}. Name another folder."
    )
    sizes = [len(entry.crystal.atomic_numbers) for entry in entries]
    atoms = {
        name: np.concatenate([getattr(entry.crystal, name) for entry in entries])
        for name in ("fractional", "atomic_numbers", "occupancy", "orbit")
    }
    about = {
        name: np.array([getattr(entry, name) for entry in entries])
        for name in ("name", "group", "wyckoff")
    }
    lattices = np.array([entry.crystal.lattice_A for entry in entries])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, sizes=sizes, lattice_A=lattices, **atoms, **about)


def load_entries(path):
    """Read what `write_entries` wrote.

    Raises
    ------
    MissingDataError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise MissingDataError(f"{path} does not exist. Read the structures first.")
    with np.load(path, allow_pickle=False) as file:
        table = dict(file)
    ends = np.cumsum(table["sizes"])
    entries = []
    for k, (start, end) in enumerate(zip(ends - table["sizes"], ends, strict=True)):
        atoms = (
            table[name][start:end]
            for name in ("fractional", "atomic_numbers", "occupancy", "orbit")
        )
        crystal = CrystalStructure(table["lattice_A"][k], *atoms)
        entries.append(
            Entry(str(table["name"][k]), crystal, int(table["group"][k]), str(table["wyckoff"][k]))
        )
    return entries


def curves_of(entries, settings=None):
    """Collection of the plain curves of structures, in their order."""
    return _collection(
        [(entry, pair_curve(entry.crystal, settings), NO_PARENT) for entry in entries]
    )


def _collection(rows):
    entries, curves, parents = zip(*rows, strict=True)
    return Collection(
        normalised(curves).astype(np.float32),
        np.array([class_index(entry.group) for entry in entries]),
        np.array([entry.name for entry in entries]),
        np.array([entry.prototype for entry in entries]),
        np.array(parents),
    )


@dataclass(frozen=True)
class Recipe:
    """What one task of a worker makes.

    Parameters
    ----------
    kind : str
        One of `KINDS`: a structure of the collection in another measurement, its isotype, or a
        random crystal.
    n : int
        Curves.
    seed : tuple of int
        Of this task.
    entries : path-like
        File of the structures to start from.
    """

    kind: str
    n: int
    seed: tuple
    entries: str


def make_curves(recipe):
    """Curves of varied, substituted or random structures.

    Groups are drawn evenly for random crystals; entries of rare groups are drawn more often than
    others, by one over the root of their number.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    Collection
    """
    rng = np.random.default_rng(recipe.seed)
    entries = _unique_entries(recipe.entries) if recipe.kind != "random" else []
    chances = _chances(entries)
    rows = []
    while len(rows) < recipe.n:
        parent = int(rng.choice(len(entries), p=chances)) if entries else NO_PARENT
        entry = _made(recipe.kind, entries[parent] if entries else None, rng)
        if entry is not None and entry.group in NUMBERS:
            plain = recipe.kind != "varied" and rng.random() >= VARIED
            curve = (
                pair_curve(entry.crystal)
                if plain
                else varied_curve(entry.crystal, TRAINING_VARIETY, rng)
            )
            rows.append((entry, curve, parent))
    return _collection(rows)


def _made(kind, entry, rng):
    if kind == "random":
        return random_crystal(NUMBERS[rng.integers(len(NUMBERS))], rng)
    return entry if kind == "varied" else substituted(entry, rng)


def _chances(entries):
    if not entries:
        return None
    groups = np.array([entry.group for entry in entries])
    weights = np.array([(groups == group).sum() for group in groups]) ** -0.5
    return weights / weights.sum()


_LOADED = {}  # structures of this process, by file: reading them takes longer than a task


def _unique_entries(path):
    if path not in _LOADED:
        _LOADED[path] = without_duplicates(load_entries(path))
    return _LOADED[path]


def made_collection(kind, n, seed, path, workers=1):
    """Many made curves, in files of `CHUNK` beside the structures, so that a stopped run goes on.

    Parameters
    ----------
    kind : str
        See `Recipe`.
    n : int
        Curves; rounded up to whole chunks.
    seed : int
        Of all chunks.
    path : Path
        File of the structures, from `entries_file`.
    workers : int
        Processes that make curves.

    Returns
    -------
    Collection
        In the order of the chunks, whoever made them.
    """
    code = code_fingerprint(*(f"diffranet_utils.studies.space_groups.{name}" for name in MAKING))
    folder = path.parent / f"made-{path.stem}-{code}"
    recipes = {
        folder / f"{kind}-{seed}-{k:04d}.npz": Recipe(
            kind, CHUNK, (seed, KINDS.index(kind), k), str(path)
        )
        for k in range(-(-n // CHUNK))
    }
    missing = [(target, recipe) for target, recipe in recipes.items() if not target.is_file()]
    done = completed(_store_curves, missing, workers if len(missing) > 1 else 1)
    for _ in progress(done, total=len(missing), title=f"{kind} curves", unit="chunk"):
        pass
    return joined([_load_curves(target) for target in recipes])


def joined(collections):
    """One collection from several, in their order."""
    fields = Collection.__dataclass_fields__
    return Collection(
        *(np.concatenate([getattr(part, name) for part in collections]) for name in fields)
    )


def _store_curves(task):
    target, recipe = task
    made = make_curves(recipe)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **{name: getattr(made, name) for name in Collection.__dataclass_fields__})


def _load_curves(path):
    with np.load(path, allow_pickle=False) as file:
        return Collection(**file)
