"""The paper's numbers: each is consistent with the paper's own counts, and answered by a chapter
that exists.
"""

import numpy as np
import pytest

from diffranet_utils.studies.diffranet import claims
from diffranet_utils.studies.diffranet.labels import CLASS_NAMES
from diffranet_utils.studies.diffranet.study import STUDY

# Tables 6, 12 and 13 of the paper: rows are the true class, columns the predicted one.
CONFUSIONS = {
    "deepfreak_test_accuracy": [
        [2069, 0, 0, 0, 0], [0, 3266, 2, 0, 0], [1, 18, 3280, 47, 0], [0, 0, 38, 2368, 38],
        [0, 0, 0, 44, 1428],
    ],
    "svm_test_accuracy": [
        [2069, 0, 0, 0, 0], [0, 3266, 1, 0, 1], [1, 160, 3142, 44, 0], [0, 0, 40, 2377, 27],
        [0, 0, 0, 22, 1450],
    ],
    "rf_test_accuracy": [
        [2069, 0, 0, 0, 0], [0, 3266, 2, 0, 0], [0, 53, 3254, 39, 0], [0, 0, 45, 2368, 31],
        [0, 0, 0, 25, 1447],
    ],
}  # fmt: skip
BY_KEY = {claim.key: claim for claim in claims.CLAIMS}


def test_keys_are_unique_and_chapters_exist():
    assert len(BY_KEY) == len(claims.CLAIMS)
    assert {claim.chapter for claim in claims.CLAIMS} <= set(STUDY.chapters)
    assert [claim for name in STUDY.chapters for claim in STUDY.claims_of(name)] == sorted(
        claims.CLAIMS, key=lambda claim: claim.chapter
    )


def test_the_study_has_every_chapter_and_class():
    assert all(callable(STUDY.step(chapter)) for chapter in STUDY.chapters)
    assert STUDY.class_names == CLASS_NAMES
    assert all(STUDY.preset(name).name == name for name in STUDY.presets)


@pytest.mark.parametrize("key", CONFUSIONS)
def test_accuracies_agree_with_the_confusion_matrices(key):
    matrix = np.array(CONFUSIONS[key])
    assert (
        abs(matrix.sum() - BY_KEY[key].n) <= 1
    )  # Table 12 has one image more than the other two, by a slip
    assert np.trace(matrix) / BY_KEY[key].n == pytest.approx(BY_KEY[key].value, abs=6e-5)


def test_hit_accuracy_agrees_with_table_6():
    matrix = np.array(CONFUSIONS["deepfreak_test_accuracy"])
    right = matrix[:2, :2].sum() + matrix[2:, 2:].sum()
    assert right / matrix.sum() == pytest.approx(BY_KEY["deepfreak_hit_accuracy"].value, abs=6e-5)


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.key)
def test_shares_are_whole_numbers_of_images(claim):
    if claim.n is None:
        assert claim.interval() is None
        return
    nearest = round(claim.value * claim.n) / claim.n
    # The untuned accuracies on 457 real frames are the exception: no count of images gives what
    # Table 7 prints.
    assert (abs(nearest - claim.value) < 6e-5) == (claim.n != claims.REAL_ALL)
    low, high = claim.interval()
    assert low < claim.value < high
