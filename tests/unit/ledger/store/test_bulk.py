"""Rows inserted together are the rows that were given, in the order of the columns."""

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, select
from sqlalchemy.exc import IntegrityError

from ledger.store.bulk import insert_rows, rows_in, upsert_rows

metadata = MetaData()
thing = Table(
    "thing",
    metadata,
    Column("name", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("body", LargeBinary),
)
ROWS = [("one", 1, b"\0\1"), ("two", 2, None), ("three", 3, b"")]


@pytest.fixture
def connection(engine):
    metadata.create_all(engine)
    with engine.connect() as made:
        yield made


class TestInsertRows:
    def test_writes_every_row_as_it_was_given(self, connection):
        insert_rows(connection, thing, ROWS)
        found = connection.execute(select(thing).order_by(thing.c.count)).all()
        assert [tuple(row) for row in found] == ROWS

    def test_writes_nothing_if_there_is_nothing(self, connection):
        insert_rows(connection, thing, ())
        assert connection.execute(select(thing)).first() is None

    def test_lets_the_database_refuse_a_row_that_breaks_a_rule(self, connection):
        with pytest.raises(IntegrityError):
            insert_rows(connection, thing, [*ROWS, ROWS[0]])


class TestUpsertRows:
    def test_replaces_what_is_there_under_the_same_key(self, connection):
        insert_rows(connection, thing, ROWS)
        upsert_rows(connection, thing, [("two", 9, b"new"), ("four", 4, None)])
        found = connection.execute(select(thing).order_by(thing.c.count)).all()
        assert [row.name for row in found] == ["one", "three", "four", "two"]
        assert found[-1].body == b"new"


class TestRowsIn:
    def test_finds_as_many_as_are_asked_for(self, connection):
        insert_rows(connection, thing, [(f"{n}", n, None) for n in range(25_000)])
        wanted = [f"{n}" for n in range(0, 50_000, 2)]
        found = rows_in(connection, (thing.c.count,), thing.c.name, wanted)
        assert sorted(row[0] for row in found) == list(range(0, 25_000, 2))
