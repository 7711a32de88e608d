"""Shots: their statistics, their truth and the rule that labels them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats

from diffranet_utils import presets, shots
from diffranet_utils.detector import noise_gain
from diffranet_utils.errors import InputError
from diffranet_utils.geometry import Beam
from diffranet_utils.labels import Label
from diffranet_utils.stations import DIFFRANET, STATIONS, Borders, Stream, get

SMOKE = presets.get("smoke")
FEW_DOMAINS = replace(SMOKE, station=replace(DIFFRANET, crystal=replace(DIFFRANET.crystal, n_domains=10)))


@pytest.fixture(scope="module")
def drawn():
    return [shots.sample_shot(np.random.default_rng([9, k]), FEW_DOMAINS) for k in range(3000)]


@pytest.fixture(scope="module")
def crystal_image(drawn):
    shot = next(s for s in drawn if s.rotation is not None and s.photons > 1e12)
    return shot, shots.render_shot(shot, FEW_DOMAINS)


def test_pulse_energies_and_wavelengths_follow_the_paper(drawn):
    photons = np.array([s.photons for s in drawn])
    blank = np.mean(photons == 0)
    assert blank == pytest.approx(stats.norm.cdf(-1), abs=4 * np.sqrt(0.159 * 0.841 / len(drawn)))
    assert stats.kstest(photons[photons > 0] / 1e12, stats.truncnorm(-1, np.inf, 1, 1).cdf).pvalue > 1e-3
    wavelength = np.array([s.wavelength_A for s in drawn])
    assert stats.kstest(wavelength, stats.norm(1.5, 0.0075).cdf).pvalue > 1e-3


def test_crystals_come_as_often_as_stated(drawn):
    lit = [s for s in drawn if s.photons > 0]
    present = np.mean([s.rotation is not None for s in lit])
    assert present == pytest.approx(0.69, abs=4 * np.sqrt(0.69 * 0.31 / len(lit)))


def test_edges_are_log_normal_up_to_the_limit(rng):
    edges = shots.sample_edges(rng, Stream(), 4000)
    assert edges.max() <= 30
    limit = np.log(30 / 7.5) / 0.64
    assert stats.kstest(np.log(edges / 7.5) / 0.64, stats.truncnorm(-np.inf, limit).cdf).pvalue > 1e-3


def test_blank_shot_shows_read_noise_only(drawn):
    image = shots.render_shot(next(s for s in drawn if s.photons == 0), FEW_DOMAINS)
    assert image.label == Label.BLANK and not image.bragg.any() and not image.background.any()
    # Offset 10, noise 3, floor, root, floor: nearly everything between 1 and 4.
    assert image.image.mean() == pytest.approx(2.6, abs=0.2) and image.image.max() <= 5


def test_no_crystal_shot_shows_background_only(drawn):
    shot = next(s for s in drawn if s.photons > 1e12 and s.rotation is None)
    image = shots.render_shot(shot, FEW_DOMAINS)
    assert image.label == Label.NO_CRYSTAL and not image.bragg.any() and image.background.mean() > 500
    inner = (slice(64, -64), slice(64, -64))
    seen = (image.image[inner] + 0.5) ** 2  # the root is rounded down by half a step on average
    assert seen.mean() == pytest.approx(image.background[inner].mean() + 10, rel=0.01)


def test_image_is_the_expectation_plus_noise(crystal_image):
    shot, image = crystal_image
    expected = image.bragg + image.background + 10
    inner = (slice(64, -64), slice(64, -64))
    seen = (image.image[inner] + 0.5) ** 2
    assert np.median(seen / expected[inner]) == pytest.approx(1, abs=0.03)
    assert image.truth["pulse_photons"] == shot.photons and image.truth["edge_um"] in shot.edges_um


def test_same_shot_same_bytes(crystal_image):
    shot, image = crystal_image
    again = shots.render_shot(shot, FEW_DOMAINS)
    assert np.array_equal(again.image, image.image) and again.truth == image.truth


def test_visible_spots_equal_an_independent_count(crystal_image):
    _, image = crystal_image
    station = FEW_DOMAINS.station
    blurred = shots.spread(image.bragg, 172.0, station.readout)
    b = image.background.astype(float)
    sigma = np.sqrt(noise_gain(172.0, station.readout) * (b + (0.04 * b) ** 2) + 9)
    peak = (blurred == ndimage.maximum_filter(blurred, 3)) & (blurred > 5 * sigma)
    peak[[0, -1]] = peak[:, [0, -1]] = False
    assert image.truth["n_visible"] == pytest.approx(peak.sum(), abs=2)


def test_more_light_and_larger_crystals_show_more_spots(crystal_image):
    shot, _ = crystal_image
    station = FEW_DOMAINS.station
    counts = [
        shots.render_shot(replace(shot, photons=photons, edges_um=np.array([edge])), FEW_DOMAINS).truth["n_visible"]
        for photons, edge in ((1e12, 5.0), (1e12, 12.0), (1e12, 28.0), (3e12, 28.0))
    ]
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert shots.unit_pattern(shot, station, Beam(1.5, 1e12, 30.0))[1] == 9 * 5 * 4


@pytest.mark.parametrize(
    ("visible", "label"),
    [(49, Label.NO_CRYSTAL), (50, Label.WEAK), (699, Label.WEAK), (700, Label.GOOD), (2500, Label.STRONG)],
)
def test_label_borders(drawn, visible, label):
    shot = next(s for s in drawn if s.photons > 0)
    assert shots.label_of(shot, visible, Borders(50, 700, 2500)) == label


def test_flat_tops_count_once_and_edges_do_not_count():
    image = np.zeros((7, 9), np.float32)
    image[3, 3] = image[3, 4] = 5  # one flat maximum
    image[0, 0] = 9  # on the border
    image[5, 7] = 4
    assert shots._local_maxima(image, np.ones_like(image)) == 2


def test_other_stations_render_too():
    assert set(STATIONS) >= {"diffranet", "pilatus"}
    preset = replace(SMOKE, station=get("pilatus"))
    shot = next(
        s for k in range(50) if (s := shots.sample_shot(np.random.default_rng([1, k]), preset)).rotation is not None
    )
    image = shots.render_shot(shot, preset)
    assert image.image.shape == preset.station.detector.shape and image.bragg.max() > 0
    with pytest.raises(InputError, match="station"):
        get("moon")
