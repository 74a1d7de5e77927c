"""
Take many groups at once: looked up together, judged in order in memory, written together.

What each group gets is what it would have got alone, at its place in the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ledger.accounts import AccountId
from ledger.book import Balance
from ledger.errors import Conflict, ExistsWithDifferent, VoisinError
from ledger.journal import (
    REFUSAL,
    TRANSFER,
    Record,
    group_hash,
    refusal_body,
    transfer_body,
)
from ledger.store import rows
from ledger.store.bulk import insert_rows, rows_in
from ledger.store.log import Log
from ledger.store.rows import Stored
from ledger.tables import refused, transfer
from ledger.transfers import GROUP_MAX, GroupSizeError, Transfer, is_plain, writable
from ledger.units import UnixSeconds

Group = Sequence[Transfer]
"""Transfers that are taken all or none."""


class TransferDiffersError(ExistsWithDifferent):
    """The id of a transfer came before with another body, or in another group."""

    def __init__(self, transfer_id: str) -> None:
        name = writable(transfer_id)
        super().__init__("transfer_differs", f"{name} was submitted before, differently")


class RefusedBeforeError(Conflict):
    """The transfer was refused before; the first outcome stands."""

    def __init__(self, transfer_id: str, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.transfer_id: Final = transfer_id


@dataclass(frozen=True, slots=True)
class Posted:
    """A group was taken: the transfers and the balances after them."""

    transfers: tuple[Stored, ...]
    """The group."""
    balances: tuple[Balance, ...]
    """Balances of every account that it touched, right after it, by account."""
    replayed: bool
    """Whether the group had been taken before."""

    def unwrap(self) -> "Posted":
        """Return itself."""
        return self


@dataclass(frozen=True, slots=True)
class Refused:
    """A group was refused: nothing of it was applied, the refusal is in the journal."""

    fault: VoisinError
    """Why."""

    def unwrap(self) -> Posted:
        """Raise the refusal; the caller's transaction then rolls back, the record of it too."""
        raise self.fault


Outcome = Posted | Refused


class Batch:
    """Groups on their way into the ledger, in one database transaction."""

    def __init__(self, connection: Connection, groups: Sequence[Group], at_s: UnixSeconds) -> None:
        """Look up everything that the groups name."""
        every = [one for group in groups for one in group]
        self._connection: Final = connection
        self._at_s: Final = at_s
        self._log: Final = Log.load(connection)
        self._book: Final = rows.load_book(connection, every)
        ids = [one.id for one in every if is_plain(one.id)]
        found = rows_in(connection, tuple(transfer.columns), transfer.c.id, ids)
        self._stored: Final[dict[str, Row[Any]]] = {row.id: row for row in found}
        firsts = {writable(group[0].id) for group in groups if group}
        failed = rows_in(connection, tuple(refused.columns), refused.c.id, firsts)
        self._failed: Final = {
            (row.id, row.body_hash): Refused(RefusedBeforeError(row.id, row.code, row.detail))
            for row in failed
        }
        self._taken: Final[dict[str, tuple[Group, Posted]]] = {}
        self._named: Final = {name for name, _ in self._failed}
        self._records: Final[list[Record]] = []
        self._transfers: Final[list[tuple[Any, ...]]] = []
        self._refusals: Final[list[tuple[Any, ...]]] = []

    def take(self, group: Group) -> Outcome:
        """
        Judge one group; nothing is written yet.

        Raises
        ------
        GroupSizeError
            If it is empty, so that there is no id to keep a refusal under.
        """
        check_group(group)
        before = self._seen_before(group)
        if before is not None:
            return before
        try:
            if len(group) > GROUP_MAX:
                raise GroupSizeError(len(group))
            self._check_free(group)
            after = self._book.apply_all(group, self._at_s)
        except VoisinError as fault:
            return self._refuse(group, fault)
        return self._keep(group, after)

    def write(self) -> None:
        """Write what was taken and what was refused."""
        self._log.append_all(self._connection, self._records, self._at_s)
        insert_rows(self._connection, transfer, self._transfers)
        insert_rows(self._connection, refused, self._refusals)
        if self._transfers:
            rows.save_balances(self._connection, self._book.balances.values())

    def _seen_before(self, group: Group) -> Outcome | None:
        """Return the first outcome if exactly this group came before."""
        first = group[0].id
        taken = self._taken.get(first)
        if taken is not None and list(taken[0]) == list(group):
            return Posted(taken[1].transfers, taken[1].balances, replayed=True)
        if first in self._stored and self._is_stored(group):
            found = [self._stored[one.id] for one in group]
            after: dict[AccountId, Balance] = {}
            for row in found:
                after |= rows.balances_after(row)
            known = tuple(rows.stored_of(row) for row in found)
            return Posted(known, tuple(sorted(after.values())), replayed=True)
        name = writable(first)
        return self._failed.get((name, group_hash(group))) if name in self._named else None

    def _is_stored(self, group: Group) -> bool:
        """Say whether the ledger holds exactly this group."""
        begin = self._stored[group[0].id].seq
        for position, one in enumerate(group):
            row = self._stored.get(one.id)
            if row is None or (row.seq, row.group_seq) != (begin + position, begin):
                return False
            if rows.transfer_of(row) != one:
                return False
        next_seq = begin + len(group)
        following = select(transfer.c.group_seq).where(transfer.c.seq == next_seq)
        return bool(self._connection.execute(following).scalar() != begin)

    def _check_free(self, group: Group) -> None:
        """Refuse a group of which an id is taken, by a transfer or by a refusal, or comes twice."""
        seen: set[str] = set()
        for one in group:
            if one.id in self._stored or one.id in self._taken or one.id in seen:
                raise TransferDiffersError(one.id)
            seen.add(one.id)
        first = group[0].id
        if writable(first) in self._named:
            raise TransferDiffersError(first)

    def _keep(self, group: Group, after: Sequence[tuple[Balance, Balance]]) -> Posted:
        begin = self._log.size + len(self._records)
        stored = tuple([Stored(one, begin + n, self._at_s) for n, one in enumerate(group)])
        latest: dict[AccountId, Balance] = {}
        for one, pair in zip(stored, after, strict=True):
            moved = one.transfer
            self._records.append((TRANSFER, moved.trace_id, transfer_body(moved, begin)))
            self._transfers.append(rows.transfer_row(one, begin, pair))
            latest[moved.debit], latest[moved.credit] = pair
        posted = Posted(stored, tuple(sorted(latest.values())), replayed=False)
        for moved in group:
            self._taken[moved.id] = (group, posted)
        return posted

    def _refuse(self, group: Group, fault: VoisinError) -> Refused:
        """Journal a refusal and bind the group's first id to it, once for each body."""
        first, body_hash = group[0], group_hash(group)
        name = writable(first.id)
        trace_id = first.trace_id if is_plain(first.trace_id) else ""
        seq = self._log.size + len(self._records)
        self._records.append((REFUSAL, trace_id, refusal_body(name, body_hash, fault)))
        self._refusals.append((name, body_hash, fault.code, str(fault), seq))
        self._named.add(name)
        again = Refused(RefusedBeforeError(name, fault.code, str(fault)))
        self._failed[name, body_hash] = again
        return Refused(fault)


def check_group(group: Group) -> None:
    """
    Check that there is something to keep an outcome under.

    Raises
    ------
    GroupSizeError
        If the group is empty.
    """
    if not group:
        raise GroupSizeError(0)
