"""Read and write balances and transfers as rows."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.sqlite import insert

from ledger.accounts import AccountId
from ledger.book import Balance, Book, Hold
from ledger.tables import balance, transfer
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds

_SUMS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


def load_book(connection: Connection, transfers: Sequence[Transfer]) -> Book:
    """Return a book with the balances and holds that ``transfers`` touch."""
    touched = {account for one in transfers for account in (one.debit, one.credit)}
    found = connection.execute(select(balance).where(balance.c.account.in_(touched)))
    balances = {AccountId(row.account): balance_of(row) for row in found}
    wanted = [one.pending_id for one in transfers if one.pending_id]
    holds: dict[TransferId, Hold] = {}
    if wanted:
        pending = connection.execute(
            select(transfer).where(transfer.c.id.in_(wanted), transfer.c.kind == "pending")
        ).mappings()
        resolved = set(
            connection.execute(
                select(transfer.c.pending_id).where(transfer.c.pending_id.in_(wanted))
            ).scalars()
        )
        holds = {
            TransferId(row["id"]): Hold(transfer_of(row), resolved=row["id"] in resolved)
            for row in pending
        }
    return Book(balances, holds)


def save_balances(connection: Connection, balances: Iterable[Balance]) -> None:
    """Write balances, each once."""
    statement = insert(balance)
    statement = statement.on_conflict_do_update(
        index_elements=["account"], set_={name: statement.excluded[name] for name in _SUMS}
    )
    connection.execute(
        statement,
        [
            {"account": one.account} | {name: getattr(one, name) for name in _SUMS}
            for one in balances
        ],
    )


def balance_of(row: Any) -> Balance:  # noqa: ANN401 - a row of ``balance``
    """Return the balance that a row holds."""
    return Balance(
        AccountId(row.account),
        row.debits_posted,
        row.credits_posted,
        row.debits_pending,
        row.credits_pending,
    )


def transfer_row(one: Transfer, seq: int, at_s: UnixSeconds) -> dict[str, Any]:
    """Return the row of a transfer."""
    return {
        "seq": seq,
        "id": one.id,
        "kind": one.kind.value,
        "debit": one.debit,
        "credit": one.credit,
        "amount": one.amount,
        "code": one.code,
        "trace_id": one.trace_id,
        "pending_id": one.pending_id,
        "at_s": at_s,
    }


def transfer_of(row: RowMapping) -> Transfer:
    """Return the transfer that a row holds."""
    pending = row["pending_id"]
    return Transfer(
        id=TransferId(row["id"]),
        kind=Kind(row["kind"]),
        debit=AccountId(row["debit"]),
        credit=AccountId(row["credit"]),
        amount=row["amount"],
        code=row["code"],
        trace_id=row["trace_id"],
        pending_id=None if pending is None else TransferId(pending),
    )
