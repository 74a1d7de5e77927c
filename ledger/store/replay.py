"""Derive the ledger again from its entries alone, and name the first thing that differs."""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from ledger.accounts import AccountId, kind_of
from ledger.book import Book
from ledger.errors import VoisinError
from ledger.journal import GENESIS, Entry, fields_of
from ledger.proofs import Frontier, leaf_hash
from ledger.store import rows
from ledger.store.log import Log
from ledger.tables import balance, entry, transfer
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What replaying found; None where a law holds."""

    entries: int
    """Entries replayed."""
    balances: str | None
    """First violation of L4: debits = credits, limits, stored balances."""
    holds: str | None
    """First violation of L5: a hold resolves at most once."""
    log: str | None
    """First violation of L7: links, leaves, root."""


def replay(connection: Connection) -> ReplayReport:
    """Read every entry, check its links, apply its transfer, compare all with what is stored."""
    book, frontier = Book(), Frontier()
    previous, log_fault, balance_fault = GENESIS, None, None
    stored = _transfers(connection)
    for row in connection.execute(select(entry).order_by(entry.c.seq)).mappings():
        one = Entry(
            row["seq"],
            UnixSeconds(row["at_s"]),
            row["name"],
            row["trace_id"],
            row["body"],
            row["previous"],
        )
        log_fault = log_fault or _check_link(one, row, frontier.size, previous)
        previous = row["hash"]
        frontier.append(leaf_hash(one.leaf()))
        if log_fault is not None:
            return ReplayReport(row["seq"], f"not checked: {log_fault}", None, log_fault)
        if one.name == "transfer":
            balance_fault = balance_fault or _apply(book, one, stored.pop(one.seq, None))
    log = Log.load(connection)
    if log_fault is None and (log.size, log.root()) != (frontier.size, frontier.root()):
        log_fault = f"the log says {log.size} entries, there are {frontier.size}"
    if balance_fault is None and stored:
        balance_fault = f"transfer {min(stored)} has no entry"
    return ReplayReport(
        entries=frontier.size,
        balances=balance_fault or _compare(connection, book),
        holds=_check_holds(connection),
        log=log_fault,
    )


def _transfers(connection: Connection) -> dict[int, Transfer]:
    found = connection.execute(select(transfer)).mappings()
    return {row["seq"]: rows.transfer_of(row) for row in found}


def _check_link(one: Entry, row: RowMapping, size: int, previous: bytes) -> str | None:
    if one.seq != size:
        return f"entry {size} is missing"
    if one.previous != previous:
        return f"entry {one.seq} does not follow the one before"
    if one.hash() != row["hash"] or leaf_hash(one.leaf()) != row["leaf_hash"]:
        return f"entry {one.seq} was changed"
    return None


def _apply(book: Book, one: Entry, stored: Transfer | None) -> str | None:
    fields = fields_of(one.body)
    said = Transfer(
        id=TransferId(fields[0]),
        kind=Kind(fields[1]),
        debit=AccountId(fields[2]),
        credit=AccountId(fields[3]),
        amount=int(fields[4]),
        code=fields[5],
        trace_id=fields[6],
        pending_id=TransferId(fields[7]) if fields[7] else None,
    )
    if stored != said:
        return f"transfer {one.seq} is not what its entry says"
    try:
        book.apply(said)
    except VoisinError as fault:
        return f"transfer {one.seq}: {fault}"
    return None


def _compare(connection: Connection, book: Book) -> str | None:
    """Compare derived with stored balances, and debits with credits in each ledger."""
    stored = {row.account: rows.balance_of(row) for row in connection.execute(select(balance))}
    for account in sorted({*stored, *book.balances}):
        if stored.get(account) != book.balances.get(AccountId(account)):
            return f"{account} is stored as {stored.get(account)}"
    sums: dict[str, int] = {}
    for one in stored.values():
        ledger = kind_of(one.account).ledger
        sums[ledger] = sums.get(ledger, 0) + one.posted
        if kind_of(one.account).limited and one.available < 0:
            return f"{one.account} is at {one.available}"
    unequal = {ledger: total for ledger, total in sums.items() if total}
    return f"debits and credits differ: {unequal}" if unequal else None


def _check_holds(connection: Connection) -> str | None:
    """Check that no hold is resolved twice, and none for more than it holds."""
    held: dict[str, int] = {}
    seen: set[str] = set()
    ordered = connection.execute(select(transfer).order_by(transfer.c.seq)).mappings()
    for row in ordered:
        if row["kind"] == Kind.PENDING:
            held[row["id"]] = row["amount"]
        if row["pending_id"] is None:
            continue
        if row["pending_id"] in seen:
            return f"hold {row['pending_id']} is resolved twice"
        if row["amount"] > held.get(row["pending_id"], -1):
            return f"hold {row['pending_id']} is posted beyond what it holds"
        seen.add(row["pending_id"])
    return None
