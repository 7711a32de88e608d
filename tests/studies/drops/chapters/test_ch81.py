"""Chapter 81: what follows from predictions, and what a comparison of label searches records."""

import json

import numpy as np
import pandas as pd
import pytest

from diffranet_utils.core.files import plain
from diffranet_utils.studies.drops.chapters import ch81_inception_on_drops as chapter
from diffranet_utils.studies.drops.comparisons import searched
from diffranet_utils.studies.drops.imagers import IMAGERS
from diffranet_utils.studies.drops.label_noise import with_noise
from diffranet_utils.studies.drops.labels import CLASSES, draw_labels
from diffranet_utils.studies.drops.predict import Predictions
from diffranet_utils.studies.drops.study import STUDY


def predictions(rng, n):
    labels = draw_labels(rng, n)
    probabilities = 0.6 * np.eye(4)[labels] + 0.4 * rng.dirichlet(np.ones(4), n)
    return Predictions(np.arange(n), labels, probabilities, 1.0)


def test_predictions_answer_every_claim_that_needs_one_network():
    rng = np.random.default_rng(1)
    validation, test = predictions(rng, 300), predictions(rng, 500)
    imagers = [IMAGERS[k % 5].name for k in range(500)]
    rows = pd.DataFrame({"imager": imagers, "variety": [CLASSES[k] for k in test.labels]})
    values, details = chapter.judged(validation, test, rows, rng)
    claimed = {claim.key for claim in STUDY.claims_of(chapter.CHAPTER)}
    assert {
        key for key in claimed if key.endswith(("_auc", "_percent")) or key == "accuracy"
    } <= set(values)
    assert values["accuracy"]["value"] == pytest.approx((test.classes == test.labels).mean())
    assert np.sum(details["confusion"]) == 500 and len(details["accuracy_by_imager"]) == 5
    assert sum(row["accuracy"]["n"] for row in details["by_variety"]) == 500
    assert "look_at_all" in json.dumps(details, default=plain, allow_nan=False)


def test_searches_are_scored_on_the_same_labels():
    rng = np.random.default_rng(2)
    noisy = with_noise(rng, draw_labels(rng, 1000))
    seen = 0.7 * np.eye(4)[noisy.true] + 0.3 * rng.dirichlet(np.ones(4), 1000)
    values, worst = searched(seen, noisy)
    assert values["label_errors"]["value"] == noisy.wrong.sum() and len(worst) == 50
    assert (
        values["worst_5_percent_true_errors"]["value"] <= values["worst_5_percent_ceiling"]["value"]
    )
    assert {"flagged_true_errors", "confident_true_errors"} <= set(values)
