import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.relations import (
    all_subgroups,
    maximal_subgroups,
    relation,
    relation_matrix,
)


def test_maximal_subgroups_of_the_international_tables():
    # Volume A1: Fm-3m has I4/mmm, R-3m, Fm-3, F432, F-43m (t) and Pm-3m, Pn-3m (k).
    assert maximal_subgroups(225) == {139, 166, 202, 209, 216, 221, 224}
    assert maximal_subgroups(2) == {1}


def test_relations_that_the_paper_names():
    # Section 4: minimal non-isomorphic supergroups of P-1, and others.
    assert all(relation(group, 2) == "supergroup" for group in (13, 14, 15))
    assert relation(4, 14) == "subgroup" and relation(4, 19) == "subgroup"
    assert relation(61, 19) == "supergroup" and relation(60, 14) == "supergroup"
    assert relation(19, 14) == "sibling"


def test_every_group_contains_p1_and_the_chain_goes_down():
    assert all(1 in all_subgroups(group) for group in range(2, 231))
    assert all_subgroups(1) == frozenset()
    assert 2 in all_subgroups(225) and 225 not in all_subgroups(216)


def test_matrix_is_consistent_in_both_directions():
    matrix = relation_matrix((2, 14, 225, 216))
    assert matrix[0, 1] == "supergroup" and matrix[1, 0] == "subgroup"
    assert list(matrix.diagonal()) == ["same"] * 4
    assert matrix[2, 3] == "subgroup" and matrix[0, 2] == "none"


def test_unknown_group_is_named():
    with pytest.raises(InputError, match="231"):
        maximal_subgroups(231)
