"""The scorecard: what is gathered, how ours stands against the paper, and the README's table."""

import pytest

from diffranet_utils import claims, metrics, provenance, scorecard
from diffranet_utils.errors import DiffranetError


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(scorecard, "COMMITTED", tmp_path / "committed")
    return provenance.start_run("smoke", 5, tmp_path / "data", tmp_path / "results")


def save_forest(run, n_right=150, n=200):
    provenance.save_result("32_hyperopt_search", run, {"rf_test_accuracy": metrics.proportion(n_right, n)}, seconds=1.0)


def test_every_claim_has_a_row_and_gaps_are_named(run):
    save_forest(run)
    values, details = scorecard.scorecard_step(run)
    rows = {row["key"]: row for row in details["rows"]}
    assert values == {} and list(rows) == [claim.key for claim in claims.CLAIMS]
    assert rows["rf_test_accuracy"]["ours"]["n"] == 200
    assert rows["rf_test_accuracy"]["verdict"] == "below"
    assert rows["svm_test_accuracy"]["verdict"] == "not yet measured"
    assert [run["chapter"] for run in details["runs"]] == ["32_hyperopt_search"]


def test_the_step_works_before_anything_was_run(run):
    _, details = scorecard.scorecard_step(run)
    assert details["runs"] == []
    table = scorecard.scorecard_table(details["rows"])
    assert len(table) == len(claims.CLAIMS) and (table["this run"] == "not yet measured").all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.49, "below"), (0.1, 0.5, "intervals overlap"), (0.6, 0.9, "intervals overlap"), (0.61, 0.9, "above")],
)
def test_verdict_compares_interval_ends(low, high, expected):
    paper = {"value": 0.55, "low": 0.5, "high": 0.6}
    assert scorecard.verdict({"value": (low + high) / 2, "low": low, "high": high}, paper) == expected


def test_verdict_of_a_rate_compares_values():
    assert scorecard.verdict({"value": 12.0, "unit": "image/s"}, {"value": 1.0, "unit": "image/s"}) == "above"


def test_records_of_other_code_are_marked(run):
    save_forest(run)
    (record,) = scorecard.load_records(run.results_dir).values()
    assert not scorecard.describe(record)["stale"]
    assert scorecard.describe(record | {"code": "0" * 16})["stale"]


def test_larger_presets_win_in_the_readme(run, tmp_path):
    for preset, n_right in (("workshop", 700), ("paper", 900)):
        larger = provenance.start_run(preset, 5, tmp_path, tmp_path / "committed")
        save_forest(larger, n_right, 1000)
    line = next(line for line in scorecard.readme_table().splitlines() if line.startswith("| Random forest, test"))
    assert "90.0" in line and line.endswith("| paper |")


def test_readme_keeps_what_is_outside_the_marks():
    start, end = scorecard.README_MARKS
    text = f"before\n{start}\nold\n{end}\nafter\n"
    assert scorecard.readme_with(text, "new\n") == f"before\n{start}\nnew\n{end}\nafter\n"
    with pytest.raises(DiffranetError, match="README.md has no"):
        scorecard.readme_with("no marks", "new\n")


def test_readme_is_in_step_with_the_committed_records():
    text = (provenance.ROOT / "README.md").read_text(encoding="utf-8")
    assert scorecard.readme_with(text, scorecard.readme_table()) == text, "run: python tools/update_readme.py"


def test_run_times_name_every_chapter_and_the_machine():
    timing = {"preset": "smoke", "chapters_s": {"00_a": 7, "10_b": 12}, "book_s": 20, "device": "a box"}
    table = scorecard.run_times_table(timing)
    assert "| `10_b` | 12 |" in table and "a box; the book in 20 s" in table
    assert "book_times.json" in scorecard.run_times_table(None)
