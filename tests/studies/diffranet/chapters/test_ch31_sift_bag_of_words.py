"""The chapter on keypoints: what it counts."""

import numpy as np

from diffranet_utils.studies.diffranet.chapters import ch31_sift_bag_of_words


def test_keypoints_by_class():
    table = ch31_sift_bag_of_words._by_class(np.array([0, 4, 6]), np.array([1, 3, 3, 5]))
    assert table == {
        "blank": {"n": 1, "median": 0.0, "without": 1.0},
        "weak": {"n": 2, "median": 5.0, "without": 0.0},
    }
