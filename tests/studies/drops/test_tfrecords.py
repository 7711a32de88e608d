"""Shards: against a file that another library wrote, and damaged in every way."""

from pathlib import Path

import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.drops import tfrecords

GOLDEN = Path(__file__).parents[2] / "golden" / "drops" / "shard.tfrecord"


def test_crc32c_of_the_standard():
    """The check value, and RFC 3720 appendix B.4: 32 zeros, 32 ones."""
    assert tfrecords.crc32c(b"123456789") == 0xE3069283
    assert tfrecords.crc32c(bytes(32)) == 0x8A9136AA
    assert tfrecords.crc32c(b"\xff" * 32) == 0x62A8AB43


def test_golden_shard():
    found = [tfrecords.example(record.content) for record in tfrecords.records(GOLDEN)]
    assert [item["image/class/text"][0] for item in found] == [
        b"clear",
        b"crystals",
        b"precipitate",
        b"other",
    ]
    assert [item["image/class/label"] for item in found] == [[0], [1], [2], [3]]
    assert found[0]["image/numbers"] == [-1, 2, 300]
    assert found[0]["image/shares"] == [0.5, -2.25]
    assert found[3]["image/encoded"][0].startswith(b"\x89PNG")


@pytest.mark.parametrize("cut", [1, 4, 5, 100])
def test_truncated_shard_keeps_the_whole_records(tmp_path, cut):
    shard = tmp_path / "cut.tfrecord"
    shard.write_bytes(GOLDEN.read_bytes()[:-cut])
    found = []
    with pytest.raises(InputError) as refusal:
        for record in tfrecords.records(shard):
            found.append(record)
    assert len(found) == 3
    assert "\n" not in str(refusal.value)


def test_every_single_damaged_byte_is_noticed(tmp_path):
    content = GOLDEN.read_bytes()
    shard = tmp_path / "bad.tfrecord"
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        shard.write_bytes(damaged)
        with pytest.raises(InputError):
            list(tfrecords.records(shard))


@pytest.mark.parametrize("content", [b"\x0a\xff", b"\x0b", b"\xff" * 12, b"hello"])
def test_no_example(content):
    with pytest.raises(InputError):
        tfrecords.example(content)
