"""
Read the parameters of JSON-RPC methods, as strictly as geth does.

Every function takes the value and its place among the parameters, and raises ``RpcFault`` with code
-32602 for what does not fit.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Union

from eth.abc import StateAPI
from eth.vm.forks.prague.transactions import Authorization
from eth_typing import Address

from devnet.engine.blocks import Header
from devnet.engine.transactions import Slots
from devnet.node.chain import Devnet
from devnet.rpc.errors import INVALID_PARAMS, SERVER, RpcFault, bad_param
from devnet.tracing.calls import Call

Json = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DECIMAL: Final = re.compile(r"[0-9]{1,78}")
_ADDRESS_LENGTH: Final = 20
_WORD: Final = 32
_MAX_TOPICS: Final = 4
_HASH_DIGITS: Final = 66
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
    if isinstance(value, str) and not value.startswith("0x"):
        raise bad_param(index, "hex string without 0x prefix")
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise bad_param(index, f"{_short(value)} is not a hex number without leading zeros")
    return int(value, 16)


def number(value: Json, index: int, most: int = 2**256 - 1) -> int:
    """
    Read an unsigned number as hex, as decimal text or as a number: tools differ.

    Parameters
    ----------
    most
        The highest that makes sense.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        read = value
    elif isinstance(value, str) and _DECIMAL.fullmatch(value) is not None:
        read = int(value)
    else:
        read = quantity(value, index)
    if read > most:
        raise bad_param(index, f"{_short(value)} is above {most}")
    return read


def data(value: Json, index: int) -> bytes:
    """Read bytes: 0x hex with an even number of digits."""
    if isinstance(value, str) and value.startswith("0x"):
        with suppress(ValueError):
            read = bytes.fromhex(value[2:])
            # Blanks between bytes pass unseen; only their length gives them away.
            if len(value) == 2 + 2 * len(read):
                return read
    raise bad_param(index, f"{_short(value)} is not hex with an even number of digits")


def address(value: Json, index: int) -> bytes:
    """Read an address, 20 bytes."""
    read = data(value, index)
    if len(read) != _ADDRESS_LENGTH:
        raise bad_param(index, f"an address has 20 bytes, not {len(read)}")
    return read


def account(value: bytes) -> Address:
    """Return bytes as an address, or none."""
    return Address(value)


def word(value: Json, index: int) -> bytes:
    """Read a hash or a topic, 32 bytes."""
    read = data(value, index)
    if len(read) != _WORD:
        raise bad_param(index, f"a hash has 32 bytes, not {len(read)}")
    return read


def slot(value: Json) -> int:
    """Read the number of a storage slot: up to 32 bytes of hex, leading zeros allowed."""
    if not isinstance(value, str):
        raise RpcFault(INVALID_PARAMS, "invalid argument 1: a storage key is a string")
    digits = value.removeprefix("0x").removeprefix("0X")
    if re.fullmatch(r"[0-9a-fA-F]*", digits) is None:
        raise RpcFault(INVALID_PARAMS, f'invalid hex in storage key: "{_cut(value)}"')
    if len(digits) > 2 * _WORD:
        why = f'storage key too long (want at most 32 bytes): "{_cut(value)}"'
        raise RpcFault(INVALID_PARAMS, why)
    return int(digits or "0", 16)


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
    if isinstance(value, str) and len(value) == _HASH_DIGITS:
        # A hash alone is taken as one, as geth does.
        value = {"blockHash": value}
    number = (
        _by_object(devnet, value, index)
        if isinstance(value, dict)
        else block_number(devnet, value, index)
    )
    if number is None:
        raise RpcFault(SERVER, "header not found")
    return number


def state_after(devnet: Devnet, number: int, header: Header | None = None) -> StateAPI:
    """
    Return a state to be thrown away, as after block ``number``, in the block of ``header``.

    Raises
    ------
    RpcFault
        -32000 "header not found" if the chain went back since the number was read.
    """
    try:
        return devnet.scratch(number, header)
    except IndexError:
        raise RpcFault(SERVER, "header not found") from None


def _by_object(devnet: Devnet, value: dict[str, Json], index: int) -> int | None:
    if "blockHash" in value and "blockNumber" in value:
        raise bad_param(index, "cannot specify both BlockHash and BlockNumber")
    if "blockHash" in value:
        return devnet.number_of(word(value["blockHash"], index))
    if "blockNumber" in value:
        return block_number(devnet, value["blockNumber"], index)
    raise bad_param(index, "neither blockHash nor blockNumber")


def call(value: Json, index: int, most_gas: int) -> Call:
    """Read a call object; ``input`` and ``data`` are the same thing; gas is capped."""
    if not isinstance(value, dict):
        raise bad_param(index, "a call is an object")
    inputs = [data(value[name], index) for name in ("input", "data") if value.get(name) is not None]
    if len(set(inputs)) > 1:
        raise bad_param(index, 'both "data" and "input" are set and not equal')
    to = value.get("to")
    gas = maybe(value.get("gas"), index)
    return Call(
        sender=bytes(20) if value.get("from") is None else address(value["from"], index),
        to=b"" if to is None or to == "" else address(to, index),
        data=inputs[0] if inputs else b"",
        value=maybe(value.get("value"), index) or 0,
        gas=None if gas is None else min(gas, most_gas),
        gas_price=maybe(value.get("gasPrice"), index),
        max_fee_per_gas=maybe(value.get("maxFeePerGas"), index),
        max_priority_fee_per_gas=maybe(value.get("maxPriorityFeePerGas"), index),
        access_list=access_list(value.get("accessList"), index),
        authorization_list=_authorizations(value.get("authorizationList"), index),
        blob_versioned_hashes=tuple(
            word(one, index) for one in _list(value.get("blobVersionedHashes"), index)
        ),
        max_fee_per_blob_gas=maybe(value.get("maxFeePerBlobGas"), index) or 0,
    )


def maybe(value: Json, index: int) -> int | None:
    """Read a number that need not be there."""
    return None if value is None else quantity(value, index)


def _list(value: Json, index: int) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_param(index, "an array is wanted")
    return value


def _authorizations(value: Json, index: int) -> tuple[Authorization, ...]:
    found = []
    for entry in _list(value, index):
        if not isinstance(entry, dict):
            raise bad_param(index, "an authorization is an object")
        chain_id, nonce, r, s = (
            quantity(entry.get(name), index) for name in ("chainId", "nonce", "r", "s")
        )
        parity = quantity(entry.get("yParity", entry.get("v")), index)
        where = Address(address(entry.get("address"), index))
        found.append(Authorization(chain_id, where, nonce, parity, r, s))
    return tuple(found)


def access_list(value: Json, index: int) -> Slots:
    """Read an access list."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise bad_param(index, "an access list is an array")
    entries = []
    for entry in value:
        keys = entry.get("storageKeys") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(keys, list):
            raise bad_param(index, "an access list holds addresses with storage keys")
        slots = tuple(int.from_bytes(word(key, index), "big") for key in keys)
        entries.append((Address(address(entry.get("address"), index)), slots))
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
        number = devnet.number_of(word(value["blockHash"], index))
        if number is None:
            raise RpcFault(SERVER, "unknown block")
        return number, number
    first = _bound(devnet, value.get("fromBlock"), index)
    last = _bound(devnet, value.get("toBlock"), index)
    if first > last:
        raise RpcFault(INVALID_PARAMS, "invalid block range params")
    if last > devnet.head_number:
        raise RpcFault(INVALID_PARAMS, "block range extends beyond current head block")
    return first, last


def _bound(devnet: Devnet, value: Json, index: int) -> int:
    """Read one end of a range; it may lie after the newest block."""
    if value is None or (isinstance(value, str) and not value.startswith("0x")):
        number = block_number(devnet, value or "latest", index)
        return devnet.head_number if number is None else number
    return quantity(value, index)


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a readable line


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a readable line
