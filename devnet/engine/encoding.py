"""
Encode and decode RLP without schemas (Yellow Paper, appendix B).

General libraries look for a schema for every item they encode, which costs more than the encoding;
the trie and the block log encode thousands of plain byte strings.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from contracts.typed_data import keccak
from ledger.errors import InvalidRequest

__all__ = [
    "HASH",
    "BadRlpError",
    "first_item",
    "integer",
    "joined_list",
    "keccak",
    "rlp_decode",
    "rlp_encode",
    "rlp_items",
]

Item = bytes | Sequence[Any]
"""A byte string, or a sequence of items."""

Decoded = bytes | list[Any]
"""A byte string, or a list of what was decoded."""

HASH: Final = 32
"""Length of a hash, in bytes."""

_SHORT: Final = 55
_STRING: Final = 0x80
_LIST: Final = 0xC0
_TABLED: Final = 1_024
_MAX_DEPTH: Final = 64


class BadRlpError(InvalidRequest):
    """Bytes that are no canonical RLP; the texts are geth's."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_rlp", f"rlp: {detail}")


def integer(value: int) -> bytes:
    """Return ``value``, not negative, big-endian without leading zeros; zero is no bytes."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def rlp_encode(item: Item) -> bytes:
    """Return the RLP encoding of ``item``."""
    if not isinstance(item, bytes):
        return joined_list([rlp_encode(part) for part in cast("Sequence[Item]", item)])
    length = len(item)
    if length == 1 and item[0] < _STRING:
        return item
    return (_STRING_HEADS[length] if length < _TABLED else _head(length, _STRING)) + item


def joined_list(encoded: Sequence[bytes]) -> bytes:
    """Return the list whose items are encoded already."""
    body = b"".join(encoded)
    length = len(body)
    return (_LIST_HEADS[length] if length < _TABLED else _head(length, _LIST)) + body


def _head(length: int, offset: int) -> bytes:
    if length <= _SHORT:
        return bytes((offset + length,))
    size = integer(length)
    return bytes((offset + _SHORT + len(size),)) + size


# A block is hundreds of items, nearly all of them short: a look is quicker than to make a head.
_STRING_HEADS: Final = tuple(_head(length, _STRING) for length in range(_TABLED))
_LIST_HEADS: Final = tuple(_head(length, _LIST) for length in range(_TABLED))


def rlp_decode(data: bytes) -> Decoded:
    """
    Return the one item that ``data`` encodes.

    Raises
    ------
    BadRlpError
        If ``data`` is not exactly one canonical item, or nested deeper than 64 lists.
    """
    item, end = _item(data, 0, len(data), 0)
    if end != len(data):
        raise BadRlpError("input contains more than one value")
    return item


def first_item(data: bytes) -> bytes:
    """Return the first item, still encoded, of the list that ``data`` encodes."""
    start, stop = _extent(data, 0, len(data), _LIST)
    offset = _STRING if data[start] < _LIST else _LIST
    return data[start : _extent(data, start, stop, offset)[1]]


def rlp_items(data: bytes) -> list[bytes]:
    """
    Return the encoded items that follow each other in ``data``.

    Raises
    ------
    BadRlpError
        If ``data`` is not a sequence of canonical items.
    """
    items, at = [], 0
    while at < len(data):
        _, end = _item(data, at, len(data), 0)
        items.append(data[at:end])
        at = end
    return items


def _item(data: bytes, at: int, end: int, depth: int) -> tuple[Decoded, int]:
    """Return the item at ``at`` and where the next one begins."""
    if at >= end:
        raise BadRlpError("value size exceeds available input length")
    first = data[at]
    if first < _STRING:
        return data[at : at + 1], at + 1
    if first < _LIST:
        start, stop = _extent(data, at, end, _STRING)
        if stop - start == 1 and data[start] < _STRING:
            raise BadRlpError("non-canonical size information")
        return data[start:stop], stop
    if depth == _MAX_DEPTH:
        raise BadRlpError("too many nested lists")
    start, stop = _extent(data, at, end, _LIST)
    items = []
    while start < stop:
        item, start = _item(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _extent(data: bytes, at: int, end: int, offset: int) -> tuple[int, int]:
    """Return where the payload of the item at ``at`` starts and stops."""
    length = data[at] - offset
    start = at + 1
    if length > _SHORT:
        start += length - _SHORT
        size = data[at + 1 : start]
        length = int.from_bytes(size, "big")
        if length <= _SHORT or size[0] == 0:
            raise BadRlpError("non-canonical size information")
    if start + length > end:
        raise BadRlpError("value size exceeds available input length")
    return start, start + length
