"""Techniques and counts against the paper's text."""

from diffranet_utils.studies.scattering import labels


def test_counts_are_those_of_the_text():
    """3,512 GISAXS, 746 GIWAXS, 746 WAXS and 645 SAXS images (section 4.1)."""
    assert labels.total_counts() == {"SAXS": 645, "WAXS": 746, "GISAXS": 3512, "GIWAXS": 746}


def test_turned_set_is_the_balanced_one_turned():
    for name in labels.TECHNIQUES:
        turned = labels.TRAIN_COUNTS["BL"][name] * len(labels.TURNS_DEG)
        assert labels.TRAIN_COUNTS["BLA"][name] == turned
    assert set(labels.TRAIN_COUNTS["BL"].values()) == {labels.TRAIN_COUNTS["UB"]["SAXS"]}
