"""
Follow the chain block by block, never lose an event and never take an unfinal one for true.

Blocks are read in order, each checked against the hash of its parent. Their events are kept as
``observed`` rows; only when a block is ``depth`` blocks deep are they handed on. A reorganization
of unfinal blocks discards their rows; one below finality stops the service with the difference.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, update

from ledger.errors import Integrity
from ledger.units import UnixSeconds
from settlement.chain.calls import Contract
from settlement.chain.gateway import ChainGateway, Header, Log
from settlement.tables import block, observed


class ReorganizedBelowFinalityError(Integrity):
    """The chain no longer contains a block that was final."""

    def __init__(self, number: int, ours: str, theirs: str) -> None:
        super().__init__(
            "reorganized_below_finality",
            f"final block {number} was {ours}, the chain now says {theirs}",
        )


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

    def __init__(self, contracts: tuple[Contract, ...], depth: int = 0) -> None:
        self._by_address: Final = {one.address: one for one in contracts}
        self._depth: Final = depth

    def cursor(self, connection: Connection) -> int:
        """Return the height of the last block read, or -1."""
        newest = connection.execute(select(func.max(block.c.number))).scalar()
        return -1 if newest is None else int(newest)

    def final_height(self, connection: Connection) -> int:
        """Return the height up to which blocks are final, or below 0."""
        return self.cursor(connection) - self._depth

    def read(self, connection: Connection, gateway: ChainGateway) -> int:
        """
        Read the blocks that are new since the last time; return how many.

        Raises
        ------
        ReorganizedBelowFinalityError
            If a block that was final is gone.
        """
        last = gateway.head_number()
        headers = gateway.headers(self.cursor(connection) + 1, last)
        if not self._follows(connection, gateway, headers):
            self._drop_reorganized(connection, gateway, last)
            headers = gateway.headers(self.cursor(connection) + 1, last)
        if not headers:
            return 0
        first = headers[0].number
        logs = gateway.logs(first, last, tuple(self._by_address))
        times = {header.hash: header for header in headers}
        connection.execute(
            block.insert(),
            [{"number": h.number, "hash": h.hash, "timestamp_s": h.timestamp_s} for h in headers],
        )
        rows = [row for log in logs if log.block_hash in times and (row := self._row(log))]
        if rows:
            connection.execute(observed.insert(), rows)
        return len(headers)

    def take_final(self, connection: Connection) -> tuple[FinalEvent, ...]:
        """Return the events that have become final, in chain order, and mark them as taken."""
        height = self.final_height(connection)
        rows = connection.execute(
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
            .where(observed.c.final == 0, observed.c.block_number <= height)
            .order_by(observed.c.block_number, observed.c.log_index)
        ).all()
        if rows:
            connection.execute(
                update(observed)
                .where(observed.c.final == 0, observed.c.block_number <= height)
                .values(final=1)
            )
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

    def _follows(
        self, connection: Connection, gateway: ChainGateway, headers: Sequence[Header]
    ) -> bool:
        """Say whether the chain still contains the last block that was read."""
        number = self.cursor(connection)
        if number < 0:
            return True
        ours = connection.execute(select(block.c.hash).where(block.c.number == number)).scalar_one()
        if headers:
            return bool(headers[0].parent_hash == ours)
        same = gateway.headers(number, number)
        return bool(same and same[0].hash == ours)

    def _drop_reorganized(self, connection: Connection, gateway: ChainGateway, head: int) -> None:
        """Discard the unfinal blocks that the chain no longer contains, with their events."""
        number = self.cursor(connection)
        while number >= 0:
            ours = str(
                connection.execute(
                    select(block.c.hash).where(block.c.number == number)
                ).scalar_one()
            )
            theirs = next(iter(gateway.headers(number, min(number, head))), None)
            if theirs is not None and theirs.hash == ours:
                return
            if number <= self.final_height(connection):
                gone = theirs.hash if theirs else "nothing at that height"
                raise ReorganizedBelowFinalityError(number, ours, gone)
            connection.execute(delete(observed).where(observed.c.block_number == number))
            connection.execute(delete(block).where(block.c.number == number))
            number -= 1
