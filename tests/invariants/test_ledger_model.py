"""The ledger answers as the model of forty lines does, whatever comes, restarts included."""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from ledger.accounts import world
from ledger.store import LedgerStore, Posted, migrate, open_engine
from ledger.store.batch import Batch
from ledger.tables import balance, metadata
from ledger.transfers import AMOUNT_MAX, Kind, Transfer
from scripts.campaigns.books.model import POSTED, Model
from scripts.campaigns.books.requests import AT_S, DRIVERS, METERS, Requests

BOOK = LedgerStore()


def code_of(outcome):
    return POSTED if isinstance(outcome, Posted) else outcome.fault.code


class Ledger(RuleBasedStateMachine):
    """Requests of a seeded town, alone and many at once, compared after every step."""

    def __init__(self):
        super().__init__()
        self.model, self.now_s, self.sent = Model(), AT_S, []

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed):
        self.engine = open_engine("sqlite://")
        migrate(self.engine, "ledger", metadata)
        self.source = iter(Requests(seed, "town"))

    @rule(count=st.integers(1, 12))
    def submit_together(self, count):
        groups = [next(self.source) for _ in range(count)]
        self.submit(groups)
        self.sent += groups

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def submit_again(self, data):
        group = data.draw(st.sampled_from(self.sent))
        with self.engine.begin() as connection:
            before = BOOK.root(connection)
            outcome = BOOK.submit(connection, group, at_s=self.now_s)
            assert BOOK.root(connection) == before
        assert code_of(outcome) == self.model.submit(group, self.now_s)
        assert not isinstance(outcome, Posted) or outcome.replayed

    @rule(seconds=st.integers(1, 5))
    def let_time_pass_and_expire(self, seconds):
        self.now_s += seconds
        with self.engine.begin() as connection:
            expired = BOOK.expire_due(connection, at_s=self.now_s)
        for outcome in expired:
            moved = tuple(one.transfer for one in outcome.unwrap().transfers)
            assert self.model.submit(moved, self.now_s) == POSTED
        for hold in self.model.holds.values():
            assert hold is None or hold.expires_s is None or hold.expires_s > self.now_s

    @rule(count=st.integers(1, 6))
    def lose_a_transaction(self, count):
        """What was not committed never was."""
        groups = [next(self.source) for _ in range(count)]
        connection = self.engine.connect()
        connection.begin()
        BOOK.submit_many(connection, groups, at_s=self.now_s)
        connection.rollback()
        connection.close()
        self.submit(groups[::-1])

    def submit(self, groups):
        with self.engine.begin() as connection:
            outcomes = BOOK.submit_many(connection, groups, at_s=self.now_s)
        assert [code_of(one) for one in outcomes] == [
            self.model.submit(group, self.now_s) for group in groups
        ]

    @invariant()
    def the_balances_are_the_models(self):
        if not hasattr(self, "engine"):
            return
        with self.engine.begin() as connection:
            stored = {row.account: row for row in connection.execute(select(balance))}
            for account in (world(), *DRIVERS, *METERS):
                held = stored.get(account)
                posted = held.credits_posted - held.debits_posted if held else 0
                assert posted == self.model.sums.get(account, 0)
                assert (held.debits_pending if held else 0) == self.model.held(account)

    def teardown(self):
        if not hasattr(self, "engine"):
            return
        with self.engine.begin() as connection:
            report = BOOK.replay(connection)
        assert (report.balances, report.holds, report.log) == (None, None, None)
        self.engine.dispose()


Ledger.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLedger = Ledger.TestCase


class TestTheModelItself:
    """A machine that cannot find a fault proves nothing."""

    @pytest.mark.parametrize("fault", ["forgets holds", "takes ids twice"])
    def test_a_broken_ledger_is_found(self, monkeypatch, fault):
        if fault == "forgets holds":
            monkeypatch.setattr("ledger.book.Balance.available", property(lambda _: AMOUNT_MAX))
            monkeypatch.setattr("ledger.book.kind_of", lambda _: type("K", (), {"limited": False}))
        else:
            monkeypatch.setattr(Batch, "_check_free", lambda *_: None)
        with pytest.raises((AssertionError, DBAPIError)):
            run_state_machine_as_test(
                Ledger, settings=settings(phases=[Phase.generate], deadline=None)
            )

    def test_holds_count_in_the_model_too(self):
        model = Model()
        fund = Transfer(
            id="f",
            kind=Kind.POSTED,
            debit=world(),
            credit=DRIVERS[0],
            amount=10,
            code="x",
            trace_id="x",
        )
        assert model.submit((fund,), 0) == POSTED
        assert model.sums == {world(): -10, DRIVERS[0]: 10}
