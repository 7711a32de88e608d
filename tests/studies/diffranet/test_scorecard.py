"""The scorecard: what is gathered, how ours stands against the paper, and the README's table."""

import pytest

from diffranet_utils.cli.registry import STUDIES
from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.records import metrics, provenance
from diffranet_utils.studies.diffranet import claims, remarks, scorecard
from diffranet_utils.studies.diffranet.chapters import ch60_scorecard
from diffranet_utils.studies.diffranet.study import STUDY


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(scorecard, "COMMITTED", tmp_path / "committed")
    return provenance.start_run(STUDY, "smoke", 5, tmp_path / "data", tmp_path / "results")


def save_forest(run, n_right=150, n=200):
    provenance.save_result(
        "32_hyperopt_search", run, {"rf_test_accuracy": metrics.proportion(n_right, n)}, seconds=1.0
    )


def test_every_claim_has_a_row_and_gaps_are_named(run):
    save_forest(run)
    values, details = ch60_scorecard.step(run)
    rows = {row["key"]: row for row in details["rows"]}
    assert values == {} and list(rows) == [claim.key for claim in claims.CLAIMS]
    assert rows["rf_test_accuracy"]["ours"]["n"] == 200
    assert rows["rf_test_accuracy"]["verdict"] == "below"
    assert rows["svm_test_accuracy"]["verdict"] == "not yet measured"
    assert [run["chapter"] for run in details["runs"]] == ["32_hyperopt_search"]


def test_the_step_works_before_anything_was_run(run):
    _, details = ch60_scorecard.step(run)
    assert details["runs"] == []
    table = scorecard.scorecard_table(details["rows"])
    assert len(table) == len(claims.CLAIMS) and (table["this run"] == "not yet measured").all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.49, "below"),
        (0.1, 0.5, "intervals overlap"),
        (0.6, 0.9, "intervals overlap"),
        (0.61, 0.9, "above"),
    ],
)
def test_verdict_compares_interval_ends(low, high, expected):
    paper = {"value": 0.55, "low": 0.5, "high": 0.6}
    assert (
        scorecard.verdict({"value": (low + high) / 2, "low": low, "high": high}, paper) == expected
    )


def test_verdict_of_a_rate_compares_values():
    assert (
        scorecard.verdict({"value": 12.0, "unit": "image/s"}, {"value": 1.0, "unit": "image/s"})
        == "above"
    )


def test_records_of_other_code_are_marked(run):
    save_forest(run)
    (record,) = scorecard.load_records(run.results_dir).values()
    assert not scorecard.describe(record)["stale"]
    assert scorecard.describe(record | {"code": "0" * 16})["stale"]


def test_larger_presets_win_in_the_readme(run, tmp_path):
    for preset, n_right in (("workshop", 700), ("full", 900)):
        larger = provenance.start_run(STUDY, preset, 5, tmp_path, tmp_path / "committed")
        save_forest(larger, n_right, 1000)
    line = next(
        line
        for line in scorecard.readme_table().splitlines()
        if line.startswith("| Random forest, test")
    )
    assert "90.0" in line and line.endswith("| full |")


REAL_RAW = next(claim for claim in claims.CLAIMS if claim.key == "rf_real_raw_accuracy")


def real_record(crop_labels):
    values = {
        "rf_real_raw_accuracy": {"value": 0.75},
        "rf_real_raw_balanced_accuracy": {"value": 0.5},
    }
    return {
        REAL_RAW.chapter: {"values": values, "details": {"crop_labels": {"rf raw": crop_labels}}}
    }


@pytest.mark.parametrize(
    ("crop_labels", "expected"),
    [
        ([5, 4, 3, 4], "; every crop called a hit, balanced 50 %"),
        ([1, 2, 2, 1], "; every crop called a miss, balanced 50 %"),
        ([5, 4, 2, 4], ""),
        ([], ""),
    ],
)
def test_one_answer_for_all_crops_is_told(crop_labels, expected):
    assert remarks.remark(real_record(crop_labels), REAL_RAW) == expected


def test_nothing_is_remarked_where_nothing_was_measured():
    assert {remarks.remark({}, claim) for claim in claims.CLAIMS} == {""}
    assert remarks.rows_beside({}) == []


def test_the_best_model_is_named_and_what_needs_no_training_stands_beside_it():
    lines = scorecard.readme_table().splitlines()
    best = next(k for k, line in enumerate(lines) if line.startswith("| Best model on real frames"))
    details = provenance.committed_result("51_reality_gap")["details"]
    assert (
        details["chosen"]["model"] in lines[best]
        and f"crops of {details['n_frames']} frames" in lines[best]
    )
    frames = [
        line
        for line in lines[best + 1 :]
        if f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{details['n_frames']}" in line
    ]
    assert [line.split(",")[0] for line in frames] == ["| Shipped screener", "| Count of spots"]


def test_readme_keeps_what_is_outside_the_marks():
    start, end = scorecard.README_MARKS
    text = f"before\n{start}\nold\n{end}\nafter\n"
    assert scorecard.readme_with(text, "new\n") == f"before\n{start}\nnew\n{end}\nafter\n"
    with pytest.raises(DiffranetError, match="README.md has no"):
        scorecard.readme_with("no marks", "new\n")


def test_readme_is_in_step_with_the_committed_records():
    text = (provenance.ROOT / "README.md").read_text(encoding="utf-8")
    assert scorecard.readme_with(text, scorecard.readme_table()) == text, (
        "run: python tools/update_readme.py"
    )


def test_run_times_name_every_chapter_and_the_machine():
    timing = {
        "preset": "smoke",
        "chapters_s": {"00_a": 7, "10_b": 12},
        "book_s": 20,
        "device": "a box",
    }
    table = scorecard.run_times_table(timing)
    assert "| `10_b` | 12 |" in table and "a box; the book in 20 s" in table
    assert "book_times.json" in scorecard.run_times_table(None)


def test_spot_finders_stand_in_one_table():
    share = {"value": 0.5, "n": 10, "low": 0.24, "high": 0.76, "interval": "Wilson 95 %"}
    row = {"found": 1200, "right": share, "of_the_visible": share, "most_on_an_empty_frame": 3}
    timing = {"n_frames": 60, "n_empty": 17, "n_visible": 11393, "near_px": 2.0, "device": "a core"}
    rows = {"ours": row | {"seconds_a_frame": 0.031}, "blind": row | {"found": 0, "right": None}}
    rows["blind"]["seconds_a_frame"] = 1.0
    lines = scorecard.spot_finders_table(timing | {"programs": rows}).splitlines()
    assert [line.count("|") for line in lines[:4]] == [7] * 4
    assert "1,200" in lines[2] and "31 ms" in lines[2] and "11,393" in lines[-1]
    assert "bench_spot_finders" in scorecard.spot_finders_table(None)


def test_every_number_of_every_paper_has_its_row():
    rows = scorecard.papers_table(STUDIES).splitlines()[2:]
    assert len(rows) == sum(len(study.claims) for study in STUDIES)
    assert {row.split("|")[1].strip() for row in rows} == {
        study.name.replace("_", " ") for study in STUDIES
    }
    assert all(row.count("|") == 6 for row in rows)


def test_the_first_page_shows_five_numbers_with_a_real_one():
    rows = scorecard.headline_table().splitlines()[2:]
    assert len(rows) == 5 and "real frames" in rows[-1]
