import numpy as np
import pytest
from scipy import ndimage

from diffranet_utils.frames import peaks
from diffranet_utils.frames import read as frames
from diffranet_utils.studies.diffranet import labelled_frames


def test_background_agrees_with_scipy(rng):
    data = rng.poisson(7, (60, 50)).astype(np.float32)
    mask = rng.random(data.shape) > 0.3
    mean, sigma = peaks.local_background(data, mask, 9)
    n, total, squares = (
        ndimage.uniform_filter(a.astype(float), 9, mode="constant")
        for a in (mask, data * mask, data**2 * mask)
    )
    assert mean == pytest.approx(total / n, rel=1e-5)
    variance = squares / n - (total / n) ** 2
    assert sigma == pytest.approx(np.sqrt(np.maximum(np.maximum(variance, total / n), 1)), rel=1e-4)


def test_background_without_usable_pixels():
    mean, sigma = peaks.local_background(np.ones((20, 20), np.float32), np.zeros((20, 20), bool))
    assert not mean.any() and (sigma == 1).all()


def planted(rng, level, strength, n=40):
    """Poisson background with `n` round spots at known centres."""
    expected = np.full((400, 400), float(level))
    slow, fast = (a.ravel()[:n] + rng.uniform(-8, 8, n) for a in np.mgrid[30:400:50, 30:400:50])
    rows, columns = np.indices(expected.shape) + 0.5
    for y, x in zip(slow, fast, strict=True):
        expected += strength / (2 * np.pi) * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2)
    return rng.poisson(expected).astype(np.float32), slow, fast


@pytest.mark.parametrize(("level", "strength"), [(2, 200), (50, 800), (500, 2500)])
def test_planted_spots_are_found(rng, level, strength):
    data, slow, fast = planted(rng, level, strength)
    found = peaks.find_peaks(data, np.ones(data.shape, bool))
    assert len(found) == 40
    away = np.hypot(found.slow[:, None] - slow, found.fast[:, None] - fast)
    assert away.min(axis=0).max() < 0.7
    assert (
        0.4 < found.counts.sum() / (40 * strength) < 1.02
    )  # the tails of a spot lie below the threshold


def test_a_bright_spot_keeps_nearly_all_its_counts(rng):
    data, _, _ = planted(rng, 5, 50_000)
    found = peaks.find_peaks(data, np.ones(data.shape, bool))
    assert 0.85 < found.counts.sum() / (40 * 50_000) < 1.0


@pytest.mark.parametrize("level", [0.5, 3, 30, 300])
def test_few_false_spots_on_counting_noise(rng, level):
    slope = np.linspace(0.5, 1.5, 1000)[:, None] * np.ones(1000)
    data = rng.poisson(level * slope).astype(np.float32)
    assert len(peaks.find_peaks(data, np.ones(data.shape, bool))) <= 1


def test_no_spot_beside_a_gap_or_under_a_mask(rng):
    data, slow, fast = planted(rng, 20, 800)
    mask = np.ones(data.shape, bool)
    mask[:, 195:203] = False
    row, column = int(slow[0]), int(fast[0])
    mask[row - 6 : row + 7, column - 6 : column + 7] = False
    found = peaks.find_peaks(data, mask)
    hidden = (fast > 190) & (fast < 208)
    assert 39 - hidden.sum() <= len(found) <= 39
    assert not mask[[row], [column]].any()
    assert (np.hypot(found.slow - slow[0], found.fast - fast[0]) > 5).all()


def test_a_masked_frame_has_no_spots(rng):
    data = rng.poisson(20, (50, 50)).astype(np.float32)
    assert len(peaks.find_peaks(data, np.zeros(data.shape, bool))) == 0


def frame_with_geometry(**changes):
    flags = np.zeros((10, 10), np.uint8)
    values = {
        "wavelength_A": 1.5,
        "distance_mm": 80.0,
        "pixel_mm": 0.1,
        "beam_fast_px": 0.0,
        "beam_slow_px": 0.0,
    }
    return frames.Frame("made", flags.astype(np.float32), flags, **(values | changes))


def test_spacing_closed_form():
    # At a radius equal to the distance 2 theta is 45 degrees.
    spot = peaks.Peaks(np.array([0.0]), np.array([800.0]), np.ones(1), np.ones(1, int))
    assert peaks.spacings(frame_with_geometry(), spot) == pytest.approx(
        [1.5 / (2 * np.sin(np.pi / 8))]
    )
    assert peaks.spacings(frame_with_geometry(distance_mm=None), spot) is None


def test_resolution_ignores_a_stray_spot():
    radius = np.r_[np.full(99, 100.0), 5000.0]
    spots = peaks.Peaks(np.zeros(100), radius, np.ones(100), np.ones(100, int))
    ring = 1.5 / (2 * np.sin(0.5 * np.arctan2(10.0, 80.0)))
    assert peaks.resolution(frame_with_geometry(), spots) == pytest.approx(ring)
    few = peaks.Peaks(np.zeros(5), radius[:5], np.ones(5), np.ones(5, int))
    assert peaks.resolution(frame_with_geometry(), few) is None


def test_real_hits_have_more_spots_than_real_misses(real_dir):
    labelled = labelled_frames.find_real(real_dir)
    counted = {}
    for item in labelled[4:]:
        frame = item.read()
        counted.setdefault(item.label.title, []).append(
            len(peaks.find_peaks(frame.data, frame.mask))
        )
    assert min(counted["diffraction"]) > 300
    assert max(counted["no-diffraction"]) < 5
