"""
Follow the chain block by block, never lose an event and never take an unfinal one for true.

Blocks are read in order, in pages of bounded length, each block checked against the hash of its
parent; events are asked for by the hash of a block that was just read, so none of another fork is
ever taken and none of this one missed. They are kept as ``observed`` rows together with their
blocks; only when a block is ``depth`` blocks deep are they handed on. A reorganization of unfinal
blocks discards their rows; one below finality stops the service with the difference.

Asking a node and writing to the database are apart: ``next_page`` and ``fork`` only ask, ``keep``
and ``discard`` only write.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from ledger.errors import ChainError, ChainUnavailable, Integrity
from ledger.units import UnixSeconds
from settlement.chain.calls import Contract
from settlement.chain.gateway import ChainGateway, Header, Log
from settlement.tables import block, observed

_PAGE: Final = 100
_LAST: Final = select(block.c.number, block.c.hash).order_by(block.c.number.desc()).limit(1)
_NEWEST: Final = select(func.max(block.c.number))
_HASH: Final = select(block.c.hash).where(block.c.number == bindparam("height"))
_BLOCK: Final = block.insert()
_EVENT: Final = observed.insert()
_TAKEN: Final = (
    select(
        observed.c.contract,
        observed.c.name,
        observed.c.body,
        observed.c.transaction_hash,
        observed.c.block_number,
        block.c.timestamp_s,
        observed.c.log_index,
    )
    .join(block, block.c.number == observed.c.block_number)
    .where(observed.c.final == 0, observed.c.block_number <= bindparam("height"))
    .order_by(observed.c.block_number, observed.c.log_index)
)
_TAKE: Final = (
    update(observed)
    .where(observed.c.final == 0, observed.c.block_number <= bindparam("height"))
    .values(final=1)
)


class ReorganizedBelowFinalityError(Integrity):
    """The chain no longer contains blocks that were final; nothing was changed."""

    def __init__(self, first: int, last: int, ours: str, theirs: str) -> None:
        super().__init__(
            "reorganized_below_finality",
            f"final blocks {first} to {last} are gone: "
            f"block {first} was {ours}, the chain now says {theirs}",
        )


class ChainBehindError(ChainError):
    """The node has not got blocks that were final, and none in their place: nothing is sent."""

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            "chain_behind",
            f"the node ends at block {theirs}, but block {ours} was final: it is behind, "
            f"or has lost blocks",
            transient=True,
        )


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block that was read."""

    number: int
    """Its height."""
    hash: str
    """Its hash, 0x-prefixed."""


@dataclass(frozen=True, slots=True)
class Page:
    """Blocks that follow each other from the last one read, with the events in them."""

    headers: tuple[Header, ...]
    """The blocks, at least one."""
    logs: tuple[Log, ...]
    """Their events, in chain order."""


@dataclass(frozen=True, slots=True)
class FinalEvent:
    """A contract's event in a block that can no longer go away."""

    contract: str
    """Name of the contract."""
    name: str
    """Name of the event."""
    arguments: Mapping[str, Any]
    """Arguments by name; bytes as 0x hex."""
    transaction_hash: str
    """Transaction that emitted it, 0x-prefixed."""
    block_number: int
    """Height of its block."""
    at_s: UnixSeconds
    """Time of its block, in Unix seconds."""
    log_index: int
    """Its place among the events of its block."""


class Indexer:
    """Reads blocks and events of a set of contracts into the store."""

    def __init__(self, contracts: tuple[Contract, ...], depth: int = 0, page: int = _PAGE) -> None:
        """
        Follow ``contracts``.

        Parameters
        ----------
        depth
            How many blocks must come after a block for it to be final.
        page
            How many blocks are read and written at a time.
        """
        self._by_address: Final = {one.address: one for one in contracts}
        self._depth: Final = depth
        self._page: Final = page

    def last(self, connection: Connection) -> BlockId | None:
        """Return the last block read, or None if none was."""
        row = connection.execute(_LAST).first()
        return None if row is None else BlockId(row.number, row.hash)

    def cursor(self, connection: Connection) -> int:
        """Return the height of the last block read, or -1."""
        newest = connection.execute(_NEWEST).scalar()
        return -1 if newest is None else int(newest)

    def final_height(self, connection: Connection) -> int:
        """Return the height up to which blocks are final, or below 0."""
        return self.cursor(connection) - self._depth

    def hash_at(self, connection: Connection, number: int) -> str | None:
        """Return the hash of the block read at a height, or None if none was."""
        return connection.execute(_HASH, {"height": number}).scalar()

    def next_page(self, gateway: ChainGateway, last: BlockId | None, head: Header) -> Page | None:
        """
        Read blocks after ``last``, up to ``head``; return None if they do not follow from it.

        Raises
        ------
        ChainUnavailable
            If the node does not answer, or the chain changed while it was read; read again.
        """
        first = 0 if last is None else last.number + 1
        if head.number == first:
            headers: tuple[Header, ...] = (head,)
        else:
            headers = gateway.headers(first, min(head.number, first + self._page - 1))
        if not headers or (last is not None and headers[0].parent_hash != last.hash):
            return None
        for parent, child in pairwise(headers):
            if child.parent_hash != parent.hash:
                raise ChainUnavailable(f"block {child.number} changed while it was read")
        asked = gateway.logs_in([one.hash for one in headers], tuple(self._by_address))
        return Page(headers, self._in_order(headers, asked))

    def fork(self, connection: Connection, gateway: ChainGateway, head: Header) -> int:
        """
        Return the height of the last block read that the chain still contains.

        Raises
        ------
        ReorganizedBelowFinalityError
            If a block that was final is gone.
        ChainBehindError
            If the node has not got it, and nothing in its place.
        """
        newest, final = self.cursor(connection), self.final_height(connection)
        common, gone = -1, min(newest, head.number) + 1
        while common + 1 < gone:
            middle = (common + gone) // 2
            if self._has(connection, gateway, middle):
                common = middle
            else:
                gone = middle
        if common >= final:
            return common
        if common == head.number:
            raise ChainBehindError(head.number, final)
        ours, theirs = str(self.hash_at(connection, gone)), gateway.headers(gone, gone)[0].hash
        raise ReorganizedBelowFinalityError(gone, final, ours, theirs)

    def keep(self, connection: Connection, page: Page) -> None:
        """Write blocks and their events; ``page`` must follow from the last block read."""
        connection.execute(
            _BLOCK,
            [
                {"number": one.number, "hash": one.hash, "timestamp_s": one.timestamp_s}
                for one in page.headers
            ],
        )
        rows = [row for log in page.logs if (row := self._row(log))]
        if rows:
            connection.execute(_EVENT, rows)

    def discard(self, connection: Connection, above: int) -> None:
        """Forget the blocks above height ``above``, which are not final, with their events."""
        connection.execute(delete(observed).where(observed.c.block_number > above))
        connection.execute(delete(block).where(block.c.number > above))

    def take_final(self, connection: Connection) -> tuple[FinalEvent, ...]:
        """Return the events that have become final, in chain order, and mark them as taken."""
        height = self.final_height(connection)
        rows = connection.execute(_TAKEN, {"height": height}).all()
        if rows:
            connection.execute(_TAKE, {"height": height})
        return tuple(
            FinalEvent(r[0], r[1], json.loads(r[2]), r[3], r[4], UnixSeconds(r[5]), r[6])
            for r in rows
        )

    def _row(self, log: Log) -> dict[str, object] | None:
        contract = self._by_address[log.address]
        decoded = contract.decode_event(log)
        if decoded is None:
            return None
        return {
            "block_hash": log.block_hash,
            "transaction_hash": log.transaction_hash,
            "log_index": log.log_index,
            "block_number": log.block_number,
            "contract": contract.name,
            "name": decoded.name,
            "body": json.dumps(decoded.arguments, sort_keys=True),
            "final": 0,
        }

    def _in_order(self, headers: Sequence[Header], logs: Sequence[Log]) -> tuple[Log, ...]:
        """Return each log once and in chain order, and none that was not asked for."""
        numbers = {one.hash: one.number for one in headers}
        once = {(log.block_number, log.log_index): log for log in logs}
        for log in logs:
            is_ours = numbers.get(log.block_hash) == log.block_number
            same = once[log.block_number, log.log_index] == log
            if not (is_ours and same and log.address in self._by_address):
                raise ChainUnavailable(
                    f"event {log.log_index} of block {log.block_number} is not of "
                    f"the block that was asked for, or said twice"
                )
        return tuple(once[key] for key in sorted(once))

    def _has(self, connection: Connection, gateway: ChainGateway, number: int) -> bool:
        """Say whether the chain contains the block that was read at a height."""
        return gateway.headers(number, number)[0].hash == self.hash_at(connection, number)
