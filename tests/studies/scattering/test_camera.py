"""Angles and scattering vectors against trigonometry."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.scattering.camera import Camera


def test_transmission_angle_of_a_pixel():
    camera = Camera(100.0, 100.0, 200.0, 1.0, n=101)
    q, chi = camera.transmission()
    two_theta = np.arctan(50 * (100 / 101) / 200)
    assert q[50, 100] == pytest.approx(4 * np.pi * np.sin(two_theta / 2))
    assert q[50, 50] == pytest.approx(0, abs=1e-12)
    assert chi[50, 100] == pytest.approx(0, abs=1e-12)
    assert chi[0, 50] == pytest.approx(np.pi / 2)


def test_swing_turns_the_foot_of_the_normal():
    camera = Camera(100.0, 100.0, 200.0, 1.0, swing_deg=20.0, n=101)
    q, _ = camera.transmission()
    assert q[50, 50] == pytest.approx(4 * np.pi * np.sin(np.radians(10)))


def test_scattering_is_elastic_in_the_frame_of_the_surface():
    """|q + k_in| = k for every pixel, and the specular beam leaves at the angle of incidence."""
    camera = Camera(120.0, 150.0, 1000.0, 1.2, beam_down=0.9, n=64)
    exit_angle, q = camera.grazing(0.3)
    incident = camera.wavenumber * np.array([np.cos(np.radians(0.3)), 0, -np.sin(np.radians(0.3))])
    assert np.linalg.norm(q + incident[:, None, None], axis=0) == pytest.approx(camera.wavenumber)
    specular = Camera(1.0, 1.0, 1000.0, 1.2, 0.5, 0.5 + 1000 * np.tan(np.radians(0.6)), n=1)
    exit_angle, q = specular.grazing(0.3)
    assert np.degrees(exit_angle[0, 0]) == pytest.approx(0.3)
    assert q[:2, 0, 0] == pytest.approx(0, abs=1e-9)


def test_impossible_cameras_are_refused():
    with pytest.raises(InputError):
        Camera(-1.0, 100.0, 200.0, 1.0)
    with pytest.raises(InputError):
        Camera(100.0, 100.0, 200.0, 1.0, swing_deg=90.0)
