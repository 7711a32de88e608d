"""Shots from the shell: settings, crystals from files, arrays; and what happens to bad input."""

import gzip
import itertools
import json
import subprocess
import sys
import warnings
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from diffranet_utils.cli import main as cli
from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals import bragg
from diffranet_utils.studies.diffranet import shots, simulate, stations
from diffranet_utils.studies.diffranet.stations import DIFFRANET

QUICK = ("--set", "crystal.n_domains=5", "--set", "stream.p_crystal=1", "--set", "energy_sigma=0.1")


def call(*arguments):
    command = [sys.executable, "-m", "diffranet_utils.cli.main", "simulate", *map(str, arguments)]
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
        atom.name, atom.element, atom.pos, atom.b_iso = (
            name,
            gemmi.Element(name[0]),
            gemmi.Position(*place),
            20.0,
        )
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
    data.spacegroup, data.cell = (
        gemmi.find_spacegroup_by_name("P 21 21 21"),
        gemmi.UnitCell(50, 60, 70, 90, 90, 90),
    )
    data.add_dataset("one")
    data.add_column("FC", "F")
    hkl = gemmi.make_miller_array(data.cell, data.spacegroup, 5.0)
    data.set_data(np.c_[hkl, np.full(len(hkl), 100.0)])
    path = tmp_path / "table.mtz"
    data.write_to_file(str(path))
    return path


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run the command in this process; it must fail with exit code 2 and one line, which is
    returned.
    """

    def run(*options):
        monkeypatch.setattr(
            sys,
            "argv",
            ["diffranet", "simulate", "--out", str(tmp_path / "out"), *map(str, options)],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(SystemExit) as stop:
                cli.main()
        said = capsys.readouterr()
        assert stop.value.code == 2 and len(said.err.splitlines()) == 1 and not said.out, said.err
        assert not (tmp_path / "out").exists()
        return said.err

    return run


def with_settings(settings):
    return [word for setting in settings for word in ("--set", setting)]


def test_settings_reach_their_part():
    station = simulate.change(
        DIFFRANET,
        ["detector.distance_mm=100", "stream.p_ice=1", "layers.water=0.02", "layers.air=0",
            'disorder=["compton"]',
         'shadows.beamstop={"radius_mm": 4, "arm_mm": 1}', "detector.n_fast=600"],
    )  # fmt: skip
    assert (
        station.detector.distance_mm == 100
        and station.stream.p_ice == 1
        and station.disorder == ("compton",)
    )
    assert [(layer.material, layer.thickness_mm) for layer in station.layers] == [("water", 0.02)]
    assert station.shadows.beamstop.radius_mm == 4 and station.detector.beam_fast_px == 301
    assert station.crystal == DIFFRANET.crystal


def test_arrays_and_truth_belong_together(tmp_path):
    result = call("--n", 1, "--arrays", "--out", tmp_path, "--set", "shadows.hot=0.001", *QUICK)
    assert result.returncode == 0, result.stderr
    truth, arrays = (
        json.loads((tmp_path / "shot_000001.json").read_text()),
        np.load(tmp_path / "shot_000001.npz"),
    )
    assert truth["n_crystals"] == 1 and set(arrays) >= {
        "counts",
        "bragg",
        "background",
        "mask_hot",
        "spots_1",
    }
    assert arrays["spots_1"]["photons"].sum() == pytest.approx(
        arrays["bragg"].sum(dtype=float), rel=1e-5
    )
    assert (arrays["counts"][arrays["mask_hot"]] == 65025).all() and arrays["mask_hot"].any()


def test_crystals_come_from_files(tmp_path, model, mtz):
    for path, column in ((model, ""), (mtz, "FC")):
        recipe = simulate.crystal_from_file(DIFFRANET.crystal, path, column)
        assert (
            recipe.cell == pytest.approx((50, 60, 70, 90, 90, 90))
            and recipe.space_group == "P 21 21 21"
        )
    options = (
        "--crystal",
        mtz,
        "--column",
        "FC",
        "--set",
        "crystal.d_min_A=5.01",
        "--set",
        "detector.distance_mm=260",
    )
    assert call("--out", tmp_path / "a", *options, *QUICK).returncode == 0
    form = stations.unit_crystal(simulate.change(DIFFRANET, []).crystal)
    assert form.factors.d_min_A(form.cell_vectors_A) == pytest.approx(2.2, abs=0.01)


def test_the_order_of_settings_does_not_matter():
    settings = ["detector.beam_slow_px=590", "detector.n_slow=600", "borders.weak=800",
        "borders.good=900",
                "spectrum.bandpass=0.01", "spectrum.n_wavelengths=3"]  # fmt: skip
    found = {simulate.change(DIFFRANET, order) for order in itertools.permutations(settings)}
    assert len(found) == 1 and found.pop().detector.beam_slow_px == 590
    centred = simulate.change(DIFFRANET, ["detector.beam_slow_px=257", "detector.n_slow=600"])
    assert centred.detector.beam_slow_px == 257  # also where it is the middle of the old size


def test_parts_come_and_go():
    station = simulate.change(
        stations.PILATUS, ["shadows.beamstop=null", "shadows.modules.gap=[3, 4]"]
    )
    assert station.shadows.beamstop is None and station.shadows.modules.gap == (3, 4)
    station = simulate.change(
        DIFFRANET, ["shadows.beamstop.bar=true", "shadows.beamstop.radius_mm=4"]
    )
    assert station.shadows.beamstop == simulate.Beamstop(4, bar=True)


def test_truth_names_all_ice_and_makes_the_shot_again(tmp_path):
    small = [
        "detector.n_slow=64",
        "detector.n_fast=64",
        "layers.ice=0.02",
        "stream.p_ice=1",
        "energy_sigma=0.1",
    ]
    station = simulate.change(DIFFRANET, [*small, "stream.p_crystal=0"])
    simulate.simulate_one(tmp_path / "one", [3, 7], station)
    truth = json.loads((tmp_path / "one.json").read_text())
    assert truth["ice_um"] == pytest.approx(20 + 5) and truth["station"] == "diffranet"
    again = shots.render_shot(
        shots.sample_shot(np.random.default_rng(truth["seed"]), station), station
    )
    assert (tmp_path / "one.pgm").read_bytes().endswith(again.image.tobytes())


def test_spot_shape_and_oversampling_are_settings():
    small = [
        "detector.n_slow=96",
        "detector.n_fast=96",
        "crystal.n_domains=1",
        "stream.p_crystal=1",
        "energy_sigma=0",
    ]
    station = simulate.change(DIFFRANET, [*small, "spot=gauss", "oversample=1"])
    shot = shots.sample_shot(np.random.default_rng(1), station)
    image = shots.render_shot(shot, station).bragg
    pose, beam = shot.crystals[0], station.beam(shot.photons, shot.wavelength_A)
    crystal = stations.unit_crystal(station.crystal).rotated(pose.rotation)
    wanted = bragg.expected_photons(
        crystal, beam, station.detector, pose.domains, oversample=1, spot="gauss"
    )
    default = bragg.expected_photons(crystal, beam, station.detector, pose.domains)
    assert np.allclose(image / image.max(), wanted / wanted.max(), rtol=1e-4, atol=1e-9)
    assert not np.allclose(image / image.max(), default / default.max(), rtol=0.1, atol=1e-3)


def test_stations_can_be_simulated_as_they_are():
    for station in stations.STATIONS.values():
        simulate.check(station, arrays=True)


def test_compressed_files_are_the_same_crystal(model, mtz):
    for path, column in ((model, ""), (mtz, "FC")):
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        plain, same = (
            simulate.crystal_from_file(DIFFRANET.crystal, one, column) for one in (path, packed)
        )
        assert same == replace(plain, factors=str(packed))
        tables = [
            stations.unit_crystal(replace(recipe, d_min_A=5.01)).factors.table
            for recipe in (plain, same)
        ]
        assert np.array_equal(*tables)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (["detector.distanc=3"], "distance_mm"),
        (["detector.n_slow=-3"], "n_slow is -3"),
        (["detector.n_slow=100.5"], "n_slow is 100.5"),
        (["detector.n_slow=100000", "detector.n_fast=100000"], "too large"),
        (["detector=3"], "detector"),
        (["beam_um=0"], "beam_um is 0"),
        (["beam_um=true"], "beam_um is True"),
        (["nonsense"], "name=value"),
        (["wavelength_A=green"], "wavelength_A"),
        (["wavelength_A=Infinity"], "wavelength_A is inf"),
        (["wavelength_sigma=0.2"], "wavelength_sigma"),
        (["crystal.cell=[1, 2, 3, 4, 5, 180]"], "No unit cell"),
        (["crystal.cell=[1, 2, 3]"], "crystal.cell"),
        (['crystal.cell=[1, 2, "a", 90, 90, 90]'], "crystal.cell.2 is 'a'"),
        (["crystal.cell=[117, 222, 308, 80, 90, 90]"], "orthorhombic"),
        (["crystal.space_group=P 41 21 2"], "tetragonal"),
        (["crystal.space_group=P 99"], "Unknown space group"),
        (["crystal.d_min_A=0.05"], "crystal.d_min_A to 1."),
        (["crystal.factors=missing.hkl"], "missing.hkl"),
        (["crystal.n_domains=2.5"], "n_domains is 2.5"),
        (["detector.beam_fast_px=900"], "must fall on the detector"),
        (['shadows.beamstop={"r": 1}'], "beamstop"),
        (["shadows.beamstop.arm_mm=1"], "radius_mm"),
        (['shadows.beamstop={"radius_mm": NaN}'], "radius_mm is nan"),
        (["shadows.seed=1.5"], "seed is 1.5"),
        (["readout.calibration_seed=-1"], "calibration_seed is -1"),
        (["readout.offset=1e999"], "offset is inf"),
        (["layers.gold=1"], "gold"),
        (["layers.water=NaN"], "thickness_mm is nan"),
        (["stream.p_crystal=2"], "p_crystal"),
        (["stream.edge_sigma=0", "stream.edge_max_um=5"], "edge_max_um"),
        (["photons=-1"], "photons"),
        (["borders.weak=-1"], "weak -1"),
        (["borders.weak=800"], "weak 800, good 700"),
        (["spectrum.steps=[2, 2]"], "corners"),
        (["spectrum.divergence_mrad=[-1, 0]"], "negative"),
        (["spectrum.divergence_mrad=[1, 0]", "spectrum.steps=[1, 3]"], "no effect"),
        (["spectrum.bandpass=-0.1"], "negative"),
        (["spectrum.bandpass=0.01"], "n_wavelengths"),
        (["spectrum.bandpass=2", "spectrum.n_wavelengths=3"], "wavelength zero"),
        (["spot=star"], "tophat"),
        (["oversample=0"], "oversample"),
        (["disorder=[1]"], "disorder"),
    ],
)
def test_bad_settings_are_one_line_and_write_nothing(refused, settings, word):
    assert word in refused("--n", 6, *with_settings(settings))


def test_a_process_of_its_own_says_no_more(tmp_path):
    result = call("--out", tmp_path / "out", "--set", "crystal.cell=[1, 2, 3]")
    assert (
        result.returncode == 2
        and len(result.stderr.splitlines()) == 1
        and not (tmp_path / "out").exists()
    )


def changed_model(model, cell_line):
    """The model with another CRYST1 record, or with none."""
    path = model.with_name("changed.pdb")
    atoms = [line for line in model.open() if not line.startswith("CRYST1")]
    path.write_text("".join([cell_line + "\n", *atoms] if cell_line else atoms))
    return path


@pytest.mark.parametrize(
    ("cell_line", "word"),
    [
        ("", "no unit cell"),
        ("CRYST1   50.000   60.000   70.000  90.00  90.00  90.00", "no space group"),
        ("CRYST1   50.000   60.000   70.000  90.00  90.00  90.00 P 99", "'P 99'"),
        ("CRYST1   50.000   60.000   70.000  90.00  90.00  90.00 P 41 21 2", "tetragonal"),
        (
            "CRYST1   50.000   60.000   70.000  10.00  20.00 150.00 P 1",
            "No unit cell has edges [50.0, 60.0, 70.0]",
        ),
    ],
)
def test_models_need_a_cell_with_its_symmetry(refused, model, cell_line, word):
    line = refused("--crystal", changed_model(model, cell_line))
    assert word in line and "changed.pdb" in line


def test_bad_models_are_named(refused, model, tmp_path):
    empty = tmp_path / "empty.pdb"
    empty.write_text("END\n")
    assert "empty.pdb has no atoms" in refused("--crystal", empty)
    assert "missing.pdb" in refused("--crystal", "missing.pdb")
    assert "too many" in refused("--crystal", model, "--set", "crystal.d_min_A=0.05")
    assert "no MTZ" in refused("--crystal", model, "--column", "FC")
    assert f"--crystal {model}" in refused(
        "--set", f"crystal.factors={model}"
    )  # with the station's own cell


def test_bad_columns_are_named(refused, mtz):
    assert "no column 'FOO'" in refused("--crystal", mtz, "--column", "FOO")
    assert "type H" in refused("--crystal", mtz, "--column", "K")  # Miller indices
    assert "name the column" in refused("--crystal", mtz)
    assert "add --crystal" in refused("--column", "FC")
    assert "ends at 5.0" in refused(
        "--crystal", mtz, "--column", "FC", "--set", "crystal.d_min_A=3"
    )
    other = ("--set", f"crystal.factors={mtz}", "--set", "crystal.column=FC")
    assert f"--crystal {mtz}" in refused(*other)


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "no reflections"), ("nan 2 3 4\n", "NaN"), ("1 2 3 -4\n", "negative"),
        ("1 2 3 0\n", "above zero"),
     ("0 0 1 5\n900000 900000 1 5\n", "too large"), ("1.5 2 3 4\n", "whole numbers")],
)  # fmt: skip
def test_bad_lists_are_named(refused, tmp_path, text, word):
    path = tmp_path / "f.hkl"
    path.write_text(text)
    assert word in refused("--set", f"crystal.factors={path}")
    assert "crystal.cell" in refused("--crystal", path)  # a list has no cell


def test_corners_beyond_the_table_are_refused(refused, mtz):
    # Bragg's law at the farthest corner, 256.5 pixels down and across, for a wavelength three sigma
    # below the mean.
    angle = np.arctan(256.5 * np.sqrt(2) * 0.172 / 50)
    finest = 1.5 * (1 - 3 * 0.005) / (2 * np.sin(angle / 2))
    line = refused("--set", "detector.distance_mm=50")
    assert (
        f"sees {finest:.2f} A" in line
        and f"crystal.d_min_A={np.floor(finest * 100) / 100:g} or less" in line
    )
    needed = int(line.split("detector.distance_mm=")[1].split()[0])
    simulate.check(simulate.change(DIFFRANET, [f"detector.distance_mm={needed}"]))
    with pytest.raises(InputError, match="corner"):
        simulate.check(simulate.change(DIFFRANET, [f"detector.distance_mm={needed - 1}"]))
    line = refused("--crystal", mtz, "--column", "FC", "--set", "crystal.d_min_A=5.01")
    assert "distance_mm" in line and "or less" not in line  # a table cannot be made finer


def test_lists_of_spots_need_separate_spots(refused):
    assert "crystal.domain_um" in refused("--arrays", "--set", "crystal.domain_um=0.001")
    assert "spot" in refused("--arrays", "--set", "spot=gauss")
