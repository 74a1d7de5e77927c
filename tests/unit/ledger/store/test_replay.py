"""Replaying derives everything again, and names by its place whatever was changed underneath."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import LargeBinary, select, text, update
from sqlalchemy.exc import DBAPIError

from ledger import accounts
from ledger.store.migrating import guards
from ledger.tables import balance, entry, log_state, metadata, node, refused, transfer
from ledger.transfers import Kind
from tests.unit.ledger.store.support import ANNA, BEN, move

STORED = (entry, transfer, refused, balance, log_state, node)


@pytest.fixture
def busy(ledger):
    """Return a ledger in which everything has happened, with one full tile and more."""
    ledger.fund(amount=10_000)
    ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING, expires_s=900))
    ledger.submit(move("post", ANNA, BEN, 5, Kind.POST, "hold"))
    ledger.submit(move("open", ANNA, BEN, 5, Kind.PENDING))
    ledger.submit(move("no", ANNA, BEN, 96_000))
    ledger.submit(move("one", ANNA, BEN, 1), move("two", BEN, ANNA, 1))
    with ledger.engine.begin() as connection:
        ledger.book.append_record(connection, name="note", trace_id="", body=b"\0\xff", at_s=7)
        ledger.book.submit_many(
            connection, [(move(f"m{n}", ANNA, BEN, 1),) for n in range(300)], at_s=8
        )
    return ledger


@pytest.fixture
def unguarded(busy):
    """Return that ledger without its guards, as whoever owns the file can make it."""
    with busy.engine.begin() as connection:
        for table, trigger in guards(connection):
            on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {trigger}{on}"))
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA ignore_check_constraints=ON"))
    return busy


def broken(ledger):
    report = ledger.replay()
    return [one for one in (report.log, report.balances, report.holds) if one]


class TestReplay:
    def test_finds_nothing_wrong_with_an_honest_ledger(self, busy):
        report = busy.replay()
        assert (report.balances, report.holds, report.log) == (None, None, None)
        assert report.entries == 308

    def test_two_processes_find_what_one_does(self, busy):
        with busy.engine.begin() as connection:
            alone = busy.book.replay(connection)
        with busy.engine.connect() as connection:
            assert busy.book.replay(connection, processes=2) == alone

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ("UPDATE entry SET at_s = 2 WHERE seq = 3", "entry 3 was changed"),
            ("UPDATE entry SET trace_id = 'x' WHERE seq = 3", "entry 3 was changed"),
            ("UPDATE entry SET seq = 999 WHERE seq = 7", "entry 7 is missing"),
            ("DELETE FROM transfer WHERE seq = 307", "transfer 307 is not what its entry says"),
            ("UPDATE transfer SET amount = 6 WHERE seq = 2", "transfer 2 is not what its entry"),
            ("UPDATE transfer SET group_seq = 6 WHERE seq = 6", "transfer 6 is not what its"),
            ("UPDATE transfer SET at_s = 3 WHERE seq = 5", "transfer 5 is not what its entry says"),
            ("UPDATE refused SET detail = ''", "refusal 4 is not what its entry says"),
            ("DELETE FROM refused", "refusal 4 is not what its entry says"),
            ("UPDATE log_state SET size = size - 1", "or another root"),
            ("UPDATE node SET position = 1", "node 0 of level 1 was changed"),
            ("DELETE FROM node", "node 0 of level 1 was changed"),
            ("UPDATE balance SET limited = 0 WHERE limited = 1", "is stored as"),
            ("UPDATE balance SET credits_posted = credits_posted + 1", "is stored as"),
            ("DELETE FROM balance WHERE limited = 0", "has no stored balance"),
            (
                "UPDATE transfer SET debit_debits_posted = 1 WHERE seq = 1",
                "transfer 1 says other balances after it",
            ),
        ],
    )
    def test_names_what_was_changed(self, unguarded, change, found):
        with unguarded.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA defer_foreign_keys=ON"))
            else:
                connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
        assert found in broken(unguarded)[0]

    def test_a_hold_that_is_resolved_twice_is_named(self, unguarded):
        """Rows that agree with their entries are added up by code that is not the book's."""
        with unguarded.engine.begin() as connection:
            connection.execute(text("DELETE FROM transfer WHERE seq >= 8"))
            connection.execute(text("UPDATE transfer SET kind = 'void', amount = 0 WHERE seq = 2"))
        assert "transfer 2" in broken(unguarded)[0]

    def test_every_flipped_bit_is_found(self, unguarded):
        """Some of each column of each table; the campaign in scripts flips a thousand."""
        dice = random.Random(5)  # noqa: S311 - a seed, no secret
        for table in STORED:
            for column in table.columns:
                with unguarded.engine.connect() as connection:
                    changed = flip(connection, table, column, dice)
                    if changed is None:
                        continue
                    report = unguarded.book.replay(connection)
                    found = [one for one in (report.log, report.balances, report.holds) if one]
                    assert found, f"{table.name}.{column.name} of {changed}"
                    connection.rollback()


def flip(connection, table, column, dice):
    """Flip a bit of one value of ``column``; return its row's key, or None if it cannot be."""
    keys = list(table.primary_key.columns)
    rows = connection.execute(select(*keys, column.label("flipped"))).all()
    rows = [row for row in rows if row.flipped is not None and row.flipped not in ("", b"")]
    if not rows:
        return None
    row = dice.choice(rows)
    where = [key == value for key, value in zip(keys, row, strict=False)]
    with suppress(DBAPIError):
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        connection.execute(update(table).where(*where).values({column: flipped(row[-1], column)}))
        return tuple(row)
    connection.rollback()
    return None


def flipped(value, column):
    if isinstance(value, int):
        return value ^ 1
    if isinstance(column.type, LargeBinary):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value[:-1] + chr(ord(value[-1]) ^ 1)


class TestGuards:
    @pytest.mark.parametrize("table", [entry, transfer, node, refused], ids=str)
    @pytest.mark.parametrize("statement", ["UPDATE {} SET seq = seq", "DELETE FROM {}"])
    def test_rows_neither_change_nor_go(self, busy, table, statement):
        if table is node:
            statement = statement.replace("seq", "level")
        with (
            pytest.raises(DBAPIError, match=f"{table.name} rows are immutable"),
            busy.engine.begin() as connection,
        ):
            connection.execute(text(statement.format(table.name)))

    def test_replacing_a_row_is_no_way_around(self, busy):
        with busy.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                with pytest.raises(DBAPIError, match="entry rows are immutable"):
                    connection.execute(text("TRUNCATE entry CASCADE"))
                return
            with pytest.raises(DBAPIError, match="immutable"):
                connection.execute(text("INSERT OR REPLACE INTO entry SELECT * FROM entry"))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"debit": ANNA, "credit": ANNA},
            {"credit": accounts.grid()},
            {"amount": 0},
            {"amount": -1},
            {"kind": "gift"},
            {"kind": "post"},
            {"pending_id": "open"},
            {"expires_s": 5},
            {"id": "open"},
            {"group_seq": 10_000},
            {"kind": "post", "pending_id": "hold"},
        ],
        ids=str,
    )
    def test_the_database_itself_refuses_what_breaks_a_law(self, busy, wrong):
        row = dict.fromkeys((column.name for column in transfer.columns), 0) | {
            "seq": 6,
            "id": "new",
            "kind": "posted",
            "debit": ANNA,
            "credit": BEN,
            "amount": 1,
            "code": "x",
            "trace_id": "x",
            "pending_id": None,
            "expires_s": None,
        }
        row["seq"] = record_of(busy)
        with busy.engine.connect() as connection:
            connection.execute(transfer.insert(), row)
            connection.rollback()
            with pytest.raises(DBAPIError):
                connection.execute(transfer.insert(), row | wrong)

    def test_no_balance_below_its_limit_can_be_written_down(self, busy):
        with pytest.raises(DBAPIError), busy.engine.begin() as connection:
            connection.execute(
                update(balance).where(balance.c.account == ANNA).values(debits_pending=10_000)
            )

    def test_every_table_is_replayed_or_known_not_to_be(self):
        assert {*STORED} | {metadata.tables[name] for name in ("checkpoint", "lease")} >= set(
            metadata.sorted_tables
        ) - {metadata.tables.get("cosignature")}


def record_of(ledger):
    with ledger.engine.connect() as connection:
        return connection.execute(select(entry.c.seq).where(entry.c.name == "note")).scalar_one()
