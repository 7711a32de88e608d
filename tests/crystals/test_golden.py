"""The golden crops are those that their script makes."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture(scope="module")
def maker(golden):
    spec = importlib.util.spec_from_file_location("make_golden", golden.folder / "make_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_index_is_the_scripts(golden, maker):
    assert golden.index == maker.index()


def test_inputs_in_the_crops_are_the_scripts(golden, maker):
    for name, case in golden.index["bragg"].items():
        data = golden.arrays(name)
        assert np.array_equal(data["F"], maker.amplitudes(data["hkl"]))
        assert np.allclose(data["cell_vectors_A"], maker.cell_vectors(case), rtol=1e-12)
        assert np.allclose(
            data["domains"], maker.rotations(case["mosaic_deg"], case["domains"]), atol=1e-12
        )
        assert list(data["photons"].shape) == case["crop"][2:]


def test_domains_are_those_of_the_reference_images(reference_dir, maker):
    theirs = np.load(reference_dir / "nanobragg" / "tophat_mosaic.npz")["umats"]
    assert np.allclose(maker.rotations(0.5, len(theirs)), theirs, atol=1e-8)


def test_programs_make_the_same_crops_again(golden, program_dir, maker):
    made = maker.crops(program_dir)
    assert {path.stem for path in golden.folder.glob("*.npz")} == set(made)
    for name, arrays in made.items():
        kept = golden.arrays(name)
        assert kept.keys() == arrays.keys()
        for key, values in arrays.items():
            assert kept[key].dtype == values.dtype and np.array_equal(kept[key], values), (
                name,
                key,
            )
