"""Geometry against closed forms."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.instrument import geometry
from diffranet_utils.instrument.geometry import Beam, Detector

CENTRED = Detector(101, 81, 0.2, 50.0, beam_fast_px=40.5, beam_slow_px=50.5)


def test_default_beam_centre_is_nanobraggs():
    detector = Detector(512, 512, 0.172, 80.0)
    assert (detector.beam_fast_px, detector.beam_slow_px) == (257.0, 257.0)


def test_direct_beam_pixel_lies_on_the_beam_axis():
    y, z = geometry.positions(CENTRED)
    assert y[50] == pytest.approx(0) and z[40] == pytest.approx(0)
    assert y[51] < 0 < z[41]  # rows run downwards, columns sideways


def test_solid_angle_of_a_half_space_detector_matches_the_closed_form():
    detector = Detector(400, 400, 1.0, 30.0, 200, 200)
    half = 200 / 30
    exact = 4 * np.arctan(half * half / np.sqrt(1 + 2 * half * half))  # square seen from its axis
    assert geometry.solid_angle(detector).sum() == pytest.approx(exact, rel=1e-3)


def test_polarization_is_one_ahead_and_follows_the_scattering_angle():
    factor = geometry.polarization(CENTRED)
    assert factor[50, 40] == pytest.approx(1)
    two_theta = np.arctan(40 * 0.2 / 50)
    assert factor[50, 80] == pytest.approx((1 + np.cos(two_theta) ** 2) / 2)


def test_resolution_follows_braggs_law():
    two_theta = np.arctan(30 * 0.2 / 50)
    expected = 1.5 / (2 * np.sin(two_theta / 2))
    assert geometry.resolution(CENTRED, 1.5)[80, 40] == pytest.approx(expected)
    assert np.isinf(geometry.resolution(CENTRED, 1.5)[50, 40])


def test_sources_point_back_along_the_beam():
    beam = Beam(1.5, 1e12, 30, np.array([[-10.0, 0, 0, 1, 1.4e-10], [-10, 1, 0, 1, 1.6e-10]]))
    directions, wavelengths = beam.incident()
    assert np.allclose(directions[0], [1, 0, 0]) and np.allclose(
        np.linalg.norm(directions, axis=1), 1
    )
    assert wavelengths.tolist() == pytest.approx([1.4, 1.6])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((0, 5, 0.1, 50), "n_slow"),
        ((5, 5, -1, 50), "pixel_mm"),
        ((5, 5, 1, np.nan), "distance"),
        ((5, 5, 1, 50, 9), "beam"),
    ],
)
def test_impossible_detectors_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        Detector(*arguments)


@pytest.mark.parametrize(
    "arguments", [(0, 1, 1), (1.5, -1, 1), (1.5, 1, 0), (1.5, 1, 1, np.zeros((2, 4)))]
)
def test_impossible_beams_are_refused(arguments):
    with pytest.raises(InputError):
        Beam(*arguments)
