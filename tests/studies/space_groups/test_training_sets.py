import numpy as np
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.collection import NO_PARENT, Collection
from diffranet_utils.studies.space_groups.training_sets import SPLITS, split_rows, training_curves


@pytest.fixture
def curves():
    n = 40
    names = np.array([f"mineral {k // 2}" for k in range(n)])
    prototypes = np.array([f"225:{'abcdefgh'[k % 8]}" for k in range(n)])
    return Collection(
        np.zeros((n, 209), np.float32), np.arange(n) % 4, names, prototypes, np.full(n, NO_PARENT)
    )


def made_from(curves):
    """One made curve of each structure, and one random crystal of each prototype."""
    rows = np.concatenate([np.arange(len(curves)), np.arange(8)])
    made = curves.take(rows)
    parents = np.where(np.arange(len(rows)) < len(curves), rows, NO_PARENT)
    return Collection(made.x, made.labels, made.names, made.prototypes, parents)


@pytest.mark.parametrize("kind", SPLITS)
def test_no_made_curve_tells_of_a_held_out_structure(curves, kind):
    train, test = split_rows(curves, kind, np.random.default_rng(0))
    chosen = training_curves(curves, made_from(curves), train, test, kind)
    assert sorted([*train, *test]) == list(range(len(curves)))
    assert not set(chosen.parents) & set(test)
    assert set(chosen.parents) - {NO_PARENT} == set(train)
    family = {"mineral": "names", "prototype": "prototypes"}.get(kind)
    if family == "prototypes":
        assert not set(chosen.prototypes) & set(curves.prototypes[test])
    if family == "names":
        assert not set(curves.names[train]) & set(curves.names[test])


def test_a_split_that_does_not_exist_is_refused(curves):
    with pytest.raises(InputError, match="alphabet"):
        split_rows(curves, "alphabet", np.random.default_rng(0))
