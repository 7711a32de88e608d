"""What faults of the original code cost: the faults are those described, and the table says what
was measured.
"""

import numpy as np
import pytest

from diffranet_utils.data.split import Split
from diffranet_utils.features.texture import PROPERTIES
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import faults, scorecard
from diffranet_utils.studies.diffranet.study import STUDY


def test_swapped_arguments_pair_each_pixel_with_itself(rng):
    image = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    found = dict(zip(PROPERTIES, faults._swapped_glcm(image), strict=True))
    shares = np.bincount(image.ravel(), minlength=256) / image.size
    assert found["contrast"] == found["dissimilarity"] == 0
    assert found["homogeneity"] == pytest.approx(1) and found["correlation"] == pytest.approx(1)
    assert found["ASM"] == pytest.approx((shares**2).sum())


@pytest.fixture
def stripes(monkeypatch, rng, tmp_path):
    """A run whose two kinds of image have the same grey values, in blocks or in stripes of one
    pixel.
    """

    def split(n):
        labels = np.arange(n) % 2 + 1
        grey = np.where(np.arange(32) % 2, 200, 50).astype(np.uint8)
        images = np.stack(
            [np.tile(grey if label == 1 else np.sort(grey), (32, 1)) for label in labels]
        )
        return Split(
            images=images + rng.integers(0, 3, images.shape, dtype=np.uint8), labels=labels, ids=[]
        )

    splits = {"train": split(80), "validation": split(40), "test": None}
    monkeypatch.setattr(faults, "ensure_dataset", lambda run: tmp_path)
    monkeypatch.setattr(faults, "load_split", lambda root, name: splits[name])
    monkeypatch.setattr(faults, "_learning_rates", lambda run, training, test: {})
    return provenance.start_run(STUDY, "smoke", 1, tmp_path, tmp_path)


def test_each_fault_costs_what_it_must(stripes):
    found = {name: entry["value"] for name, entry in faults.measure_faults(stripes).items()}
    assert found["texture_right"] == 1
    assert found["order_wrong"] < 0.8  # labels of other images teach nothing
    assert (
        found["swap_wrong"] < 1
    )  # the arrangement of the pixels, which is all that differs, is gone


def test_the_table_says_what_is_missing_and_what_was_measured(monkeypatch):
    monkeypatch.setattr(scorecard, "benchmark", lambda name: None)
    monkeypatch.setattr(scorecard, "committed_result", lambda *which: None)
    assert scorecard.faults_table().count("not yet measured") == 11
    entry = {"value": 0.25, "n": 400}
    names = (
        "texture_right",
        "order_wrong",
        "swap_wrong",
        "rate_right",
        "rate_wrong",
        "length_wrong",
    )
    monkeypatch.setattr(
        scorecard, "benchmark", lambda name: {"values": dict.fromkeys(names, entry)}
    )
    table = scorecard.faults_table()
    assert "in 100 of 400 images" in table and table.count("25.0") == 6
