"""Variants of one training: what they change, how they repeat, and the intervals over seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from diffranet_utils.data.split import Split
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import network_study, presets
from diffranet_utils.studies.diffranet.study import STUDY
from tests.data.test_split import resized


@pytest.fixture
def split(rng):
    return Split(
        rng.integers(0, 90, (6, 512, 512), dtype=np.uint8),
        np.array([1, 2, 3, 4, 5, 1]),
        list("abcdef"),
    )


def test_scaling_keeps_the_mean_brightness_and_the_labels(split):
    small = network_study.scaled(split, 256)
    assert small.images.shape == (6, 256, 256) and small.images.dtype == np.uint8
    boxes = split.images.reshape(6, 256, 2, 256, 2).mean(axis=(2, 4))
    assert np.abs(small.images - boxes).max() <= 0.5
    assert network_study.scaled(split, 512) is split and (small.labels == split.labels).all()


def test_study_trains_every_variant_with_every_seed(split, tmp_path):
    run = provenance.start_run(STUDY, "smoke", 5, tmp_path, tmp_path)
    run = replace(
        run, preset=resized(run.preset, "network", n_study=4, study_epochs=1, study_seeds=2)
    )
    rows = network_study.run_study(run, tmp_path / "work", split, split)
    assert [(row["variant"], row["seed"]) for row in rows] == [
        (name, seed) for name in network_study.VARIANTS for seed in (5, 6)
    ]
    assert {row["accuracy"]["n"] for row in rows} == {6}
    again = network_study.run_study(
        run, tmp_path / "work", split, split
    )  # from its checkpoints, without training
    assert [row["history"] for row in again] == [row["history"] for row in rows]
    network_study.forget(tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


def test_the_paper_preset_adds_the_papers_other_configurations():
    assert list(network_study.preset_variants(presets.get("smoke"))) == list(network_study.VARIANTS)
    added = network_study.preset_variants(presets.get("full"))
    assert (
        added["configuration_A"].topology == 6
        and added["configuration_C"].changes["batch_size"] == 2
    )


def test_gains_are_paired_by_seed():
    accuracies = {"as_trained": [0.5, 0.6, 0.7], "turned_images": [0.52, 0.63, 0.74]}
    rows = [
        {"variant": name, "accuracy": {"value": v}}
        for name, values in accuracies.items()
        for v in values
    ]
    low, high = stats.t.interval(0.95, 2, 0.03, stats.sem([0.02, 0.03, 0.04]))
    (key, gain), *others = network_study.study_values(rows).items()
    assert key == "gain_of_turned_images" and not others
    assert (gain["value"], gain["low"], gain["high"], gain["n"]) == pytest.approx(
        (0.03, low, high, 3)
    )


def test_preset_settings_are_the_papers_where_it_has_them():
    topology, settings = network_study.preset_settings(
        provenance.start_run(STUDY, "full", 7, "d", "r")
    )
    assert (topology.name, settings.learning_rate, settings.batch_size) == ("8", 8.4474e-4, 1)
    assert (settings.epochs, settings.seed) == (50, 7)


def test_several_processes_get_an_image_each(monkeypatch):
    from diffranet_utils.core import distributed

    paper = provenance.start_run(STUDY, "full", 7, "d", "r")
    monkeypatch.setattr(distributed, "n_processes", lambda: 2)
    assert network_study.preset_settings(paper)[1].batch_size == 2
    monkeypatch.setattr(distributed, "n_processes", lambda: 1)
    assert network_study.preset_settings(paper)[1].batch_size == 1
