"""
Find blocks, transactions, receipts and logs of a chain in memory.

Everything here is rebuilt from the block log; nothing is written down twice.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from devnet.engine.blocks import Block, Log, Receipt
from devnet.engine.transactions import Transaction

_ANCESTORS: Final = 256


class Place(NamedTuple):
    """Where a transaction stands."""

    block: Block
    """Its block."""
    position: int
    """Its position within the block."""

    @property
    def transaction(self) -> Transaction:
        """Return the transaction."""
        return self.block.transactions[self.position]

    @property
    def receipt(self) -> Receipt:
        """Return its receipt."""
        return self.block.receipts[self.position]


class LogPlace(NamedTuple):
    """Where a log stands."""

    block: Block
    """Its block."""
    position: int
    """Position of its transaction within the block."""
    log_index: int
    """Its position among the logs of the block."""
    log: Log
    """The log."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs are asked for."""

    first: int
    """Lowest block, included."""
    last: int
    """Highest block, included."""
    addresses: tuple[bytes, ...] = ()
    """Any of these contracts; none means any."""
    topics: tuple[tuple[bytes, ...], ...] = ()
    """For each position any of these topics; none means any."""

    def accepts(self, log: Log) -> bool:
        """Tell whether the log is asked for, its block aside."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        wanted = zip(self.topics, log.topics, strict=False)
        return all(not choices or topic in choices for choices, topic in wanted)


class ChainIndex:
    """The blocks of one chain, from genesis on."""

    def __init__(self, genesis: Block) -> None:
        self._blocks: Final[list[Block]] = []
        self._by_hash: Final[dict[bytes, Block]] = {}
        self._transactions: Final[dict[bytes, Place]] = {}
        self._logs: Final[list[LogPlace]] = []
        self._log_starts: Final[list[int]] = []
        self._by_address: Final[dict[bytes, list[int]]] = {}
        self._by_topic: Final[dict[tuple[int, bytes], list[int]]] = {}
        self.add(genesis)

    def add(self, block: Block) -> None:
        """Add the block that follows the head."""
        self._log_starts.append(len(self._logs))
        index = 0
        for position, (transaction, receipt) in enumerate(
            zip(block.transactions, block.receipts, strict=True)
        ):
            self._transactions[transaction.hash] = Place(block, position)
            for log in receipt.logs:
                self._add_log(LogPlace(block, position, index, log))
                index += 1
        self._by_hash[block.hash] = block
        # A reader in another thread sees the head last, when all that it names is there.
        self._blocks.append(block)

    def _add_log(self, place: LogPlace) -> None:
        at = len(self._logs)
        self._by_address.setdefault(place.log.address, []).append(at)
        for position, topic in enumerate(place.log.topics):
            self._by_topic.setdefault((position, topic), []).append(at)
        self._logs.append(place)

    @property
    def head(self) -> Block:
        """Return the newest block."""
        return self._blocks[-1]

    def block(self, number: int) -> Block | None:
        """Return the block at a height, or None."""
        return self._blocks[number] if 0 <= number < len(self._blocks) else None

    def block_by_hash(self, block_hash: bytes) -> Block | None:
        """Return the block of a hash, or None."""
        return self._by_hash.get(block_hash)

    def place(self, transaction_hash: bytes) -> Place | None:
        """Return where a transaction stands, or None."""
        return self._transactions.get(transaction_hash)

    def ancestors(self, number: int) -> Iterator[bytes]:
        """Yield the hashes of the 256 blocks before a height, newest first."""
        for height in range(number - 1, max(-1, number - 1 - _ANCESTORS), -1):
            yield self._blocks[height].hash

    def logs(self, wanted: LogFilter) -> Iterator[LogPlace]:
        """Yield the logs that are asked for, in the order of the chain."""
        start, stop = self._span(wanted)
        for at in self._candidates(wanted, start, stop):
            place = self._logs[at]
            if wanted.accepts(place.log):
                yield place

    def _span(self, wanted: LogFilter) -> tuple[int, int]:
        """Return which logs lie in the blocks asked for."""
        first, last = max(wanted.first, 0), min(wanted.last, len(self._blocks) - 1)
        if first > last:
            return 0, 0
        stops = self._log_starts[last + 1 : last + 2]
        return self._log_starts[first], stops[0] if stops else len(self._logs)

    def _candidates(self, wanted: LogFilter, start: int, stop: int) -> Sequence[int]:
        """Return the shortest list of logs, within a span, that holds all that are asked for."""
        shortest: Sequence[int] = range(start, stop)
        lists = [[self._by_address.get(address, []) for address in wanted.addresses]]
        lists += [
            [self._by_topic.get((position, topic), []) for topic in choices]
            for position, choices in enumerate(wanted.topics)
        ]
        for choices in lists:
            within = [_within(one, start, stop) for one in choices]
            if choices and sum(map(len, within)) < len(shortest):
                shortest = sorted({at for one in within for at in one})
        return shortest


def _within(ascending: list[int], start: int, stop: int) -> list[int]:
    return ascending[bisect_left(ascending, start) : bisect_left(ascending, stop)]
