"""Give each test an empty ledger, on SQLite and on PostgreSQL."""

from itertools import count
from types import SimpleNamespace

import pytest

from ledger import accounts
from ledger.store import LedgerStore, migrate, open_engine
from ledger.tables import metadata
from scripts.postgresql import running_postgresql
from tests.unit.ledger.store.support import ANNA, move

_NUMBERS = count()


@pytest.fixture(scope="session")
def postgresql():
    """Run one server for all tests, with a migrated database to copy."""
    with running_postgresql() as server:
        template = server.create_database("voisin_empty")
        engine = open_engine(template)
        migrate(engine, "ledger", metadata)
        engine.dispose()
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """Return the address of a migrated, empty database."""
    if request.param == "sqlite":
        made = open_engine(tmp_path / "ledger.sqlite")
        migrate(made, "ledger", metadata)
        made.dispose()
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server = request.getfixturevalue("postgresql")
    return server.create_database(f"test_{next(_NUMBERS)}", "voisin_empty")


@pytest.fixture
def engine(address):
    """Return the engine that writes."""
    made = open_engine(address)
    yield made
    made.dispose()


@pytest.fixture
def ledger(engine):
    """Return the ledger with its engine and what tests do most."""

    def submit(*transfers, at_s=1):
        with engine.begin() as connection:
            return book.submit(connection, transfers, at_s=at_s)

    def fund(account=ANNA, amount=100):
        submit(move(f"fund {account}", accounts.world(), account, amount)).unwrap()

    def balance(account):
        with engine.begin() as connection:
            return book.balance(connection, account)

    def size():
        with engine.begin() as connection:
            return book.root(connection)[0]

    def replay():
        with engine.begin() as connection:
            return book.replay(connection)

    book = LedgerStore()
    return SimpleNamespace(
        engine=engine,
        book=book,
        submit=submit,
        fund=fund,
        balance=balance,
        size=size,
        replay=replay,
    )
