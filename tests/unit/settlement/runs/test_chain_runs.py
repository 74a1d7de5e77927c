"""What the contract knows as a run: how old books get theirs, and that its length stays."""

import pytest
from alembic import command
from sqlalchemy import func, insert, select

from ledger.store import migrate, open_engine
from ledger.store.migrating import _config
from settlement.chain.deployment import SettlementChangedError, hold_settlement
from settlement.engine.market.runs.sending import taken_with
from settlement.tables import chain_run, intent, metadata, run
from settlement.trading.tree import check_proof, merkle_root

QUARTER_S, HOUR_S = 900, 3_600
ROOTS = [bytes([number]) * 32 for number in range(1, 6)]


def make(connection, number, *, kind=0, amends=None):
    names = "traded_wh stations_wh sun_to_cars_wh home_to_home_wh surplus_wh deficit_wh estimated"
    connection.execute(
        insert(run).values(
            run=number,
            interval=70 + number,
            kind=kind,
            amends=amends,
            root=ROOTS[number - 1],
            inputs="{}",
            at_s=number,
            **dict.fromkeys(names.split(), 0),
        )
    )


@pytest.fixture
def engine(tmp_path):
    found = open_engine(tmp_path / "voisin.sqlite")
    yield found
    found.dispose()


@pytest.fixture
def connection(engine):
    migrate(engine, "settlement", metadata)
    with engine.begin() as found:
        yield found


def test_each_run_of_older_books_is_one_of_its_own(engine):
    config = _config("settlement")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "settlement_0007")
        make(connection, 1)
        make(connection, 2, kind=1, amends=1)
    migrate(engine, "settlement", metadata)
    with engine.begin() as connection:
        rows = connection.execute(select(chain_run).order_by(chain_run.c.number)).all()
    assert [tuple(row) for row in rows] == [
        (1, 71, None, 1, 1, ROOTS[0], 1),
        (2, 72, 1, 2, 2, ROOTS[1], 2),
    ]


def test_a_run_is_proven_under_the_root_of_those_that_were_taken_with_it(connection):
    for number in range(1, 6):
        make(connection, number)
    root = merkle_root(ROOTS[1:4])
    connection.execute(
        insert(chain_run).values(
            number=9, period=3, first_run=2, last_run=4, root=root, at_s=0, amends=None
        )
    )
    for number in (2, 3, 4):
        taken = taken_with(connection, number)
        assert (taken.number, taken.root) == (9, root)
        check_proof(root, ROOTS[number - 1], taken.proof)
    for number in (1, 5):
        waits = taken_with(connection, number)
        assert (waits.number, waits.root, waits.proof) == (None, ROOTS[number - 1], ())


class TestHoldSettlement:
    def test_binds_new_books_to_what_the_rules_say(self, connection):
        hold_settlement(connection, QUARTER_S, HOUR_S)
        hold_settlement(connection, QUARTER_S, HOUR_S)
        with pytest.raises(
            SettlementChangedError, match="settles 3600 s at once, the rules say 900"
        ):
            hold_settlement(connection, QUARTER_S, QUARTER_S)

    def test_knows_that_older_books_settle_each_interval(self, connection):
        names = {"business_key": "deploy/TradeLedger", "trace_id": "deployment"}
        signed = {"signer": "0x", "nonce": 3, "state": "signed", "hash": "0x"}
        connection.execute(insert(intent).values(**names, **signed))
        with pytest.raises(SettlementChangedError):
            hold_settlement(connection, QUARTER_S, HOUR_S)
        hold_settlement(connection, QUARTER_S, QUARTER_S)
        assert connection.execute(select(func.count(intent.c.id))).scalar() == 1
