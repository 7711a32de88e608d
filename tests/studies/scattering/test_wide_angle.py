"""Rings, arcs and rods where crystallography puts them."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.scattering import giwaxs, waxs
from diffranet_utils.studies.scattering.camera import Camera


@pytest.mark.parametrize(
    ("name", "two_theta_deg", "wavelength_A"),
    [  # first lines of the powder at copper's K alpha 1, from their certificates
        ("LaB6", [21.358, 30.385, 37.442], 1.54056),
        ("Si", [28.443, 47.303, 56.123], 1.54056),
        ("CeO2", [28.549, 33.082, 47.483], 1.54056),
    ],
)
def test_rings_of_calibrants_lie_at_their_bragg_angles(name, two_theta_deg, wavelength_A):
    q, _ = waxs.powder_rings(name, 5.0)
    angles = 2 * np.degrees(np.arcsin(q[:3] * wavelength_A / (4 * np.pi)))
    assert angles == pytest.approx(two_theta_deg, abs=0.02)


def test_multiplicities_of_a_face_centred_lattice():
    _, multiplicity = waxs.powder_rings("Au", 6.0)
    assert multiplicity[:4].tolist() == [8, 6, 12, 24]


def test_ring_on_the_detector_has_the_radius_of_its_angle():
    camera = Camera(200.0, 200.0, 150.0, 1.0)
    q, chi = camera.transmission()
    pattern = waxs.ring_pattern(q, chi, ([2.0], [1.0]), 0.02)
    right, up = camera.positions_mm()
    radius = np.hypot(right, up)
    expected = 150 * np.tan(2 * np.arcsin(2.0 / (4 * np.pi)))
    assert (radius * pattern).sum() / pattern.sum() == pytest.approx(expected, rel=0.01)


def test_texture_and_grains_keep_the_mean():
    camera = Camera(200.0, 200.0, 150.0, 1.0)
    q, chi = camera.transmission()
    plain = waxs.ring_pattern(q, chi, ([2.0], [1.0]), 0.05)
    textured = waxs.ring_pattern(q, chi, ([2.0], [1.0]), 0.05, (0.3, 2.0))
    assert textured.sum() == pytest.approx(plain.sum(), rel=0.02)
    assert waxs.grainy(q, chi, 50.0, np.random.default_rng(1)).mean() == pytest.approx(1, abs=0.02)


def test_no_pixel_lies_in_the_missing_wedge():
    camera = Camera(200.0, 200.0, 150.0, 1.0, beam_down=0.9, n=255)
    exit_angle, q = camera.grazing(0.2)
    length, chi = giwaxs.polar(q)
    edge = giwaxs.wedge_edge(length, camera.wavenumber, np.radians(0.2))
    above = exit_angle > 0
    assert (chi[above] >= edge[above] - 1e-9).all()
    middle = above & (np.abs(q[1]) < 0.01)
    assert chi[middle] == pytest.approx(edge[middle], abs=0.02)
    assert edge[middle].max() > np.radians(10)


def test_arcs_and_rods_peak_in_their_places():
    camera = Camera(200.0, 200.0, 150.0, 1.0, beam_down=0.9)
    _, q = camera.grazing(0.2)
    length, chi = giwaxs.polar(q)
    arcs = giwaxs.arc_pattern(length, chi, np.array([[1.5, 1.0, 2.0]]), 0.03, 0.1)
    at = np.unravel_index(arcs.argmax(), arcs.shape)
    assert length[at] == pytest.approx(1.5, abs=0.02) and chi[at] == pytest.approx(1.0, abs=0.05)
    rods = giwaxs.rod_pattern(q, np.array([[1.2, 1.0]]), 0.02, 1.0)
    row = rods[200]
    assert np.hypot(q[0], q[1])[200, row.argmax()] == pytest.approx(1.2, abs=0.02)


def test_unknown_powders_are_refused():
    with pytest.raises(InputError):
        waxs.powder_rings("unobtainium", 3.0)
