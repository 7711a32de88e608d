"""The search for wrong labels, on classifiers whose quality is known, and beside cleanlab where it
is installed.
"""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import label_errors
from diffranet_utils.studies.drops.label_noise import DISAGREED, with_noise
from diffranet_utils.studies.drops.labels import draw_labels


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(4)
    return with_noise(rng, draw_labels(rng, 4000))


@pytest.fixture(scope="module")
def seen(noisy):
    """Probabilities of a good classifier."""
    rng = np.random.default_rng(5)
    return 0.8 * np.eye(4)[noisy.true] + 0.2 * rng.dirichlet(np.ones(4), len(noisy.true))


def test_the_worst_hold_as_many_errors_as_there_are(noisy, seen):
    found = label_errors.search_of(label_errors.worst(seen, noisy.given), noisy.wrong)
    assert found.n_flagged == 200 and found.n_right == noisy.wrong.sum()
    assert found.precision["low"] < DISAGREED < found.precision["high"]


def test_flags_of_a_good_classifier_are_right(noisy, seen):
    found = label_errors.search_of(label_errors.flagged(seen, noisy.given), noisy.wrong)
    assert (
        found.precision["value"] > 0.9 and found.recall["value"] > 0.5
    )  # the rule flags only what is likelier wrong


def test_confident_learning_finds_the_errors_that_a_good_classifier_sees(noisy, seen):
    found = label_errors.search_of(
        label_errors.flagged_by_confidence(seen, noisy.given), noisy.wrong
    )
    assert found.recall["value"] > 0.5 and found.precision["value"] > 0.5


def test_a_blind_classifier_flags_next_to_nothing(noisy):
    blind = np.random.default_rng(6).dirichlet(np.full(4, 50.0), len(noisy.given))
    assert len(label_errors.flagged(blind, noisy.given)) < 0.2 * len(noisy.given)
    assert label_errors.search_of(np.zeros(0, dtype=int), noisy.wrong).precision["value"] is None


def test_temperature_of_overconfident_probabilities_is_found():
    rng = np.random.default_rng(7)
    honest = rng.dirichlet(np.ones(4), 5000)
    labels = (rng.random(5000)[:, None] > honest.cumsum(1)).sum(1)
    bold = honest**3 / (honest**3).sum(1, keepdims=True)
    assert np.abs(label_errors.tempered(bold, labels) - honest).mean() < 0.02


def test_every_picture_is_judged_by_a_network_that_has_not_seen_it():
    given = np.repeat([0, 1, 2, 3], 10)

    def judge(fold, training, held_out):
        assert not set(training) & set(held_out) and len(training) + len(held_out) == len(given)
        return np.repeat(held_out[:, None], 4, axis=1)

    assert (label_errors.out_of_fold(given, 3, 1, judge)[:, 0] == np.arange(40)).all()
    with pytest.raises(InputError):
        label_errors.out_of_fold(given[:12], 5, 1, judge)


def test_the_confident_joint_as_cleanlab_has_it(noisy, seen):
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is a peer and not installed")
    joint, _ = label_errors.confident_joint(seen, noisy.given)
    assert joint.sum() > 1000
    assert (joint == count.compute_confident_joint(noisy.given, seen, calibrate=False)).all()
