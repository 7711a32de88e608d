"""Numbers in words, and the table that sets them beside the paper's."""

from enum import IntEnum

import pytest

from diffranet_utils.records import entries, metrics, tables
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.records.study import Claim, Study


def plain(words):
    return words.replace(entries.JOIN, " ")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "not yet measured"),
        ({"value": None}, "–"),
        (
            {"value": 0.975, "low": 0.961, "high": 0.9842, "n": 1800},
            "97.5 % [96.1, 98.4], n = 1,800",
        ),
        (plain_value(23.117, "image/s"), "23.12 image/s"),
        (plain_value(12600), "12,600"),
        ({"value": 3.0, "unit": "h", "low": 2.5, "high": 3.5, "n": 5}, "3 h [2.5, 3.5], n = 5"),
        (metrics.mean_interval([-0.03125, -0.03125]), "-3.1 %, n = 2"),
    ],
)
def test_entries_in_words(entry, words):
    assert plain(entries.format_entry(entry)) == words


def test_claim_shows_its_count_and_interval():
    claim = Claim("k", "title", 0.5, 100, "Table 0", "20_dataset")
    assert (
        plain(tables.format_claim(claim)) == "50.0 % [40.4, 59.6], n = 100"
    )  # Wilson, worked by hand
    assert tables.format_claim(None) == "–"


Kind = IntEnum("Kind", "ONE TWO")
RATE = Claim("images_per_second", "Images per second", 1.0, None, "Section 3", "20_dataset")
OTHER = Claim("accuracy", "Accuracy", 0.5, 100, "Table 0", "30_texture")


def test_result_table_aligns_ours_with_the_paper(monkeypatch):
    ours = {
        "chapter": "20_dataset",
        "preset": "smoke",
        "seed": 7,
        "values": {"n_images": plain_value(600)},
    }
    committed = {"values": {"images_per_second": plain_value(40.0, "image/s")}}
    monkeypatch.setattr(tables, "committed_result", lambda chapter: committed)
    table = tables.result_table(ours, Study("other", Kind, {}, (RATE, OTHER))).map(plain)
    assert table.loc["Images per second"].tolist() == [
        "not yet measured",
        "40 image/s",
        "1 image/s",
    ]
    assert table.loc["n images"].tolist() == ["600", "not yet measured", "–"]
    assert len(table) == 2 and table.columns[0] == "this run (smoke, seed 7)"


def test_accuracy_round_trip():
    assert plain(entries.format_entry(metrics.accuracy([1, 2, 3, 3], [1, 2, 3, 4]))).startswith(
        "75.0 % ["
    )
