"""Grazing incidence against BornAgain, optics against closed forms."""

from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.scattering import gisaxs
from diffranet_utils.studies.scattering.gisaxs import Islands, Medium, Surface

GOLDEN = Path(__file__).parents[2] / "golden" / "scattering" / "gisaxs.npz"
SILICON = Medium(5e-6, 8e-8)
ISLANDS = {
    "cylinder": Islands("cylinder", 50.0, 80.0),
    "sphere": Islands("sphere", 40.0, 80.0),
    "hemisphere": Islands("hemisphere", 60.0, 60.0),
    "cone": Islands("cone", 60.0, 90.0),
    "box": Islands("box", 40.0, 60.0),
    "paracrystal": Islands("cylinder", 50.0, 80.0),
}


def angles_and_q(n=24, wavelength_A=1.0, incidence_deg=0.2):
    """Pixels of the golden images: exit angles 0.02 to 1.5 deg, azimuths 0 to 1.5 deg."""
    steps = (np.arange(n) + 0.5) / n
    exit_angle = np.radians(0.02 + 1.48 * steps)[:, None] + np.zeros((1, n))
    azimuth = np.radians(1.5 * steps)[None, :]
    along = np.cos(exit_angle) * np.cos(azimuth) - np.cos(np.radians(incidence_deg))
    across = np.cos(exit_angle) * np.sin(azimuth)
    return exit_angle, 2 * np.pi / wavelength_A * np.hypot(along, across)


@pytest.mark.parametrize("name", ISLANDS)
def test_islands_agree_with_bornagain(name):
    exit_angle, q = angles_and_q()
    structure = np.ones_like(q)
    if name == "paracrystal":
        structure = gisaxs.paracrystal_factor(q, 180.0, 30.0, 10_000.0)
    surface = Surface(1.0, 0.2, SILICON)
    ours = gisaxs.island_pattern(surface, ISLANDS[name], structure, exit_angle, q, n_q=2000)
    theirs = np.load(GOLDEN)[name]
    ours = ours / ours.max()
    assert np.abs(ours - theirs).max() < 5e-4
    assert np.median(np.abs(np.log(ours / theirs))) < 2e-3


def test_yoneda_band_lies_at_the_critical_angle():
    """Roughness scatters most where the exit angle is the substrate's critical angle."""
    exit_angle = np.radians(np.linspace(0.02, 1.0, 1000))[:, None]
    surface = Surface(1.0, 0.4, SILICON)
    band = gisaxs.roughness_pattern(surface, 500.0, 0.5, exit_angle, np.full((1000, 1), 0.01))
    assert exit_angle[band.argmax(), 0] == pytest.approx(np.sqrt(2 * 5e-6), rel=0.02)


def test_film_fringes_are_spaced_as_kiessig_found():
    """Far above the critical angle q_z of neighbouring fringes differs by 2 pi / thickness."""
    film = Surface(1.0, 0.3, SILICON, Medium(2e-6, 1e-9), 400.0)
    angle = np.radians(np.linspace(0.6, 2.5, 20_000))
    q = 4 * np.pi * np.sin(angle)
    fringes = film.reflectivity(angle) * q**4
    tops = np.flatnonzero((fringes[1:-1] > fringes[:-2]) & (fringes[1:-1] > fringes[2:])) + 1
    assert np.diff(q[tops]).mean() == pytest.approx(2 * np.pi / 400, rel=0.01)


def test_reflection_is_total_below_the_critical_angle():
    surface = Surface(1.0, 0.2, Medium(5e-6, 0.0))
    assert surface.reflectivity(np.radians([0.05, 0.1, 0.15])) == pytest.approx(1.0, abs=1e-6)
    far = surface.reflectivity(np.radians([3.0]))[0]
    wavenumber = 2 * np.pi * np.sin(np.radians(3.0))
    assert far == pytest.approx((4 * np.pi**2 * 1e-5 / (4 * wavenumber**2)) ** 2, rel=0.01)


def test_lattice_orders_of_a_hexagonal_lattice():
    orders, multiplicity = gisaxs.lattice_orders("hexagonal", 3.0)
    assert orders**2 == pytest.approx([1, 3, 4, 7, 9])
    assert multiplicity.tolist() == [6, 6, 6, 12, 6]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Islands("pyramid", 10.0, 10.0),
        lambda: Islands("sphere", -1.0, 10.0),
        lambda: Medium(-1e-6, 0.0),
        lambda: Surface(1.0, 0.2, SILICON, SILICON),
    ],
)
def test_impossible_samples_are_refused(make):
    with pytest.raises(InputError):
        make()
