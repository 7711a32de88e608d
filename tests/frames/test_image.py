"""Which values of an image are measurements, on small images made by hand."""

import numpy as np
import pytest

from diffranet_utils.frames.headers import Header
from diffranet_utils.frames.image import RawImage, zero_gaps
from diffranet_utils.frames.masks import Flag, flag_values


def full(value, dtype):
    return np.full((100, 100), value, dtype)


def test_65535_is_a_mark_where_it_is_frequent_and_saturation_where_it_is_rare():
    counts = full(7, np.uint16)
    counts[40:50] = 65535
    (_, high), saturation = RawImage(counts).search_range()
    assert high < 65535 and np.isinf(saturation)
    counts[40:50] = 7
    counts[3, 3] = 65535
    (_, high), saturation = RawImage(counts).search_range()
    assert high == saturation == 65535


def test_negative_marks_and_negative_measurements():
    counts = full(7, np.int32)
    counts[:10] = -2
    assert RawImage(counts).usable().sum() == 9000
    counts[:, 40:43] = -1  # a narrow gap
    assert RawImage(counts).limits()[0] == 0
    noise = np.random.default_rng(1).normal(0, 3, (100, 100)).astype(np.float32)
    assert RawImage(noise).usable().all() and RawImage(noise).limits()[0] < 0


def test_all_bits_set_measured_nothing():
    counts = full(7, np.uint32)
    counts[0, :3] = 2**32 - 1, 2**16 - 1, 70_000
    assert RawImage(counts).usable().sum() == 9999
    assert RawImage(counts, Header(bit_depth=16)).usable().sum() == 9997
    counts[0, 2] = 2**31  # beyond any counter; then 65,535 is the largest number of 16 bits
    assert RawImage(counts).usable().sum() == 9997


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.float32])
def test_counts_from_the_overload_on_are_saturated(dtype):
    counts = full(7, dtype)
    counts[5, 5] = 500
    image = RawImage(counts, Header(overload=500))
    assert image.usable().sum() == 9999 and image.usable(saturated=True).all()
    limits, saturation = image.search_range()
    assert limits[1] >= 500 == saturation
    counts[:20] = 500  # too many for spots
    assert RawImage(counts, Header(overload=500)).search_range()[0][1] < 500


def test_flags_say_why():
    counts = full(7, np.float32)
    counts[0, :4] = np.nan, np.inf, -1, 900
    bad = np.zeros(counts.shape, bool)
    bad[9, 9] = True
    flags = flag_values(RawImage(counts, Header(overload=900), bad))
    assert (
        flags[0, :4].tolist() == [Flag.GAP, Flag.GAP, Flag.GAP, Flag.OVERLOAD]
        and flags[9, 9] == Flag.GAP
    )
    assert (flags > 0).sum() == 5


def test_lines_of_zeros_are_gaps_only_where_zeros_are_no_chance(rng):
    bright, dim = rng.poisson(20, (200, 300)), rng.poisson(0.01, (200, 300))
    for counts in (bright, dim):
        counts[50:57] = 0
    gap = zero_gaps(bright)
    assert gap[50:57].all() and gap.sum() == 7 * 300
    assert zero_gaps(dim) is None
