"""Shots from the shell: settings, crystals from files, arrays; and what happens to bad input."""

import json
import subprocess
import sys

import gemmi
import numpy as np
import pytest

from diffranet_utils import simulate, stations
from diffranet_utils.errors import InputError
from diffranet_utils.stations import DIFFRANET

QUICK = ("--set", "crystal.n_domains=5", "--set", "stream.p_crystal=1", "--set", "energy_sigma=0.1")


def call(*arguments):
    command = [sys.executable, "-m", "diffranet_utils.cli", "simulate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def model(tmp_path):
    """A PDB file of two atoms in an orthorhombic cell."""
    structure = gemmi.Structure()
    structure.cell, structure.spacegroup_hm = gemmi.UnitCell(50, 60, 70, 90, 90, 90), "P 21 21 21"
    chain, residue = gemmi.Chain("A"), gemmi.Residue()
    residue.name, residue.seqid = "GLY", gemmi.SeqId("1")
    for name, place in (("N", (5, 5, 5)), ("CA", (6, 5, 6))):
        atom = gemmi.Atom()
        atom.name, atom.element, atom.pos, atom.b_iso = name, gemmi.Element(name[0]), gemmi.Position(*place), 20.0
        residue.add_atom(atom)
    chain.add_residue(residue)
    structure.add_model(gemmi.Model(1))
    structure[0].add_chain(chain)
    path = tmp_path / "two.pdb"
    structure.write_pdb(str(path))
    return path


@pytest.fixture
def mtz(tmp_path):
    """An MTZ file with one column of amplitudes to 5 angstrom."""
    data = gemmi.Mtz(with_base=True)
    data.spacegroup, data.cell = gemmi.find_spacegroup_by_name("P 21 21 21"), gemmi.UnitCell(50, 60, 70, 90, 90, 90)
    data.add_dataset("one")
    data.add_column("FC", "F")
    hkl = gemmi.make_miller_array(data.cell, data.spacegroup, 5.0)
    data.set_data(np.c_[hkl, np.full(len(hkl), 100.0)])
    path = tmp_path / "table.mtz"
    data.write_to_file(str(path))
    return path


def test_settings_reach_their_part():
    station = simulate.change(
        DIFFRANET,
        ["detector.distance_mm=100", "stream.p_ice=1", "layers.water=0.02", "layers.air=0", 'disorder=["compton"]',
         'shadows.beamstop={"radius_mm": 4, "arm_mm": 1}', "detector.n_fast=600"],
    )  # fmt: skip
    assert station.detector.distance_mm == 100 and station.stream.p_ice == 1 and station.disorder == ("compton",)
    assert [(layer.material, layer.thickness_mm) for layer in station.layers] == [("water", 0.02)]
    assert station.shadows.beamstop.radius_mm == 4 and station.detector.beam_fast_px == 301
    assert station.crystal == DIFFRANET.crystal


def test_arrays_and_truth_belong_together(tmp_path):
    result = call("--n", 1, "--arrays", "--out", tmp_path, "--set", "shadows.hot=0.001", *QUICK)
    assert result.returncode == 0, result.stderr
    truth, arrays = json.loads((tmp_path / "shot_000001.json").read_text()), np.load(tmp_path / "shot_000001.npz")
    assert truth["n_crystals"] == 1 and set(arrays) >= {"counts", "bragg", "background", "mask_hot", "spots_1"}
    assert arrays["spots_1"]["photons"].sum() == pytest.approx(arrays["bragg"].sum(dtype=float), rel=1e-5)
    assert (arrays["counts"][arrays["mask_hot"]] == 65025).all() and arrays["mask_hot"].any()


def test_crystals_come_from_files(tmp_path, model, mtz):
    for path, column in ((model, ""), (mtz, "FC")):
        recipe = simulate.crystal_from_file(DIFFRANET.crystal, path, column)
        assert recipe.cell == pytest.approx((50, 60, 70, 90, 90, 90)) and recipe.space_group == "P 21 21 21"
    options = ("--crystal", mtz, "--column", "FC", "--set", "crystal.d_min_A=5")
    assert call("--out", tmp_path / "a", *options, *QUICK).returncode == 0
    form = stations.unit_crystal(simulate.change(DIFFRANET, []).crystal)
    assert form.factors.d_min_A(form.cell_vectors_A) == pytest.approx(2.2, abs=0.01)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--set", "detector.distanc=3"), "distance_mm"),
        (("--set", "detector.n_slow=-3"), "n_slow is -3"),
        (("--set", "beam_um=0"), "beam_um is 0"),
        (("--set", "nonsense"), "name=value"),
        (("--set", "wavelength_A=green"), "wavelength_A"),
        (("--set", "crystal.cell=[1, 2, 3, 4, 5, 180]"), "No unit cell"),
        (("--set", "detector.beam_fast_px=900"), "must fall on the detector"),
        (("--set", 'shadows.beamstop={"r": 1}'), "beamstop"),
        (("--set", "layers.gold=1"), "gold"),
        (("--set", "stream.p_crystal=2"), "p_crystal"),
        (("--set", "photons=-1"), "photons"),
        (("--set", "crystal.factors=missing.hkl"), "missing.hkl"),
        (("--crystal", "missing.pdb"), "missing.pdb"),
    ],
)
def test_bad_settings_are_one_line_and_write_nothing(tmp_path, options, word):
    result = call("--out", tmp_path / "out", *options)
    assert result.returncode == 2 and word in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_bad_files_are_named(tmp_path, model, mtz):
    with pytest.raises(InputError, match="FOO"):
        stations.unit_crystal(simulate.crystal_from_file(DIFFRANET.crystal, mtz, "FOO"))
    with pytest.raises(InputError, match="finer|ends at"):
        stations.unit_crystal(simulate.crystal_from_file(DIFFRANET.crystal, mtz, "FC"))
    empty, cellless = tmp_path / "empty.pdb", tmp_path / "cellless.pdb"
    empty.write_text("END\n")
    cellless.write_text("".join(line for line in model.open() if not line.startswith("CRYST1")))
    for path, word in ((empty, "atoms"), (cellless, "unit cell")):
        with pytest.raises(InputError, match=word):
            simulate.crystal_from_file(DIFFRANET.crystal, path)
