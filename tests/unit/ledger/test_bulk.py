"""Rows inserted together are the rows that were given, in the order of the columns."""

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, select
from sqlalchemy.exc import IntegrityError

from ledger.store import open_engine
from ledger.store.bulk import insert_rows

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
def connection(tmp_path):
    engine = open_engine(tmp_path / "things.sqlite")
    metadata.create_all(engine)
    with engine.connect() as made:
        yield made
    engine.dispose()


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
