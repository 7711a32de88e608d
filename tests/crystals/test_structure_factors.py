"""Structure factors of models against direct summation, gemmi's own solvent and refined
amplitudes.
"""

import gemmi
import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals.crystal import StructureFactors

SOLVENTS = ((0.1, 46.0), (0.2, 46.0), (0.35, 20.0), (0.35, 46.0), (0.35, 150.0), (0.7, 46.0))
MODELS = [("1orc.pdb", 2.0), ("5wkd.pdb", 1.8)]


def unique_hkl(structure, d_min):
    return gemmi.make_miller_array(structure.cell, structure.find_spacegroup(), d_min)


def atomic_amplitudes(structure, hkl):
    """Complex F of the atoms by gemmi's direct summation: no grid, no blurring, no Fourier
    transform.
    """
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    return np.array(
        [calculator.calculate_sf_from_model(structure[0], [int(x) for x in row]) for row in hkl]
    )


def solvent_amplitudes(structure, hkl, spacing):
    """Complex F of gemmi's solvent mask of one electron per cubic angstrom."""
    mask = gemmi.FloatGrid()
    mask.setup_from(structure, spacing)
    gemmi.SolventMasker(gemmi.AtomicRadiiSet.Cctbx).put_mask_on_float_grid(mask, structure[0])
    return gemmi.transform_map_to_f_phi(mask).get_value_by_hkl(hkl)


def scaled(structure, hkl, atoms, solvent, k_sol, b_sol):
    """Amplitudes of atoms and solvent together, summed by gemmi's scaling."""
    group = structure.find_spacegroup()
    scaling = gemmi.Scaling(structure.cell, group)
    scaling.use_solvent, scaling.k_overall, scaling.k_sol, scaling.b_sol = True, 1.0, k_sol, b_sol
    total, mask = (
        gemmi.ComplexAsuData(structure.cell, group, hkl, f.astype(np.complex64))
        for f in (atoms, solvent)
    )
    scaling.scale_data(total, mask)
    return np.abs(total.value_array)


def distance(ours, theirs):
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize(("name", "d_min"), MODELS)
def test_atoms_equal_direct_summation(reference_dir, name, d_min):
    structure = gemmi.read_structure(str(reference_dir / name))
    hkl = unique_hkl(structure, d_min)
    ours, theirs = (
        StructureFactors.from_model(reference_dir / name, d_min, k_sol=0)(hkl),
        np.abs(atomic_amplitudes(structure, hkl)),
    )
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999999
    assert np.dot(ours, theirs) / np.dot(theirs, theirs) == pytest.approx(1, abs=2e-4)
    assert np.allclose(ours, theirs, atol=1e-3 * theirs.max())


@pytest.mark.parametrize(("name", "d_min"), MODELS)
def test_solvent_is_gemmis_at_the_stated_density_and_fall_off(reference_dir, name, d_min):
    structure = gemmi.read_structure(str(reference_dir / name))
    hkl = unique_hkl(structure, d_min)
    hkl = hkl[structure.cell.calculate_1_d2_array(hkl) < 1 / 5**2]  # where solvent scatters at all
    atoms, solvent = (
        atomic_amplitudes(structure, hkl),
        solvent_amplitudes(structure, hkl, d_min / 4),
    )
    expected = {s: scaled(structure, hkl, atoms, solvent, *s) for s in SOLVENTS}
    ours = {s: StructureFactors.from_model(reference_dir / name, d_min, *s)(hkl) for s in SOLVENTS}
    for stated in SOLVENTS:
        away = {s: distance(ours[s], expected[stated]) for s in SOLVENTS}
        assert away.pop(stated) < 1e-3 and min(away.values()) > 5e-3
    default = StructureFactors.from_model(reference_dir / name, d_min)(hkl)
    assert np.array_equal(default, ours[0.35, 46.0])


def test_default_solvent_is_nearest_to_that_of_a_refinement(reference_dir):
    mtz = gemmi.read_mtz_file(str(reference_dir / "5wkd_phases.mtz.gz"))
    low = mtz.make_1_d2_array() < 1 / 3.5**2
    hkl, supplied = mtz.make_miller_array()[low], mtz.column_with_label("FC_ALL").array[low]

    def away(**solvent):
        return distance(
            StructureFactors.from_model(reference_dir / "5wkd.pdb", 1.8, **solvent)(hkl), supplied
        )

    # Refined with other radii, other density and other fall-off, so near but not equal.
    assert (
        away() < 0.1 < min(away(k_sol=k) for k in (0, 0.1, 0.2, 0.7)) and away(b_sol_A2=150) > 0.1
    )


def test_supplied_amplitudes_agree_with_those_of_the_model(reference_dir):
    mtz_path = reference_dir / "5wkd_phases.mtz.gz"
    hkl = np.array(gemmi.read_mtz_file(str(mtz_path)).make_miller_array())
    model = StructureFactors.from_model(reference_dir / "5wkd.pdb", 1.8, k_sol=0)
    supplied = StructureFactors.from_mtz(mtz_path, "FC")
    assert np.corrcoef(model(hkl), supplied(hkl))[0, 1] > 0.999
    with pytest.raises(InputError, match="no column"):
        StructureFactors.from_mtz(mtz_path, "NOPE")


def made_up_structure():
    """Five atoms of four elements in a monoclinic cell, each with its own B and occupancy."""
    structure = gemmi.Structure()
    structure.cell, structure.spacegroup_hm = gemmi.UnitCell(18, 22, 25, 90, 104, 90), "P 1 21 1"
    residue = gemmi.Residue()
    residue.name, residue.seqid, residue.entity_type = (
        "CYS",
        gemmi.SeqId("1"),
        gemmi.EntityType.Polymer,
    )
    places = {
        "N": (3, 4, 5),
        "CA": (4.1, 4.9, 5.3),
        "C": (5.2, 4.2, 6.1),
        "O": (6.25, 4.8, 6.4),
        "SG": (4.6, 6.5, 4.4),
    }
    for number, (name, place) in enumerate(places.items()):
        atom = gemmi.Atom()
        atom.name, atom.element, atom.pos = name, gemmi.Element(name[0]), gemmi.Position(*place)
        atom.b_iso, atom.occ = 10.0 + 5 * number, 1.0 - 0.1 * number
        residue.add_atom(atom)
    chain = gemmi.Chain("A")
    chain.add_residue(residue)
    structure.add_model(gemmi.Model(1))
    structure[0].add_chain(chain)
    structure.setup_entities()
    structure.setup_cell_images()
    return structure


def test_both_formats_of_a_model_give_one_table(tmp_path):
    structure = made_up_structure()
    structure.write_pdb(str(tmp_path / "model.pdb"))
    structure.make_mmcif_document().write_file(str(tmp_path / "model.cif"))
    pdb, cif = (
        StructureFactors.from_model(tmp_path / f"model.{kind}", 2.5) for kind in ("pdb", "cif")
    )
    assert pdb.origin == cif.origin and np.allclose(
        pdb.table, cif.table, atol=1e-4 * pdb.table.max()
    )
    # Both hold the atoms as they were put in, with mates: P 21 leaves out 0 k 0 with odd k.
    dry, hkl = (
        StructureFactors.from_model(tmp_path / "model.cif", 2.5, k_sol=0),
        unique_hkl(structure, 2.5),
    )
    assert np.allclose(
        dry(hkl), np.abs(atomic_amplitudes(structure, hkl)), atol=1e-3 * dry.table.max()
    )
    assert np.allclose(dry(hkl * [-1, 1, -1]), dry(hkl)) and dry([[0, 3, 0]]) < 1e-3 * dry(
        [[0, 2, 0]]
    )
