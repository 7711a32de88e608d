"""Small-angle scattering against limits of the field and curves of sasmodels."""

from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.studies.scattering import saxs
from diffranet_utils.studies.scattering.camera import Camera

GOLDEN = Path(__file__).parents[2] / "golden" / "scattering" / "saxs_curves.csv"
FORMS = {
    "sphere": lambda q: saxs.sphere_form(q, 50),
    "core_shell": lambda q: saxs.core_shell_form(q, 60, 20, 3),
    "cylinder": lambda q: saxs.cylinder_form(q, 20, 400),
    "lamella": lambda q: saxs.lamella_form(q, 45),
    "sphere_pd": lambda q: saxs.size_average(saxs.sphere_form, q, 50, 0.15),
    "stack": lambda q: saxs.lamella_form(q, 33) * saxs.stack_factor(q, 250, 20, 20),
}


@pytest.fixture(scope="module")
def golden():
    return np.genfromtxt(GOLDEN, delimiter=",", names=True)


@pytest.mark.parametrize("name", FORMS)
def test_shapes_of_curves_agree_with_sasmodels(name, golden):
    """Up to the scale; a floor of 1e-5 of the first point, as the minima are zeros."""
    ours, theirs = FORMS[name](golden["q"]), golden[name]
    ours, theirs = ours / ours[0], theirs / theirs[0]
    assert ours == pytest.approx(theirs, rel=2e-3, abs=1e-5)


def test_hard_spheres_agree_with_sasmodels(golden):
    ours = saxs.hard_sphere_factor(golden["q"], 50, 0.3)
    assert ours == pytest.approx(golden["hard_sphere"], rel=1e-5)


def test_compressibility_of_hard_spheres():
    """S(0) of Percus and Yevick is (1 - phi)^4 / (1 + 2 phi)^2."""
    assert saxs.hard_sphere_factor(0.0, 30, 0.2) == pytest.approx(0.8**4 / 1.4**2, rel=1e-3)


@pytest.mark.parametrize(
    ("form", "gyration_squared"),
    [
        (FORMS["sphere"], 3 / 5 * 50**2),
        (FORMS["cylinder"], 20**2 / 2 + 400**2 / 12),
    ],
)
def test_guinier_slope_is_the_radius_of_gyration(form, gyration_squared):
    q = np.linspace(0.05, 0.3, 20) / np.sqrt(gyration_squared)
    slope = np.polyfit(q**2, np.log(form(q)), 1)[0]
    assert slope == pytest.approx(-gyration_squared / 3, rel=0.02)


def test_porod_slope_of_smeared_spheres():
    q = np.geomspace(0.4, 3, 40)
    curve = saxs.size_average(saxs.sphere_form, q, 50, 0.2, n_sizes=201)
    assert np.polyfit(np.log(q), np.log(curve), 1)[0] == pytest.approx(-4, abs=0.05)


def test_peaks_of_a_stack_are_orders_of_its_period():
    q = np.linspace(0.02, 0.2, 4000)
    factor = saxs.stack_factor(q, 100, 15, 2)
    tops = q[1:-1][(factor[1:-1] > factor[:-2]) & (factor[1:-1] > factor[2:])]
    for order in (1, 2, 3):
        assert np.abs(tops - order * 2 * np.pi / 100).min() < 3e-4


def test_mesophases_peak_at_their_ratios():
    q = np.linspace(0.01, 0.1, 9001)
    factor = saxs.mesophase_factor(q, "hexagonal", 0.03, 2e-4, 1.0)
    inner = factor[1:-1]
    tops = q[1:-1][(inner > factor[:-2]) & (inner > factor[2:]) & (inner > 0.2)]
    assert tops[:3] / tops[0] == pytest.approx(np.sqrt([1, 3, 4]), abs=2e-3)


def test_standing_cylinders_scatter_sideways():
    camera = Camera(100.0, 100.0, 3000.0, 1.0, n=101)
    q, chi = camera.transmission()
    pattern = saxs.oriented_pattern(
        lambda along, across: saxs.cylinder_amplitude(along, across, 30, 2000), q, chi, 5.0
    )
    assert pattern[50, 75] > 30 * pattern[25, 50]
    assert pattern == pytest.approx(pattern[::-1, ::-1], rel=1e-6, abs=1e-9)


def test_curve_on_a_detector_is_round():
    q, _ = Camera(100.0, 100.0, 3000.0, 1.0, n=101).transmission()
    grid = np.linspace(0, q.max(), 2000)
    image = saxs.on_detector(grid, saxs.sphere_form(grid, 100), q)
    assert image[50, 70] == pytest.approx(image[70, 50], rel=1e-6)
    assert image == pytest.approx(saxs.sphere_form(q, 100), abs=1e-5)
