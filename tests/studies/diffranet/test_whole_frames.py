"""Whole simulated frames: reproducible, of their detector's kind, and with spots where they are
said to be.
"""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.diffranet.frame_detectors import FAMILIES, draw_counts, draw_detector
from diffranet_utils.studies.diffranet.frame_spots import add_spots
from diffranet_utils.studies.diffranet.whole_frames import draw_frame


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_draws_the_same_frame(family):
    first, second = (draw_frame(np.random.default_rng(4), family, 200_000) for _ in range(2))
    np.testing.assert_array_equal(first.data, second.data)
    assert first.family == family and str(first.data.dtype) in FAMILIES[family].dtypes
    assert first.kind in ("hit", "weak", "miss")


def test_an_unknown_family_is_refused(rng):
    with pytest.raises(InputError, match="nonsense"):
        draw_detector(rng, "nonsense")


def test_a_spot_holds_its_photons():
    image = np.zeros((60, 60), np.float32)
    add_spots(image, np.array([[30.0, 30.0, 500.0, 2.5, 1.5, 0.4]]))
    assert image.sum() == pytest.approx(500, rel=0.01)


def test_counts_have_the_mean_and_variance_of_counting(rng):
    for mean in (0.3, 5.0, 400.0):
        counts = draw_counts(np.full((300, 300), mean, np.float32), rng)
        assert counts.mean() == pytest.approx(mean, rel=0.02)
        assert counts.var() == pytest.approx(mean, rel=0.03)
