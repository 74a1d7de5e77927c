"""Flip one bit of a stored value, a thousand times, and see that the replay names it."""

import random
from collections import Counter
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Column, Connection, LargeBinary, Table, select, text, update
from sqlalchemy.exc import DBAPIError

from ledger.store import LedgerStore, migrate, open_engine
from ledger.store.migrating import guards
from ledger.tables import balance, entry, log_state, metadata, node, refused, transfer
from scripts.campaigns.books.kills import LedgerLostError
from scripts.campaigns.books.requests import AT_S, Requests

TABLES: Final = (entry, transfer, refused, balance, log_state, node)
_GROUPS: Final = 400

BOOK: Final = LedgerStore()


def flip_bits(*, flips: int, seed: int) -> Counter[str]:
    """
    Flip ``flips`` bits, each in a healthy ledger; return how many were found in each table.

    A bit whose flip the database itself refuses, or that makes text that is none, counts too.

    Raises
    ------
    LedgerLostError
        If the replay finds nothing.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    found: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        engine = open_engine(Path(name) / "flips.sqlite")
        migrate(engine, "ledger", metadata)
        with engine.begin() as connection:
            BOOK.submit_many(connection, list(islice(Requests(seed, "flips"), _GROUPS)), at_s=AT_S)
            for _, trigger in guards(connection):
                connection.execute(text(f"DROP TRIGGER {trigger}"))
        with closing(engine.connect()) as connection:
            for _ in range(flips):
                table = dice.choice(TABLES)
                _flip(connection, table, dice)
                found[table.name] += 1
        engine.dispose()
    return found


def _flip(connection: Connection, table: Table, dice: random.Random) -> None:
    connection.execute(text("PRAGMA ignore_check_constraints=ON"))
    connection.execute(text("PRAGMA defer_foreign_keys=ON"))
    keys = list(table.primary_key.columns)
    column = dice.choice([one for one in table.columns if _has_values(connection, one)])
    rows = connection.execute(select(*keys, column.label("flipped"))).all()
    row = dice.choice([one for one in rows if one.flipped not in {None, "", b""}])
    where = [key == value for key, value in zip(keys, row, strict=False)]
    value = flipped(row[-1], column, dice)
    try:
        connection.execute(update(table).where(*where).values({column: value}))
        report = BOOK.replay(connection)
    except DBAPIError:
        # Another row has that key, or it is no value of this type: it cannot be written at all.
        report = None
    connection.rollback()
    if report is not None and not (report.log or report.balances or report.holds):
        raise LedgerLostError(f"{table.name}.{column.name} of {tuple(row)} became {value!r} unseen")


def flipped(value: Any, column: Column[Any], dice: random.Random) -> Any:  # noqa: ANN401
    """Return ``value`` with one bit flipped, of the type of its column."""
    if isinstance(value, int):
        return value ^ 1 << dice.randrange(40)
    if isinstance(column.type, LargeBinary):
        at = dice.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << dice.randrange(8)]) + value[at + 1 :]
    at = dice.randrange(len(value))
    return value[:at] + chr(ord(value[at]) ^ 1 << dice.randrange(6)) + value[at + 1 :]


def _has_values(connection: Connection, column: Column[Any]) -> bool:
    return bool(connection.execute(select(column).where(column.isnot(None)).limit(1)).first())
