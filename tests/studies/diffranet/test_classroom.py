"""What a class should see: counted from records, with gaps named."""

from diffranet_utils.studies.diffranet import classroom

RECORDS = {
    "00_quickstart": {"details": {"truth": [1, 2, 3, 4, 5] * 2 + [1],
        "predicted": [1, 2, 3, 4, 5, 1, 2, 3, 5, 4, 1]}},
    "32_hyperopt_search": {"details": {"mcnemar": {"first_only": 9, "second_only": 1,
        "p": 0.0215}}},
    "50_real_frames": {"details": {"source": "stand-in",
        "crop_labels": {"rf raw": [3, 5], "svm raw": [1, 5]}}},
}  # fmt: skip


def test_rows_say_what_the_records_hold():
    table = classroom.expected_table(RECORDS)
    assert "right on 8 of 10 |" in table
    assert "only the forest right on 9 images, only the machine on 1, p = 0.021 |" in table
    assert "1 of 2 columns hold one answer from top to bottom; stand-in |" in table


def test_a_chapter_that_has_not_run_says_so():
    assert classroom.expected_table({}).count("not yet measured") == len(RECORDS)
