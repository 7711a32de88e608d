"""The collection: counts, sessions that stay together, sets of the paper."""

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.scattering import collection as collections
from diffranet_utils.studies.scattering.labels import TECHNIQUES

COUNTS = {"SAXS": 6, "WAXS": 8, "GISAXS": 10, "GIWAXS": 7}


@pytest.fixture(scope="module")
def small():
    return collections.make_collection(COUNTS, n_sessions=3, seed=5, size=32)


def test_counts_and_sessions(small):
    assert np.bincount(small.labels).tolist() == list(COUNTS.values())
    assert len(np.unique(small.sessions)) == 12
    assert (small.sessions // 3 == small.labels).all()


def test_images_depend_on_the_seed_alone(small):
    again = collections.make_collection({"WAXS": 4}, n_sessions=3, seed=5, size=32)
    of_waxs = small.take(small.labels == TECHNIQUES.index("WAXS"))
    assert np.array_equal(again.images[0], of_waxs.images[0])


@pytest.mark.parametrize("by_session", [False, True])
def test_halves_are_disjoint_and_whole(small, by_session):
    train, test = collections.split_rows(small, np.random.default_rng(1), by_session)
    assert sorted([*train, *test]) == list(range(len(small)))
    shared = set(small.sessions[train]) & set(small.sessions[test])
    assert bool(shared) != by_session


def test_balanced_and_turned_sets(small):
    rng = np.random.default_rng(1)
    rows = collections.balanced_rows(small, np.arange(len(small)), 5, rng)
    assert np.bincount(small.labels[rows]).tolist() == [5, 5, 5, 5]
    more = collections.turned(small.take(rows))
    assert len(more) == 80
    assert np.array_equal(more.images[40], small.take(rows).images[0][::-1, ::-1])
    with pytest.raises(InputError):
        collections.balanced_rows(small, np.arange(len(small)), 7, rng)


def test_unknown_techniques_are_refused():
    with pytest.raises(InputError):
        collections.make_collection({"USAXS": 1}, 1, 1)
