import gemmi
import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.space_groups.labels import (
    GROUPS,
    NUMBERS,
    class_index,
    crystal_system,
)


def test_45_groups_with_the_symbols_of_another_library():
    assert len(NUMBERS) == 45
    for number, (symbol, _) in GROUPS.items():
        assert gemmi.find_spacegroup_by_name(symbol.replace("_", "")).number == number


def test_rows_are_four_fifths_of_the_total_the_paper_prints():
    assert abs(sum(entries for _, entries in GROUPS.values()) / 101_802 - 0.8) < 1e-3


@pytest.mark.parametrize("number", range(1, 231))
def test_crystal_system_agrees_with_gemmi(number):
    assert crystal_system(number) == gemmi.find_spacegroup_by_number(number).crystal_system_str()


def test_class_index_and_its_refusal():
    assert [class_index(n) for n in NUMBERS] == list(range(45))
    with pytest.raises(InputError, match="198"):
        class_index(198)
