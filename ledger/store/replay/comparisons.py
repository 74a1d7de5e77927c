"""Compare the tables of transfers and refusals with the entries, inside the database."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, cast, func, literal, select, true

from ledger.journal import REFUSAL, TRANSFER
from ledger.tables import entry, refused, transfer

_TRANSFER_LINES: Final = (
    transfer.c.id,
    transfer.c.kind,
    transfer.c.debit,
    transfer.c.credit,
    transfer.c.amount,
    transfer.c.code,
    transfer.c.trace_id,
    transfer.c.pending_id,
    transfer.c.expires_s,
    transfer.c.group_seq,
)


def first_difference(connection: Connection, size: int) -> str | None:
    """Return the first row of the first ``size`` entries that says other than its entry."""
    body = _text(connection, entry.c.body)
    hashed = func.lower(
        func.encode(refused.c.body_hash, "hex")
        if connection.dialect.name == "postgresql"
        else func.hex(refused.c.body_hash)
    )
    for table, name, said in (
        (transfer, TRANSFER, _lines(*_TRANSFER_LINES)),
        (refused, REFUSAL, _lines(refused.c.id, hashed, refused.c.code, refused.c.detail)),
    ):
        same = said == body
        if table is transfer:
            same = same & (transfer.c.at_s == entry.c.at_s)
            same = same & (transfer.c.trace_id == entry.c.trace_id)
        pairs = entry.outerjoin(table, table.c.seq == entry.c.seq)
        wrong = connection.execute(
            select(entry.c.seq)
            .select_from(pairs)
            .where(entry.c.name == name, entry.c.seq < size, same.isnot(true()))
            .order_by(entry.c.seq)
            .limit(1)
        ).scalar()
        if wrong is not None:
            return f"{name} {wrong} is not what its entry says"
        alone = connection.execute(
            select(table.c.seq)
            .select_from(
                table.outerjoin(entry, (entry.c.seq == table.c.seq) & (entry.c.name == name))
            )
            .where(entry.c.seq.is_(None), table.c.seq < size)
            .limit(1)
        ).scalar()
        if alone is not None:
            return f"{name} {alone} has no entry"
    return None


def _lines(*columns: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the columns as the journal writes them: a line each, empty for NULL."""
    parts = [func.coalesce(cast(column, Text), "") for column in columns]
    joined: ColumnElement[str] = parts[0]
    for part in parts[1:]:
        joined = joined + literal("\n") + part
    return joined


def _text(connection: Connection, column: ColumnElement[bytes]) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return func.convert_from(column, "UTF8")
    return cast(column, Text)
