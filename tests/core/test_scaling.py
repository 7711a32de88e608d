"""Costs by hand."""

import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.core.scaling import cost


def test_a_million_images_by_hand():
    found = cost(1_000_000, 10.0, 262_159, per_shard=999)
    assert found["core_hours"] == pytest.approx(27.78, abs=0.01) and found[
        "terabytes"
    ] == pytest.approx(0.262159)
    assert found["files"] == 1_000_000 and found["shards"] == 1002


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="images_per_second_per_core"):
        cost(10, 0, 1)
