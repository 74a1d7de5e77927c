"""What the tests of the store share: transfers between two members, and databases."""

from sqlalchemy import create_engine, text

from ledger import accounts
from ledger.transfers import Kind, Transfer, TransferId

ANNA = accounts.trade_balance("0x" + "aa" * 20)
BEN = accounts.trade_balance("0x" + "bb" * 20)


def move(name, debit, credit, amount, kind=Kind.POSTED, pending=None, **more):
    """Return a transfer."""
    return Transfer(
        id=TransferId(name),
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        code="test",
        trace_id="trace",
        pending_id=pending,
        **more,
    )


def new_database(server, template, name):
    """Make a database like ``template``; return its address."""
    administrator = create_engine(
        server.url().replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    administrator.dispose()
    return server.url(name)
