"""Detector chain against quadrature, conservation of photons and counting statistics."""

import numpy as np
import pytest
from scipy import integrate, stats

from diffranet_utils.core.errors import InputError
from diffranet_utils.instrument import detector
from diffranet_utils.instrument.detector import Readout
from diffranet_utils.instrument.geometry import Detector

DETECTOR = Detector(96, 80, 0.172, 80.0)
IDEAL = Readout(calibration_rms=0, point_spread="none", offset=0, read_noise=0)


@pytest.mark.parametrize("offset", [(0, 0), (0, 1), (2, 1), (3, 4)])
def test_fibre_point_spread_equals_its_integral_over_the_pixel(offset):
    g = 0.652383 * 46 / 172
    row, column = offset
    exact, _ = integrate.dblquad(
        lambda y, x: g / (2 * np.pi * (g * g + x * x + y * y) ** 1.5),
        column - 0.5, column + 0.5, row - 0.5, row + 0.5,
    )  # fmt: skip
    ours = detector.point_spread(np.array([[row]]), np.array([[column]]), "fiber", 46 / 172)[0, 0]
    assert ours == pytest.approx(exact, rel=1e-5)


def test_spread_of_one_photon_equals_the_kernel():
    photons = np.zeros((96, 80), np.float32)
    photons[48, 40] = 1
    image = detector.spread(photons, 172.0, Readout())
    rows, columns = np.arange(96)[:, None] - 48, np.arange(80)[None] - 40
    exact = detector.point_spread(rows, columns, "fiber", 46 / 172)
    assert np.abs(image - exact).max() < 1e-5
    assert image[48, 40] == pytest.approx(0.701, abs=1e-3)


@pytest.mark.parametrize("kind", ["fiber", "gaussian"])
def test_point_spread_conserves_light_and_has_the_stated_width(kind):
    offsets = np.arange(-400, 401)
    kernel = detector.point_spread(offsets[:, None], offsets[None], kind, 6.0)
    # Beyond a circle of radius L the fibre's tail holds g / sqrt(g^2 + L^2) of the light.
    g = 0.652383 * 6.0
    outside = (
        [g / np.hypot(g, 400.5), g / np.hypot(g, 400.5 * np.sqrt(2))]
        if kind == "fiber"
        else [1e-9, -1e-9]
    )
    assert 1 - outside[0] <= kernel.sum() <= 1 - outside[1]
    profile = kernel[400, 400:]
    half = np.interp(-profile[0] / 2, -profile, np.arange(profile.size))
    assert 2 * half == pytest.approx(6.0, rel=0.04)


def test_light_does_not_come_round_the_other_edge():
    photons = np.zeros((96, 80), np.float32)
    photons[48, 0] = 1e4
    image = detector.spread(photons, 172.0, Readout())
    assert (
        image[48, 79]
        < 1e4 * detector.point_spread(np.array([[0]]), np.array([[60]]), "fiber", 46 / 172)[0, 0]
    )


def test_noise_gain_of_the_paper_detector():
    assert detector.noise_gain(172.0, Readout()) == pytest.approx(0.497, abs=1e-3)
    assert detector.noise_gain(172.0, IDEAL) == 1


def test_counts_are_poisson(rng):
    counts = detector.read_out(np.full(DETECTOR.shape, 30.0), DETECTOR, IDEAL, rng)
    n = counts.size
    assert counts.mean() == pytest.approx(30, abs=5 * np.sqrt(30 / n))
    assert counts.var() == pytest.approx(30, rel=5 * np.sqrt(2 / n))


@pytest.mark.parametrize("mean", [0.3, 20.0, 60.0, 75.5, 400.0, 5000.0])
def test_fast_counts_follow_poissons_distribution(rng, mean):
    counts = detector.draw_photons(np.full((1000, 1000), mean, np.float32), rng).ravel()
    values, n = np.unique(counts, return_counts=True)
    assert (counts == np.floor(counts)).all() and counts.min() >= 0
    found = np.cumsum(n) / counts.size
    assert abs(found - stats.poisson.cdf(values, mean)).max() < 1.95 / np.sqrt(
        counts.size
    )  # Kolmogorov, 0.1 %


def test_read_noise_offset_and_calibration_add_up(rng):
    readout = Readout(point_spread="none", calibration_rms=0.04)
    dark = detector.read_out(np.zeros(DETECTOR.shape), DETECTOR, readout, rng)
    assert dark.mean() == pytest.approx(9.5, abs=0.2)  # floor takes half a unit
    bright = detector.read_out(np.full(DETECTOR.shape, 2000.0), DETECTOR, readout, rng)
    assert bright.var() == pytest.approx(2000 + (0.04 * 2000) ** 2 + 9, rel=0.06)


def test_saturation_and_eight_bits():
    assert detector.to_8bit(np.array([0, 1, 3.9, 4, 65025, 1e6])).tolist() == [0, 1, 1, 2, 255, 255]
    image = detector.read_out(
        np.full(DETECTOR.shape, 1e6), DETECTOR, Readout(), np.random.default_rng(0)
    )
    assert image.max() == 65025


def test_same_seed_same_bytes():
    expected = np.full(DETECTOR.shape, 12.0)
    one, two = (
        detector.read_out(expected, DETECTOR, Readout(), np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(one, two)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="does not fit"):
        detector.read_out(np.zeros((3, 3)), DETECTOR, IDEAL, np.random.default_rng(0))
    with pytest.raises(InputError, match="finite"):
        detector.read_out(
            np.full(DETECTOR.shape, np.nan), DETECTOR, IDEAL, np.random.default_rng(0)
        )
    with pytest.raises(InputError, match="point_spread is .wide."):
        Readout(point_spread="wide")
    with pytest.raises(InputError, match="read_noise"):
        Readout(read_noise=-1)


@pytest.mark.parametrize("level", [1.0, 4.0])
def test_a_photon_counter_has_the_variance_of_counting_alone(level):
    counter = Readout(calibration_rms=0.0, point_spread="none", offset=0.0, read_noise=0.0)
    sensor = Detector(400, 400, 0.172, 100.0)
    counts = detector.read_out(
        np.full(sensor.shape, level), sensor, counter, np.random.default_rng(4)
    )
    assert detector.expected_variance(counter, 172.0, level) == level
    assert counts.var() == pytest.approx(
        level, rel=0.03
    )  # five standard errors of a Poisson variance
