import numpy as np
import pytest

pytest.importorskip("spglib")

from diffranet_utils.studies.space_groups.labels import NUMBERS
from diffranet_utils.studies.space_groups.random_crystals import (
    operations,
    random_crystal,
    random_lattice,
    sites,
)
from diffranet_utils.studies.space_groups.relations import all_subgroups


def test_site_multiplicities_are_those_of_the_international_tables():
    # Fm-3m: 4 (a, b), 8 (c), 24 (d, e), 32 (f), 48 (g, h, i), 96 (j, k), 192 (l).
    assert {site.multiplicity for site in sites(225)} >= {4, 8, 24, 32, 48, 96, 192}
    assert {site.multiplicity for site in sites(14)} == {2, 4}
    assert {site.multiplicity for site in sites(19)} == {4}  # no special position


@pytest.mark.parametrize("group", NUMBERS)
def test_an_atom_on_a_site_has_as_many_images_as_it_says(group):
    rng = np.random.default_rng(group)
    rotations, shifts = operations(group)
    for site in sites(group):
        images = (rotations @ site.draw(1, rng)[0] + shifts) % 1.0
        apart = images[:, None] - images
        same = np.abs(apart - np.round(apart)).max(axis=-1) < 1e-5
        assert len(np.unique(same.argmax(axis=1))) == site.multiplicity


@pytest.mark.parametrize("group", (2, 14, 62, 136, 166, 194, 225))
def test_the_lattice_obeys_the_group(group):
    lattice = random_lattice(group, np.random.default_rng(1))
    metric = lattice @ lattice.T
    for rotation in operations(group)[0]:
        np.testing.assert_allclose(rotation.T @ metric @ rotation, metric, atol=1e-9)


def test_crystals_have_the_wanted_group_or_a_higher_one():
    rng = np.random.default_rng(0)
    for group in (14, 62, 227):
        entries = [entry for entry in (random_crystal(group, rng) for _ in range(60)) if entry]
        assert len(entries) >= 3
        assert all(group in {entry.group} | all_subgroups(entry.group) for entry in entries)
        assert any(entry.group == group for entry in entries)
