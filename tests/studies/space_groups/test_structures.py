import gzip
import importlib.util
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.space_groups import structures
from diffranet_utils.studies.space_groups.crystal import CrystalStructure

ROCK_SALT = """data_x
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""


def test_cif_fills_the_cell_and_spglib_names_its_group(tmp_path):
    pytest.importorskip("spglib")
    (tmp_path / "salt.cif").write_text(ROCK_SALT)
    [(name, crystal)] = structures.read_cif_folder(tmp_path)
    entry = structures.with_symmetry(name, crystal)
    assert (name, sorted(crystal.atomic_numbers)) == ("salt", [11] * 4 + [17] * 4)
    assert entry.prototype == "225:ab"
    assert len(set(entry.crystal.orbit)) == 2


def test_duplicates_by_composition_group_and_cell():
    pytest.importorskip("spglib")

    def cubic(edge_A, number):
        return structures.with_symmetry(
            "", CrystalStructure(np.eye(3) * edge_A, np.zeros((1, 3)), [number])
        )

    entries = [cubic(3.0, 84), cubic(3.0005, 84), cubic(3.3, 84), cubic(3.0, 29)]
    assert structures.without_duplicates(entries) == [entries[0], entries[2], entries[3]]


def test_minerals_have_their_known_groups():
    pytest.importorskip("spglib")
    if (
        importlib.util.find_spec("larixite") is None
    ):  # its file is read, its own requirements are not needed
        pytest.skip("install larixite, which carries the data base")
    first = list(itertools.islice(structures.read_minerals(), 5))
    assert {("Galena", 225), ("Pyrite", 205), ("Marcasite", 58)} <= {
        (e.name, e.group) for e in first
    }
    galena = next(e.crystal for e in first if e.name == "Galena")
    assert galena.volume_A3 == pytest.approx(5.93**3)
    assert sorted(galena.atomic_numbers) == [16] * 4 + [82] * 4


@pytest.mark.parametrize(
    ("numbers", "occupancy", "formula"),
    [
        ([22, 20, 8, 8, 8], [1, 1, 1, 1, 1], "CaO3Ti"),
        ([11] * 4 + [17] * 4, [1] * 8, "ClNa"),
        ([26, 26, 16, 16], [0.5, 0.46, 1, 1], "FeS2"),
        ([29], [0.2], "Cu"),
    ],
)
def test_formula_of_a_cell(numbers, occupancy, formula):
    places = np.linspace(0, 0.9, 3 * len(numbers)).reshape(-1, 3)
    crystal = CrystalStructure(5 * np.eye(3), places, numbers, occupancy)
    assert structures.reduced_formula(crystal) == formula


def test_crystals_without_a_mineral_name_are_named_by_composition():
    pytest.importorskip("spglib")
    if importlib.util.find_spec("larixite") is None:
        pytest.skip("install larixite, which carries the data base")
    names = [entry.name for entry in structures.read_minerals(stride=100)]
    assert len(names) > 50
    assert not set(structures.UNNAMED) & set(names)
    assert len(set(names)) > 0.8 * len(names)


def test_json_structures_plain_and_gzipped(tmp_path):
    text = json.dumps(
        [{"formula": "Po", "lattice": np.eye(3).tolist(), "frac": [[0, 0, 0]], "z": [84]}]
    )
    text = text.replace("1.0", "3.35")
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.json", "b.json.gz"):
        [(formula, crystal)] = structures.read_json_structures(tmp_path / name)
        assert formula == "Po"
        assert crystal.volume_A3 == pytest.approx(3.35**3)


def test_group_of_another_data_base():
    pytest.importorskip("spglib")
    folder = os.environ.get("DIFFRANET_PDF")
    if not folder:
        pytest.skip("set DIFFRANET_PDF to the folder that holds mp_binaries.json.gz")
    path = Path(folder) / "mp_binaries.json.gz"
    truth = [row["group"] for row in json.loads(gzip.decompress(path.read_bytes()))[:200]]
    entries = [
        structures.with_symmetry(*pair) for pair in structures.read_json_structures(path)[:200]
    ]
    assert np.mean([e.group == t for e, t in zip(entries, truth, strict=True)]) > 0.98


@pytest.mark.parametrize("text", ["[{}]", "{", "[1]", '[{"lattice": 1, "frac": [], "z": []}]'])
def test_files_that_are_no_tables_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="a.json|atoms"):
        structures.read_json_structures(tmp_path / "a.json")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.cif").write_text("data_empty\n")
    with pytest.raises(InputError, match="a.cif"):
        structures.read_cif(tmp_path / "a.cif")
    (tmp_path / "a.db").write_text("no data base" * 100)
    with pytest.raises(InputError, match="a.db"):
        list(structures.read_minerals(tmp_path / "a.db"))
    with pytest.raises(MissingDataError, match="none.db"):
        list(structures.read_minerals(tmp_path / "none.db"))
    with pytest.raises(MissingDataError):
        structures.read_cif_folder(tmp_path / "none")
