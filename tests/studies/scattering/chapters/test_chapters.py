"""Chapters 70 and 71: closed forms, and the truth that belongs to a row of the collection."""

from types import SimpleNamespace

import numpy as np
import pytest

from diffranet_utils.studies.scattering import collection as collections
from diffranet_utils.studies.scattering.chapters import ch70_scattering_patterns as ch70
from diffranet_utils.studies.scattering.chapters import ch71_sorting_techniques as ch71
from diffranet_utils.studies.scattering.dataset import counts_of
from diffranet_utils.studies.scattering.kept_features import Halves
from diffranet_utils.studies.scattering.labels import TECHNIQUES, total_counts
from diffranet_utils.studies.scattering.study import STUDY


def test_closed_forms_come_out():
    assert ch70.guinier_ratio() == pytest.approx(1, abs=0.005)
    assert ch70.yoneda_ratio() == pytest.approx(1, abs=0.03)
    assert ch70.poisson_ratio(np.random.default_rng(0)) == pytest.approx(1, abs=0.02)


def test_the_whole_collection_has_the_counts_of_the_paper():
    assert counts_of(1.0) == total_counts()
    assert all(n % 2 == 0 for n in counts_of(0.03).values())
    assert STUDY.preset("full").dataset.share == 1


@pytest.fixture(scope="module")
def half():
    counts = {"SAXS": 8, "WAXS": 8, "GISAXS": 12, "GIWAXS": 8}
    small = collections.make_collection(counts, n_sessions=4, seed=5, size=32)
    rows = collections.split_rows(small, np.random.default_rng(1))
    return Halves(small, *rows, "random", None)


def test_explained_patterns_are_images_of_the_test_half(half):
    dataset = SimpleNamespace(n_sessions=4, size=32)
    run = SimpleNamespace(seed=5, preset=SimpleNamespace(dataset=dataset))
    patterns = ch71.explained(run, half, 2)
    assert [p.technique for p in patterns] == [name for name in TECHNIQUES for _ in range(2)]
    images = half.collection.images[half.test]
    assert all((pattern.image == images).all(axis=(1, 2)).any() for pattern in patterns)


def test_a_split_by_session_leaks_nothing(half):
    run = SimpleNamespace(preset=SimpleNamespace(n_workers=1))
    random = ch71.leaks({"random": half}, [], run)
    rows = collections.split_rows(half.collection, np.random.default_rng(1), by_session=True)
    apart = ch71.leaks({"random": Halves(half.collection, *rows, "session", None)}, [], run)
    assert random["sessions_shared"] > 0.5
    assert apart["sessions_shared"] == apart["nearest_is_own"]["value"] == 0


def test_the_paired_test_counts_images_that_one_gets_right():
    labels = np.array([0, 0, 1, 1, 2, 3])
    shallow, deep = np.array([0, 0, 1, 0, 0, 0]), np.array([0, 1, 1, 1, 2, 0])
    rows = [
        {"split": "random", "reducer": "pca", "representation": name, "mean": {"kappa": 0.5}}
        | {"predicted": predicted}
        for name, predicted in (("histogram", shallow), ("resnet50/unbalanced", deep))
    ]
    (pair,) = ch71.shallow_or_deep(rows, labels)
    assert (pair["first_only"], pair["second_only"]) == (1, 2)
    assert pair["p"] == pytest.approx(1.0)  # 1 of 3 discordant, two-sided binomial
