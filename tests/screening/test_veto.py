"""Veto economics by hand."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.screening import veto

CHANCE = np.array([0.1, 0.4, 0.6, 0.9])
HITS = np.array([False, True, False, True])


def test_operating_points_by_hand():
    thresholds, recall, stored = veto.operating_points(CHANCE, HITS, 0.2)
    assert thresholds.tolist() == [0, 0.1, 0.4, 0.6, 0.9]
    assert recall.tolist() == [1, 1, 1, 0.5, 0.5]
    assert stored == pytest.approx([1, 1, 0.2 + 0.8 * 0.5, 0.1 + 0.8 * 0.5, 0.1])


def test_the_price_decides():
    points = veto.operating_points(CHANCE, HITS, 0.2)
    dear = veto.cheapest(*points, 0.2, price_hit=100)
    assert (dear["threshold"], dear["recall"]) == (0.4, 1)
    assert dear["cost"] == pytest.approx(0.6) and dear["cost_of_all"] == 1
    cheap = veto.cheapest(*points, 0.2, price_hit=0.5)
    assert (cheap["threshold"], cheap["cost"]) == (0.9, pytest.approx(0.5 * 0.2 * 0.5 + 0.1))


def test_a_model_that_knows_nothing_saves_nothing_that_is_not_lost():
    rng = np.random.default_rng(4)
    thresholds, recall, stored = veto.operating_points(
        rng.random(4000), rng.random(4000) < 0.3, 0.3
    )
    np.testing.assert_allclose(recall, stored, atol=0.05)


def test_a_shift():
    assert veto.over_a_shift(0.985, 130) == (3_744_000, 56_160)


def test_bad_numbers_are_refused():
    with pytest.raises(InputError, match="hit_rate"):
        veto.operating_points(CHANCE, HITS, 0)
    with pytest.raises(InputError, match="both"):
        veto.operating_points(CHANCE, HITS | True, 0.2)
    with pytest.raises(InputError, match="Prices"):
        veto.cheapest(*veto.operating_points(CHANCE, HITS, 0.2), 0.2, -1)
