"""Read and write balances and transfers as rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ledger.accounts import AccountId, kind_of
from ledger.book import Balance, Book, Hold
from ledger.store.bulk import rows_in, upsert_rows
from ledger.tables import balance, transfer
from ledger.transfers import Kind, Transfer, TransferId, is_plain
from ledger.units import UnixSeconds


@dataclass(frozen=True, slots=True)
class Stored:
    """A transfer as it stands in the ledger."""

    transfer: Transfer
    """The transfer."""
    seq: int
    """Its entry in the journal."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""


def load_book(connection: Connection, transfers: Sequence[Transfer]) -> Book:
    """Return a book with the balances and holds that ``transfers`` touch."""
    touched = {account for one in transfers for account in (one.debit, one.credit)}
    found = rows_in(
        connection, tuple(balance.columns), balance.c.account, filter(is_plain, touched)
    )
    balances = {AccountId(row.account): balance_of(row) for row in found}
    wanted = {one.pending_id for one in transfers if one.pending_id and is_plain(one.pending_id)}
    return Book(balances, load_holds(connection, wanted) if wanted else {})


def load_holds(connection: Connection, wanted: Iterable[TransferId]) -> dict[TransferId, Hold]:
    """Return those of the pending transfers ``wanted`` that exist, resolved or not."""
    ids = sorted(wanted)
    pending = rows_in(connection, tuple(transfer.columns), transfer.c.id, ids)
    resolutions = rows_in(connection, (transfer.c.pending_id,), transfer.c.pending_id, ids)
    resolved = {row.pending_id for row in resolutions}
    return {
        TransferId(row.id): Hold(transfer_of(row), resolved=row.id in resolved)
        for row in pending
        if row.kind == Kind.PENDING
    }


def save_balances(connection: Connection, balances: Iterable[Balance]) -> None:
    """Write balances, each once."""
    rows = [(one.account, int(kind_of(one.account).limited), *one[1:]) for one in balances]
    upsert_rows(connection, balance, rows)


def balance_of(row: Any) -> Balance:  # noqa: ANN401 - a row of ``balance``
    """Return the balance that a row holds."""
    return Balance(
        AccountId(row.account),
        row.debits_posted,
        row.credits_posted,
        row.debits_pending,
        row.credits_pending,
    )


def transfer_row(
    one: Stored, group_seq: int, after: tuple[Balance, Balance]
) -> tuple[str | int | None, ...]:
    """Return the row of a transfer, with both balances after it."""
    moved = one.transfer
    return (
        one.seq,
        moved.id,
        moved.kind.value,
        moved.debit,
        moved.credit,
        moved.amount,
        moved.code,
        moved.trace_id,
        moved.pending_id,
        moved.expires_s,
        one.at_s,
        group_seq,
        *after[0][1:],
        *after[1][1:],
    )


def transfer_of(row: Any) -> Transfer:  # noqa: ANN401 - a row of ``transfer``
    """Return the transfer that a row holds."""
    return Transfer(
        id=TransferId(row.id),
        kind=Kind(row.kind),
        debit=AccountId(row.debit),
        credit=AccountId(row.credit),
        amount=row.amount,
        code=row.code,
        trace_id=row.trace_id,
        pending_id=None if row.pending_id is None else TransferId(row.pending_id),
        expires_s=None if row.expires_s is None else UnixSeconds(row.expires_s),
    )


def stored_of(row: Any) -> Stored:  # noqa: ANN401 - a row of ``transfer``
    """Return the transfer that a row holds, and where it stands."""
    return Stored(transfer_of(row), row.seq, UnixSeconds(row.at_s))


def balances_after(row: Any) -> Mapping[AccountId, Balance]:  # noqa: ANN401 - of ``transfer``
    """Return the balances of both accounts after a transfer."""
    sums = tuple(row)[-8:]
    debit, credit = AccountId(row.debit), AccountId(row.credit)
    return {debit: Balance(debit, *sums[:4]), credit: Balance(credit, *sums[4:])}
