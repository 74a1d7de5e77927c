"""What is measured in gas, and what the gas is paid for: data, slots, signatures, events."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from devnet.node.chain import Devnet
from devnet.store.history import Mined
from devnet.tracing.replays import trace_transaction

_BASE: Final = 21_000
_ZERO_BYTE, _BYTE = 4, 16
_COLD, _WARM = 2_600, 100
_SLOTS: Final = frozenset({"SLOAD", "SSTORE", "TLOAD", "TSTORE"})
_CALLS: Final = frozenset({"CALL", "STATICCALL"})
_PRECOMPILES_END: Final = 0x101
_STEPS: Final = {"disableStack": True, "disableStorage": True}


NOTHING: Final = "a transaction that does nothing, mined on the same chain"
"""What most acts are held against."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody pays for."""

    name: str
    """Name of its row."""
    mined: tuple[Mined, ...]
    """The transactions that it takes."""
    baseline: Mined
    """What it is held against."""
    against: str
    """What that is."""
    share: int = 1
    """Among how many its gas is divided."""

    @property
    def gas(self) -> Decimal:
        """What one of them pays."""
        return Decimal(sum(one.gas_used for one in self.mined)) / self.share


@dataclass(frozen=True, slots=True)
class Parts:
    """What the gas of a transaction was paid for."""

    base: int
    """What every transaction costs."""
    data: int
    """Bytes that came with it."""
    slots: int
    """Storage that was read and written."""
    accounts: int
    """Other contracts that were called, once cold and then warm."""
    signatures: int
    """SHA-256, ecrecover and P-256."""
    events: int
    """Logs."""
    computing: int
    """All the rest: checks, hashes, parsing, encoding."""

    @property
    def floor(self) -> int:
        """What is left when computing is free."""
        return self.total - self.computing

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, one.name) for one in fields(self))


def parts_of(devnet: Devnet, mined: Mined) -> Parts:
    """Return what the gas of a mined transaction was paid for, by executing it once more."""
    steps = _trace(devnet, mined, _STEPS)["structLogs"]
    called = _called(_trace(devnet, mined, {"tracer": "callTracer"}))
    data = mined.transaction.data
    zeros = data.count(0)
    priced = {
        "base": _BASE,
        "data": zeros * _ZERO_BYTE + (len(data) - zeros) * _BYTE,
        "slots": _sum(steps, _SLOTS),
        "accounts": _accounts(called, bytes(mined.transaction.to or b"")),
        "signatures": sum(spent for where, spent in called if where < _PRECOMPILES_END),
        "events": sum(one["gasCost"] for one in steps if one["op"].startswith("LOG")),
    }
    return Parts(**priced, computing=mined.gas_used - sum(priced.values()))


def _trace(devnet: Devnet, mined: Mined, options: Mapping[str, Any]) -> dict[str, Any]:
    replay = devnet.replay(mined.block.number)
    return trace_transaction(replay, mined.block, mined.index, options)


def _sum(steps: list[dict[str, Any]], names: frozenset[str]) -> int:
    return sum(one["gasCost"] for one in steps if one["op"] in names)


def _called(frame: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return address and gas of every call below a frame."""
    found: list[tuple[int, int]] = []
    for one in frame.get("calls", ()):
        found.append((int(one["to"], 16), int(one["gasUsed"], 16)))
        found += _called(one)
    return found


def _accounts(called: list[tuple[int, int]], first: bytes) -> int:
    """Return what it costs to reach the accounts called; precompiles are always warm."""
    known, spent = {int.from_bytes(first)}, 0
    for where, _ in called:
        cold = where >= _PRECOMPILES_END and where not in known
        spent += _COLD if cold else _WARM
        known.add(where)
    return spent
