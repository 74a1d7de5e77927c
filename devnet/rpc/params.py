"""
Read the parameters of JSON-RPC methods, as strictly as geth does.

Every function takes the value and its place among the parameters, and raises ``RpcFault`` with code
-32602 for what does not fit.
"""

import re
from dataclasses import dataclass
from typing import Final, Union

from devnet.chain import Devnet
from devnet.execution import Call
from devnet.rpc.errors import INVALID_PARAMS, SERVER, RpcFault, bad_param

Json = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA: Final = re.compile(r"0x([0-9a-fA-F]{2})*")
_ADDRESS_LENGTH: Final = 20
_WORD: Final = 32
_MAX_TOPICS: Final = 4
_PENDING: Final = "pending"
# Every block is final at once; what is to come has the same state as the newest block.
_HEAD_TAGS: Final = ("latest", "safe", "finalized", _PENDING)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What ``eth_getLogs`` asks for."""

    first: int
    """First block."""
    last: int
    """Last block, included."""
    addresses: frozenset[bytes]
    """Contracts; none means all."""
    topics: tuple[frozenset[bytes], ...]
    """Per place the words that fit; none means any."""


def quantity(value: Json, index: int) -> int:
    """Read an unsigned number: 0x hex without leading zeros."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise bad_param(index, f"{value!r} is not a hex number without leading zeros")
    return int(value, 16)


def data(value: Json, index: int) -> bytes:
    """Read bytes: 0x hex with an even number of digits."""
    if not isinstance(value, str) or _DATA.fullmatch(value) is None:
        raise bad_param(index, f"{_short(value)} is not hex with an even number of digits")
    return bytes.fromhex(value[2:])


def address(value: Json, index: int) -> bytes:
    """Read an address, 20 bytes."""
    read = data(value, index)
    if len(read) != _ADDRESS_LENGTH:
        raise bad_param(index, f"an address has 20 bytes, not {len(read)}")
    return read


def word(value: Json, index: int) -> bytes:
    """Read a hash or a topic, 32 bytes."""
    read = data(value, index)
    if len(read) != _WORD:
        raise bad_param(index, f"a hash has 32 bytes, not {len(read)}")
    return read


def slot(value: Json, index: int) -> int:
    """Read the number of a storage slot: up to 32 bytes of hex, leading zeros allowed."""
    if not isinstance(value, str) or re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value) is None:
        raise bad_param(index, f"{_short(value)} is no storage slot")
    return int(value, 16)


def is_pending(value: Json) -> bool:
    """Say whether the block asked for is the one to be."""
    return value == _PENDING


def block_number(devnet: Devnet, value: Json, index: int) -> int | None:
    """Read a block number or tag; None if there is no such block."""
    head = devnet.head_number
    if value == "earliest":
        return 0
    if value in _HEAD_TAGS:
        return head
    number = quantity(value, index)
    return number if number <= head else None


def state_block(devnet: Devnet, value: Json, index: int) -> int:
    """
    Read which block's state is asked for: a number, a tag, or an object by EIP-1898.

    Raises
    ------
    RpcFault
        -32000 "header not found" if there is no such block.
    """
    if value is None:
        return devnet.head_number
    number = (
        _by_object(devnet, value, index)
        if isinstance(value, dict)
        else block_number(devnet, value, index)
    )
    if number is None:
        raise RpcFault(SERVER, "header not found")
    return number


def _by_object(devnet: Devnet, value: dict[str, Json], index: int) -> int | None:
    if "blockHash" in value and "blockNumber" in value:
        raise bad_param(index, "cannot specify both BlockHash and BlockNumber")
    if "blockHash" in value:
        return devnet.history.number_of(word(value["blockHash"], index))
    if "blockNumber" in value:
        return block_number(devnet, value["blockNumber"], index)
    raise bad_param(index, "neither blockHash nor blockNumber")


def call(value: Json, index: int, default_gas: int) -> Call:
    """Read a call object; ``input`` and ``data`` are the same thing."""
    if not isinstance(value, dict):
        raise bad_param(index, "a call is an object")
    inputs = [data(value[name], index) for name in ("input", "data") if value.get(name) is not None]
    if len(set(inputs)) > 1:
        raise bad_param(index, 'both "data" and "input" are set and not equal')
    to = value.get("to")
    gas = default_gas if value.get("gas") is None else quantity(value["gas"], index)
    return Call(
        sender=bytes(20) if value.get("from") is None else address(value["from"], index),
        to=b"" if to is None or to == "" else address(to, index),
        data=inputs[0] if inputs else b"",
        value=0 if value.get("value") is None else quantity(value["value"], index),
        gas=min(gas, default_gas),
        access_list=_access_list(value.get("accessList"), index),
    )


def _access_list(value: Json, index: int) -> tuple[tuple[bytes, int], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise bad_param(index, "an access list is an array")
    entries = []
    for entry in value:
        keys = entry.get("storageKeys") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(keys, list):
            raise bad_param(index, "an access list holds addresses with storage keys")
        entries.append((address(entry.get("address"), index), len(keys)))
    return tuple(entries)


def log_filter(devnet: Devnet, value: Json, index: int) -> LogFilter:
    """Read the object of ``eth_getLogs``."""
    if not isinstance(value, dict):
        raise bad_param(index, "a filter is an object")
    first, last = _range(devnet, value, index)
    addresses = value.get("address")
    listed = addresses if isinstance(addresses, list) else [addresses]
    topics = value.get("topics")
    if topics is not None and not isinstance(topics, list):
        raise bad_param(index, "topics are an array")
    if len(topics or ()) > _MAX_TOPICS:
        raise RpcFault(INVALID_PARAMS, "exceed max topics")
    return LogFilter(
        first=first,
        last=last,
        addresses=frozenset(address(one, index) for one in listed if one is not None),
        topics=tuple(_topic(one, index) for one in topics or ()),
    )


def _topic(value: Json, index: int) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    if isinstance(value, list):
        # One null among the choices lets anything fit, as in geth.
        return frozenset() if None in value else frozenset(word(one, index) for one in value)
    return frozenset((word(value, index),))


def _range(devnet: Devnet, value: dict[str, Json], index: int) -> tuple[int, int]:
    if value.get("blockHash") is not None:
        if value.get("fromBlock") is not None or value.get("toBlock") is not None:
            raise bad_param(
                index,
                "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
            )
        number = devnet.history.number_of(word(value["blockHash"], index))
        if number is None:
            raise RpcFault(SERVER, "unknown block")
        return number, number
    first = _bound(devnet, value.get("fromBlock"), index)
    last = _bound(devnet, value.get("toBlock"), index)
    if first > last:
        raise RpcFault(INVALID_PARAMS, "invalid block range params")
    return first, last


def _bound(devnet: Devnet, value: Json, index: int) -> int:
    """Read one end of a range; it may lie after the newest block."""
    if value is None or (isinstance(value, str) and not value.startswith("0x")):
        number = block_number(devnet, value or "latest", index)
        return devnet.head_number if number is None else number
    return quantity(value, index)


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a readable line
