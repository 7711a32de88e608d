"""Shots: their statistics, their truth and the rule that labels them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats

from diffranet_utils.core.errors import InputError
from diffranet_utils.crystals import disorder
from diffranet_utils.crystals.disorder import DISORDER
from diffranet_utils.instrument import geometry
from diffranet_utils.instrument.detector import noise_gain
from diffranet_utils.instrument.geometry import Beam
from diffranet_utils.instrument.shadows import Beamstop, Modules, Shadows
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.labelling import _local_maxima, label_of
from diffranet_utils.studies.diffranet.labels import Label
from diffranet_utils.studies.diffranet.stations import DIFFRANET, STATIONS, Borders, Stream, get

FEW_DOMAINS = replace(DIFFRANET, crystal=replace(DIFFRANET.crystal, n_domains=10))


@pytest.fixture(scope="module")
def drawn():
    return [shots.sample_shot(np.random.default_rng([9, k]), FEW_DOMAINS) for k in range(3000)]


@pytest.fixture(scope="module")
def crystal_image(drawn):
    shot = next(s for s in drawn if s.crystals and s.photons > 1e12)
    return shot, shots.render_shot(shot, FEW_DOMAINS)


def test_pulse_energies_and_wavelengths_follow_the_paper(drawn):
    photons = np.array([s.photons for s in drawn])
    blank = np.mean(photons == 0)
    assert blank == pytest.approx(stats.norm.cdf(-1), abs=4 * np.sqrt(0.159 * 0.841 / len(drawn)))
    assert (
        stats.kstest(photons[photons > 0] / 1e12, stats.truncnorm(-1, np.inf, 1, 1).cdf).pvalue
        > 1e-3
    )
    wavelength = np.array([s.wavelength_A for s in drawn])
    assert stats.kstest(wavelength, stats.norm(1.5, 0.0075).cdf).pvalue > 1e-3


def test_crystals_come_as_often_as_stated(drawn):
    lit = [s for s in drawn if s.photons > 0]
    present = np.mean([bool(s.crystals) for s in lit])
    assert present == pytest.approx(0.69, abs=4 * np.sqrt(0.69 * 0.31 / len(lit)))


def test_edges_are_log_normal_up_to_the_limit(rng):
    edges = shots.sample_edges(rng, Stream(), 4000)
    assert edges.max() <= 30
    limit = np.log(30 / 7.5) / 0.64
    assert (
        stats.kstest(np.log(edges / 7.5) / 0.64, stats.truncnorm(-np.inf, limit).cdf).pvalue > 1e-3
    )


def test_blank_shot_shows_read_noise_only(drawn):
    image = shots.render_shot(next(s for s in drawn if s.photons == 0), FEW_DOMAINS)
    assert image.label == Label.BLANK and not image.bragg.any() and not image.background.any()
    # Offset 10, noise 3, floor, root, floor: nearly everything between 1 and 4.
    assert image.image.mean() == pytest.approx(2.6, abs=0.2) and image.image.max() <= 5


def test_no_crystal_shot_shows_background_only(drawn):
    shot = next(s for s in drawn if s.photons > 1e12 and not s.crystals)
    image = shots.render_shot(shot, FEW_DOMAINS)
    assert (
        image.label == Label.NO_CRYSTAL and not image.bragg.any() and image.background.mean() > 500
    )
    inner = (slice(64, -64), slice(64, -64))
    seen = (image.image[inner] + 0.5) ** 2  # the root is rounded down by half a step on average
    assert seen.mean() == pytest.approx(image.background[inner].mean() + 10, rel=0.01)


def test_image_is_the_expectation_plus_noise(crystal_image):
    shot, image = crystal_image
    expected = image.bragg + image.background + 10
    inner = (slice(64, -64), slice(64, -64))
    seen = (image.image[inner] + 0.5) ** 2
    assert np.median(seen / expected[inner]) == pytest.approx(1, abs=0.03)
    assert (
        image.truth["pulse_photons"] == shot.photons
        and image.truth["edge_um"] in shot.crystals[0].edges_um
    )


def test_same_shot_same_bytes(crystal_image):
    shot, image = crystal_image
    again = shots.render_shot(shot, FEW_DOMAINS)
    assert np.array_equal(again.image, image.image) and again.truth == image.truth


def test_visible_spots_equal_an_independent_count(crystal_image):
    _, image = crystal_image
    station = FEW_DOMAINS
    blurred = shots.spread(image.bragg, 172.0, station.readout)
    b = image.background.astype(float)
    sigma = np.sqrt(noise_gain(172.0, station.readout) * (b + (0.04 * b) ** 2) + 9)
    peak = (blurred == ndimage.maximum_filter(blurred, 3)) & (blurred > 5 * sigma)
    peak[[0, -1]] = peak[:, [0, -1]] = False
    assert image.truth["n_visible"] == pytest.approx(peak.sum(), abs=2)


def with_edge(shot, photons, *edges):
    poses = tuple(replace(shot.crystals[0], edges_um=np.array([edge])) for edge in edges)
    return replace(shot, photons=photons, crystals=poses)


def test_more_light_and_larger_crystals_show_more_spots(crystal_image):
    shot, _ = crystal_image
    station = FEW_DOMAINS
    counts = [
        shots.render_shot(with_edge(shot, photons, edge), FEW_DOMAINS).truth["n_visible"]
        for photons, edge in ((1e12, 5.0), (1e12, 12.0), (1e12, 28.0), (3e12, 28.0))
    ]
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert shots.unit_pattern(shot.crystals[0], station, Beam(1.5, 1e12, 30.0))[1] == 9 * 5 * 4


@pytest.mark.parametrize(
    ("visible", "label"),
    [
        (49, Label.NO_CRYSTAL),
        (50, Label.WEAK),
        (699, Label.WEAK),
        (700, Label.GOOD),
        (2500, Label.STRONG),
    ],
)
def test_label_borders(visible, label):
    assert label_of(1e12, visible, Borders(50, 700, 2500)) == label
    assert label_of(0.0, visible, Borders(50, 700, 2500)) == Label.BLANK


def test_flat_tops_count_once_and_edges_do_not_count():
    image = np.zeros((7, 9), np.float32)
    image[3, 3] = image[3, 4] = 5  # one flat maximum
    image[0, 0] = 9  # on the border
    image[5, 7] = 4
    assert _local_maxima(image, np.ones_like(image)) == 2


@pytest.mark.parametrize("name", sorted(set(STATIONS) - {"diffranet"}))
def test_other_stations_render_too(name):
    station = get(name)
    drawn = (shots.sample_shot(np.random.default_rng([1, k]), station) for k in range(50))
    image = shots.render_shot(next(s for s in drawn if s.crystals and s.photons > 0), station)
    assert image.image.shape == station.detector.shape and image.bragg.max() > 0
    gap, hot = image.masks["gap"], image.masks["hot"] & ~image.masks["gap"]
    assert (
        gap.any()
        and not image.counts[gap].any()
        and (image.counts[hot] == station.readout.saturation).all()
    )


def test_unknown_station_is_named():
    with pytest.raises(InputError, match="station"):
        get("moon")


def test_a_second_crystal_adds_its_pattern(crystal_image):
    shot, _ = crystal_image
    one, other, both = (
        shots.render_shot(with_edge(shot, 1e12, *edges), FEW_DOMAINS)
        for edges in ((12.0,), (20.0,), (12.0, 20.0))
    )
    assert np.allclose(both.bragg, one.bragg + other.bragg, rtol=1e-5)
    assert (
        both.truth["n_crystals"] == 2
        and shots.crystal_edges(both.truth) == [12.0, 20.0]
        and len(both.truth["rotation"]) == 18
    )


def test_spots_of_a_shot_hold_its_light(crystal_image):
    shot, _ = crystal_image
    two = with_edge(shot, 1e12, 12.0, 20.0)
    image = shots.render_shot(two, FEW_DOMAINS)
    tables = shots.spot_lists(two, image, FEW_DOMAINS)
    assert sum(table["photons"].sum() for table in tables) == pytest.approx(
        image.bragg.sum(dtype=float), rel=1e-5
    )
    assert tables[1]["photons"].sum() / tables[0]["photons"].sum() == pytest.approx(
        (20 / 12) ** 3, rel=1e-6
    )
    assert (
        shots.spot_lists(
            replace(shot, crystals=()),
            shots.render_shot(replace(shot, crystals=()), DIFFRANET),
            DIFFRANET,
        )
        == []
    )


def test_several_crystals_come_geometrically():
    station = replace(
        DIFFRANET,
        stream=replace(Stream(), p_another=0.5),
        crystal=replace(DIFFRANET.crystal, n_domains=1),
    )
    n = [
        len(shots.sample_shot(np.random.default_rng([3, k]), station).crystals) for k in range(1500)
    ]
    present = np.array([k for k in n if k])
    assert present.mean() == pytest.approx(2, abs=4 * np.sqrt(2 / len(present)))


def test_ice_is_flagged_and_seen():
    stream = Stream(p_crystal=0.0, p_ice=1.0, ice_um=20.0)
    icy, dry = (replace(DIFFRANET, stream=s) for s in (stream, replace(stream, p_ice=0.0)))
    shots_ = [shots.sample_shot(np.random.default_rng(1), station) for station in (icy, dry)]
    images = [
        shots.render_shot(shot, station) for shot, station in zip(shots_, (icy, dry), strict=True)
    ]
    assert [image.truth["ice_um"] for image in images] == [20.0, 0.0] and images[
        0
    ].label == Label.NO_CRYSTAL
    # The second ring of hexagonal ice, at 3.44 to 3.90 angstrom, dominates the difference.
    spacing = geometry.resolution(DIFFRANET.detector, shots_[0].wavelength_A)
    extra = images[0].background - images[1].background
    assert 3.3 < spacing.flat[np.argmax(extra)] < 4.0


def test_shadows_hide_spots(crystal_image):
    shot, open_image = crystal_image
    stop = Shadows(beamstop=Beamstop(20.0), modules=Modules((100, 100), (30, 30)))
    shaded = replace(FEW_DOMAINS, shadows=stop)
    full = replace(shot, photons=2e12)
    shaded, clear = (
        shots.render_shot(with_edge(full, 2e12, 28.0), shaded),
        shots.render_shot(with_edge(full, 2e12, 28.0), FEW_DOMAINS),
    )
    assert (
        np.array_equal(shaded.bragg, clear.bragg)
        and 0 < shaded.truth["n_visible"] < clear.truth["n_visible"]
    )
    assert shaded.counts[shaded.masks["gap"]].max() == 0


def test_disorder_of_the_crystal_adds_background(crystal_image):
    shot, _ = crystal_image
    station = replace(FEW_DOMAINS, disorder=DISORDER)
    big = with_edge(shot, 1e12, 25.0)
    plain, hazy = (shots.render_shot(big, s) for s in (FEW_DOMAINS, station))
    extra = hazy.background.astype(float) - plain.background
    assert np.array_equal(plain.bragg, hazy.bragg) and extra.min() >= 0
    # As many cells as the volume of 25 um holds, each with the haze of one.
    one = disorder.disorder_photons(
        station.beam(1e12, shot.wavelength_A), station.detector, station.crystal, DISORDER
    )
    assert np.allclose(extra, (25e4**3 / (117 * 222 * 308)) * one, rtol=1e-3)
    # Twice the edge, eight times the cells, eight times the haze.
    small = shots.render_shot(with_edge(shot, 1e12, 12.5), station)
    assert extra.sum() / (small.background.astype(float) - plain.background).sum() == pytest.approx(
        8, rel=1e-3
    )
