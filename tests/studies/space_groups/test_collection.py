from importlib.util import find_spec

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.space_groups import collection
from diffranet_utils.studies.space_groups.curves import normalised, pair_curve
from diffranet_utils.studies.space_groups.structures import without_duplicates

pytestmark = pytest.mark.skipif(
    find_spec("larixite") is None or find_spec("spglib") is None,
    reason="larixite or spglib is not installed",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return collection.entries_file(tmp_path_factory.mktemp("structures"), stride=150)


def test_structures_come_back_as_they_were(path):
    entries = collection.load_entries(path)
    assert len(entries) > 20
    copy = path.with_name("copy.npz")
    collection.write_entries(copy, entries)
    for a, b in zip(entries, collection.load_entries(copy), strict=True):
        assert (a.name, a.group, a.wyckoff) == (b.name, b.group, b.wyckoff)
        np.testing.assert_array_equal(a.crystal.fractional, b.crystal.fractional)
        np.testing.assert_array_equal(a.crystal.orbit, b.crystal.orbit)
    with pytest.raises(MissingDataError, match="absent"):
        collection.load_entries(path.with_name("absent.npz"))
    with pytest.raises(InputError):
        collection.write_entries(copy, [])


def test_curves_are_those_of_the_structures(path):
    entries = without_duplicates(collection.load_entries(path))
    curves = collection.curves_of(entries[:3])
    np.testing.assert_allclose(curves.x[1], normalised(pair_curve(entries[1].crystal)), atol=1e-6)
    assert curves.take([2]).prototypes[0] == entries[2].prototype


@pytest.mark.parametrize("kind", collection.KINDS)
def test_made_curves_are_the_same_after_a_stop(path, kind, monkeypatch):
    monkeypatch.setattr(collection, "CHUNK", 4)
    first = collection.made_collection(kind, 8, 3, path)
    chunks = sorted(path.parent.glob(f"made-*/{kind}-3-*.npz"))
    assert len(first) == 8 and len(chunks) == 2
    chunks[1].unlink()
    again = collection.made_collection(kind, 8, 3, path)
    np.testing.assert_array_equal(first.x, again.x)
    assert (first.parents >= 0).all() == (kind != "random")
    assert not np.array_equal(first.x[:4], first.x[4:])


def test_substituted_structures_keep_the_prototype_of_their_parent(path, monkeypatch):
    monkeypatch.setattr(collection, "CHUNK", 6)
    entries = without_duplicates(collection.load_entries(path))
    made = collection.made_collection("substituted", 6, 0, path)
    assert [entries[k].prototype for k in made.parents] == list(made.prototypes)
