"""Sessions: the same for the same seed, with truth, and counted as photons are."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.scattering import detector
from diffranet_utils.studies.scattering.camera import Camera
from diffranet_utils.studies.scattering.detector import Readout
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.sessions import draw_session, take

TRUTH = {"ring", "arc", "rod", "halo", "yoneda", "horizon"}


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_patterns_come_with_their_truth_and_from_their_seed(technique):
    for number in range(4):
        session = draw_session(technique, 3, number, n=64)
        first, again, other = (take(session, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert first.image.shape == (64, 64) and first.image.dtype == np.uint8
        assert first.technique == technique and first.counts.min() >= 0
        assert np.array_equal(first.image, again.image)
        assert not np.array_equal(first.counts, other.counts)
        assert first.masks and set(first.masks) <= TRUTH
        assert all(m.shape == (64, 64) and m.dtype == bool for m in first.masks.values())
        assert ("horizon" in first.masks) == technique.startswith("GI")


def test_sessions_differ():
    cameras = {draw_session("SAXS", 3, number, n=32).camera for number in range(6)}
    assert len(cameras) == 6


def test_counts_vary_as_poisson_said():
    """Variance equals the mean, pixel by pixel, over exposures."""
    rng = np.random.default_rng(4)
    intensity, shadow = np.ones((32, 32)), np.zeros((32, 32), bool)
    readout = Readout(photons=40.0, n_zingers=0, stray=0.0)
    counts = np.stack([detector.count(intensity, shadow, readout, rng) for _ in range(200)])
    assert counts.mean() == pytest.approx(40, rel=0.01)
    assert counts.var(axis=0, ddof=1).mean() == pytest.approx(40, rel=0.03)


def test_nothing_reaches_gaps_and_the_beamstop():
    camera = Camera(100.0, 100.0, 1000.0, 1.0, n=90)
    shadow = detector.gap_mask(90, (2, 1), 4) | detector.stop_mask(camera, 6.0, 270.0)
    readout = Readout(photons=100.0, stray=0.1, n_zingers=20)
    counts = detector.count(np.ones((90, 90)), shadow, readout, np.random.default_rng(1))
    assert (counts[shadow] == 0).all() and (counts[~shadow] > 0).all()
    assert detector.gap_mask(90, (2, 0), 4).all(axis=1).sum() == 8
    assert detector.stop_mask(camera, 6.0, 270.0)[89, 45]  # the holder reaches the lower edge


def test_horizon_cuts_grazing_patterns():
    session = draw_session("GISAXS", 3, 0, n=64)
    pattern = take(session, np.random.default_rng(1))
    below = session.horizon
    assert pattern.counts[below].mean() < pattern.counts[~below].mean()


def test_unknown_techniques_are_refused():
    with pytest.raises(InputError):
        draw_session("USAXS", 1, 0)
