"""Pictures, descriptors and trees of the small sorter, against what is known of them."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.scattering import shipping, unlike
from diffranet_utils.studies.scattering.frame_pictures import picture_of
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.quick_descriptors import best_centre, describe
from diffranet_utils.studies.scattering.quick_sorter import (
    SHIPPED,
    UNSURE,
    QuickSorter,
    from_forest,
    read_sorter,
    write_sorter,
)


def test_a_picture_is_the_logarithm_of_block_means():
    counts = np.zeros((512, 1024))
    counts[0, :4] = 10, 20, 30, 40  # the first block of 2 x 4 pixels: mean 12.5
    counts[510:, 1020:] = 99
    picture = picture_of(counts)
    assert picture.shape == (256, 256) and picture[100, 100] == 0
    white = np.log1p(99)
    assert picture_of(np.full((300, 300), 5)).max() == 0  # even: nothing above the darkest
    wide = counts + (np.arange(1024) > 511) * 99  # the quantile is within the bright half
    assert picture_of(wide)[0, 0] == pytest.approx(255 * np.log1p(25 * 0.5) / white, abs=1)


def test_masked_pixels_do_not_count():
    counts = np.random.default_rng(1).poisson(50.0, (256, 256))
    usable = np.ones(counts.shape, bool)
    usable[40:50] = False
    spoilt = counts.copy()
    spoilt[40:50] = 10**9
    picture = picture_of(spoilt, usable)
    assert (picture[40:50] == 0).all()
    assert np.array_equal(picture, picture_of(np.where(usable, counts, 0), usable))


@pytest.mark.parametrize("aspect", [1.0, 2.0])
def test_rings_have_their_centre_where_they_were_drawn(aspect):
    steps = (np.arange(256) + 0.5) / 256
    down, across = (steps - 0.3)[:, None] * aspect**0.5, (steps - 0.62)[None, :] * aspect**-0.5
    image = 0.5 + 0.4 * np.cos(40 * np.hypot(down, across))
    small, middle = (image.reshape(n, 256 // n, n, 256 // n).mean(axis=(1, 3)) for n in (32, 64))
    explained, row, column = best_centre(small, middle, aspect)
    assert explained > 0.8
    assert (row, column) == pytest.approx((0.3, 0.62), abs=0.05)


def test_descriptors_are_finite_whatever_the_picture():
    rng = np.random.default_rng(3)
    black, white = np.zeros((256, 256), np.uint8), np.full((256, 256), 255, np.uint8)
    noise = rng.integers(0, 256, (256, 256), dtype=np.uint8)
    rows = [describe(one, aspect) for one in (black, white, noise) for aspect in (0.1, 1.0, 20.0)]
    assert np.isfinite(rows).all()
    with pytest.raises(InputError):
        describe(black[:128])


def test_arrays_answer_as_the_forest_of_scikit_learn(tmp_path):
    rng = np.random.default_rng(5)
    labels = np.arange(300) % 6
    table = (rng.normal(size=(300, 8)) + labels[:, None] * 0.7).astype(np.float32)
    forest = ExtraTreesClassifier(20, max_leaf_nodes=30, random_state=0).fit(table, labels)
    sorter = QuickSorter(from_forest(forest), {"least_probability": 0.5})
    write_sorter(tmp_path / "one.safetensors", sorter)
    again = read_sorter(tmp_path / "one.safetensors")
    theirs = forest.predict_proba(table[:40])
    ours = np.array([again.probabilities(row) for row in table[:40]])
    assert np.allclose(ours[:, :4], theirs[:, :4], atol=0.005)
    assert np.allclose(ours[:, 4], theirs[:, 4:].sum(axis=1), atol=0.005)
    assert again.verdict(np.array([0.1, 0.6, 0.1, 0.1, 0.1])) == "WAXS"
    assert again.verdict(np.array([0.2, 0.3, 0.3, 0.1, 0.1])) == UNSURE
    assert again.verdict(np.array([0.1, 0.1, 0.1, 0.0, 0.7])) == UNSURE


def test_other_files_are_no_sorter(tmp_path):
    with pytest.raises(MissingDataError):
        read_sorter(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    with pytest.raises(InputError):
        read_sorter(tmp_path / "bad.safetensors")


def test_the_limit_is_the_least_that_is_right_often_enough():
    chances = np.zeros((100, 5))
    chances[:, 0] = np.linspace(0.31, 0.99, 100)
    labels = np.where(chances[:, 0] < 0.6, 1, 0)
    least = shipping.least_probability(chances, labels)
    answered = chances[:, 0] >= least
    assert (labels[answered] == 0).mean() >= shipping.RIGHT
    assert (labels[chances[:, 0] >= least - 0.02] == 0).mean() < shipping.RIGHT


def test_a_small_sorter_learns_from_sessions():
    making = shipping.Making(n_sessions=8, n_trees=10, n_leaves=20)
    table, labels, sessions = shipping.simulated_table(making)
    assert np.bincount(labels).tolist() == [8] * 6 and sessions.max() == 7
    sorter = shipping.train(table, labels, sessions, making)
    assert sorter.about["n_train"] == 30 and sorter.about["n_test"] == 8


def test_the_shipped_sorter_on_sessions_that_it_never_saw():
    sorter = read_sorter(SHIPPED)
    assert SHIPPED.stat().st_size < 6e6
    right = answered = 0
    for name in TECHNIQUES:
        for number in range(10_000, 10_010):
            chances = sorter.probabilities(shipping.frame_rows((name, 7, number, 1))[0])
            verdict = sorter.verdict(chances)
            answered += verdict != UNSURE
            right += verdict == name
    assert answered >= 4 and right >= 0.7 * answered


def test_the_shipped_sorter_is_unsure_of_dark_frames_and_crystals():
    sorter = read_sorter(SHIPPED)
    verdicts = [
        sorter.verdict(sorter.probabilities(shipping.frame_rows((kind, 8, number, 1))[0]))
        for kind in unlike.KINDS
        for number in range(10_000, 10_010)
    ]
    assert verdicts.count(UNSURE) >= 18


def test_real_frames_are_not_called_something_else():
    folder = os.environ.get("DIFFRANET_SCATTERING")
    if not folder:
        pytest.skip("DIFFRANET_SCATTERING names no folder of real frames")
    from diffranet_utils.studies.scattering.real_frames import judge_real

    rows = judge_real(Path(folder), read_sorter(SHIPPED))
    right = sum(row["likeliest"] == row["truth"] for row in rows)
    wrong = [row for row in rows if row["technique"] not in (row["truth"], UNSURE)]
    assert len(rows) >= 5 and right >= 3 and not wrong
