"""Simulated whole frames and the training of the judge on them."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.screening.evidence import NAMES
from diffranet_utils.studies.diffranet import judge_training
from diffranet_utils.studies.diffranet.frame_detectors import FAMILIES
from diffranet_utils.studies.diffranet.whole_frames import draw_frame


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frame_of_each_family(family):
    frame, again = (draw_frame(np.random.default_rng(5), family, 600_000) for _ in range(2))
    np.testing.assert_array_equal(frame.data, again.data)
    assert frame.family == family and frame.data.ndim == 2
    assert frame.bad is None or frame.bad.shape == frame.data.shape
    assert frame.kind in judge_training.KINDS


def test_frames_of_a_seed_do_not_depend_on_their_number():
    few, more = (judge_training.draw_evidence(n, 4)[0] for n in (2, 3))
    np.testing.assert_array_equal(few, more[:2])


def test_limits_hold_on_evidence_that_separates(rng):
    n = 600
    kinds = rng.choice(["hit", "miss"], n)
    x = rng.standard_normal((n, len(NAMES)))
    x[:, NAMES.index("spot-like peaks")] = np.where(
        kinds == "hit", 5, 1
    ) + 0.3 * rng.standard_normal(n)
    judge, table = judge_training.fit(x, kinds, rng.choice(["one", "two"], n))
    assert table["miss"]["hit"] <= 0.03 * (kinds == "miss").sum()
    assert table["hit"]["miss"] <= 0.05 * (kinds == "hit").sum()
    assert sum(sum(row.values()) for row in table.values()) == n
    chance = np.array([judge.probability(row) for row in x])
    assert chance[kinds == "hit"].min() > chance[kinds == "miss"].max()


def test_too_few_frames_are_refused():
    with pytest.raises(InputError):
        judge_training.train(10, 1)
