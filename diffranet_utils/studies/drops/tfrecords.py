"""Read TFRecord shards without TensorFlow: framing, checksums and `tf.train.Example`.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these, the content and the
content's masked CRC-32C. The content of an example is a protocol buffer; only the fields of
`tf.train.Example` are known here: Features -> map of name to bytes, float or int64 lists.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numba import njit

from diffranet_utils.core.errors import InputError

LONGEST_RECORD = 1 << 30
"""Longest record that is believed, bytes; a longer one is a damaged length."""


def _crc_table():
    """Table of the Castagnoli polynomial, reflected 0x82F63B78 (RFC 3720)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = (table & 1).astype(bool)
        table = np.where(odd, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table.astype(np.uint32)


CRC_TABLE = _crc_table()


@njit(cache=True)
def _crc(content, table):
    value = np.uint32(0xFFFFFFFF)
    for byte in content:
        value = table[(value ^ byte) & np.uint32(0xFF)] ^ (value >> np.uint32(8))
    return value ^ np.uint32(0xFFFFFFFF)


def crc32c(content):
    """Return the CRC-32C of bytes; that of b"123456789" is 0xE3069283."""
    return int(_crc(np.frombuffer(content, np.uint8), CRC_TABLE))


def masked_crc32c(content):
    """Return the CRC-32C turned right by 15 bits plus a constant, as TFRecord stores it."""
    crc = crc32c(content)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@dataclass(frozen=True)
class Record:
    """One record of a shard: where its content begins (bytes) and the content."""

    offset: int
    content: bytes


def records(path):
    """Yield the records of a shard, each checked against its checksums.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    Record

    Raises
    ------
    InputError
        At the first record that is truncated or fails a checksum; the ones before it are good.
    """
    with open(path, "rb") as shard:
        number = 0
        while head := shard.read(12):
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            whole = len(head) == 12
            if whole and masked_crc32c(head[:8]) != struct.unpack("<I", head[8:])[0]:
                raise _damaged(path, number, "its length fails the checksum")
            if length > LONGEST_RECORD:
                raise _damaged(path, number, f"it claims {length} bytes")
            offset = shard.tell()
            body = shard.read(length + 4)
            if not whole or len(body) < length + 4:
                raise _damaged(path, number, "the file ends within it")
            content = body[:length]
            if masked_crc32c(content) != struct.unpack("<I", body[length:])[0]:
                raise _damaged(path, number, "its content fails the checksum")
            yield Record(offset, content)
            number += 1


def _damaged(path, number, what):
    return InputError(f"{path}: record {number} is damaged: {what}. Fetch the shard again.")


def _varint(content, at):
    """Read a base-128 number at `at`; return it and the place after it."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


def _fields(content):
    """Yield the fields of a message: number, wire type and value (an int or bytes)."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(content, at)
        elif kind in (1, 2, 5):
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, at = _varint(content, at)
            value = content[at : at + length]
            if len(value) < length:
                raise ValueError("a field longer than its message")
            at += length
        else:
            raise ValueError(f"wire type {kind}")
        yield number, kind, value


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def _integers(kind, value):
    """Decode one field of an int64 list, packed or single."""
    if kind == 0:
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(_signed(number))
    return found


def _feature(content):
    """Decode one feature to a list of bytes, floats or integers."""
    values = []
    for kind_of_list, _, message in _fields(content):
        for _, wire, value in _fields(message):
            if kind_of_list == 1:
                values.append(value)
            elif kind_of_list == 2:
                values.extend(np.frombuffer(value, "<f4").tolist())
            elif kind_of_list == 3:
                values.extend(_integers(wire, value))
    return values


def example(content):
    """Decode a serialised ``tf.train.Example``.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    dict of str to list
        Bytes, floats or integers of each feature.

    Raises
    ------
    InputError
        If it is no such message.
    """
    features = {}
    try:
        for _, _, message in _fields(content):
            for _, _, entry in _fields(message):
                pair = {number: value for number, _, value in _fields(entry)}
                features[pair[1].decode()] = _feature(pair.get(2, b""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"A record is no tf.train.Example: {error}. Give shards of labelled pictures."
        ) from error
    return features
