"""Source grids against the grid of nanoBragg and closed forms."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.instrument.geometry import Beam
from diffranet_utils.instrument.sources import source_grid


def assert_same_grid(theirs, rtol):
    ours = source_grid(1.5, (2.0, 2.0), (3, 3), 0.01, 5)
    assert ours.shape == theirs.shape
    order = [np.lexsort(grid[:, [4, 2, 1]].round(13).T) for grid in (ours, theirs)]
    assert np.allclose(ours[order[0]], theirs[order[1]], rtol=rtol, atol=1e-13)


def test_grid_is_the_one_nanobragg_prints(golden):
    assert_same_grid(
        golden.arrays("tophat_divergence_dispersion")["sources"], 1e-5
    )  # six digits are printed


def test_grid_is_nanobraggs(reference_dir):
    assert_same_grid(
        np.load(reference_dir / "nanobragg" / "tophat_divergence_dispersion.npz")["sources"], 1e-9
    )


def test_one_source_is_the_plain_beam():
    directions, wavelengths = Beam(1.3, 1e12, 30.0, source_grid(1.3)).incident()
    assert np.allclose(directions, [[1, 0, 0]]) and wavelengths.tolist() == pytest.approx([1.3])


def test_ranges_are_as_stated():
    directions, wavelengths = Beam(
        1.0, 1e12, 30.0, source_grid(1.0, (4.0, 2.0), (5, 5), 0.02, 3)
    ).incident()
    assert np.ptp(directions[:, 2]) == pytest.approx(4e-3, rel=1e-5)
    assert np.ptp(directions[:, 1]) == pytest.approx(2e-3, rel=1e-5)
    assert (wavelengths.min(), wavelengths.max()) == pytest.approx((0.99, 1.01))
    assert source_grid(1.0, (4.0, 2.0), (5, 5), 0.02, 3)[:, 3].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "options",
    [
        {"divergence_mrad": (-1, 0)},
        {"divergence_mrad": (0, 2), "steps": (3, 1)},
        {"bandpass": -0.1},
        {"bandpass": 0.01},
        {"bandpass": 2.0, "n_wavelengths": 3},
        {"steps": (0, 1)},
        {"steps": (2, 2)},
        {"steps": (2, 4)},
        {"steps": (1000, 1000)},
    ],
)
def test_bad_ranges_are_refused(options):
    with pytest.raises(InputError):
        source_grid(1.5, **options)


@pytest.mark.parametrize(
    "row", [(-10, 0, 0, 1, 0), (-10, 0, 0, 1, -1e-10), (0, 0, 0, 1, 1e-10), (-10, 0, 0, 1, np.nan)]
)
def test_beams_refuse_impossible_sources(row):
    with pytest.raises(InputError, match="A source"):
        Beam(1.5, 1e12, 30.0, np.array([(-10, 0, 0, 1, 1.5e-10), row]))


@pytest.mark.parametrize("steps", [(3, 1), (2, 3), (4, 4)])
def test_grids_with_fewer_corners_keep_their_weight(steps):
    grid = source_grid(1.0, tuple(2.0 if n > 1 else 0.0 for n in steps), steps)
    assert grid[:, 3].sum() == pytest.approx(1) and np.hypot(*grid[:, 1:3].T).max() <= 0.01 * (
        1 + 1e-9
    )
