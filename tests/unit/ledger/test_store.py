"""The store takes groups of transfers exactly once, and says the truth about them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ledger import accounts
from ledger.book import HoldResolvedError, NotEnoughError, PostAboveHoldError
from ledger.store import LedgerStore, Posted, Refused, create_tables, open_engine
from ledger.store.ledger_store import RefusedBeforeError, TransferDiffersError
from ledger.transfers import BadTransferError, Kind, Transfer, TransferId

ANNA = accounts.trade_balance("0x" + "aa" * 20)
BEN = accounts.trade_balance("0x" + "bb" * 20)


def move(name, debit, credit, amount, kind=Kind.POSTED, pending=None):
    return Transfer(
        id=TransferId(name),
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        code="test",
        trace_id="trace",
        pending_id=pending,
    )


@pytest.fixture
def engine(tmp_path):
    made = open_engine(tmp_path / "ledger.sqlite")
    create_tables(made)
    yield made
    made.dispose()


@pytest.fixture
def book():
    return LedgerStore()


def submit(engine, book, *transfers, at_s=1):
    with engine.begin() as connection:
        return book.submit(connection, transfers, at_s=at_s)


def fund(engine, book, account=ANNA, amount=100):
    submit(engine, book, move(f"fund {account}", accounts.world(), account, amount)).unwrap()


class TestSubmit:
    def test_moves_money_and_returns_the_balances_after(self, engine, book):
        fund(engine, book)
        posted = submit(engine, book, move("a", ANNA, BEN, 30)).unwrap()
        assert {b.account: b.posted for b in posted.balances} == {ANNA: 70, BEN: 30}

    def test_counts_open_holds_against_the_limit(self, engine, book):
        fund(engine, book)
        submit(engine, book, move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        outcome = submit(engine, book, move("b", ANNA, BEN, 21))
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.fault, NotEnoughError)
        assert (outcome.fault.available, outcome.fault.wanted) == (20, 21)

    def test_releases_what_a_post_leaves_of_its_hold(self, engine, book):
        fund(engine, book)
        submit(engine, book, move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        hold = TransferId("hold")
        posted = submit(engine, book, move("post", ANNA, BEN, 50, Kind.POST, hold)).unwrap()
        anna = next(b for b in posted.balances if b.account == ANNA)
        assert (anna.posted, anna.available) == (50, 50)

    def test_resolves_a_hold_at_most_once(self, engine, book):
        fund(engine, book)
        hold = TransferId("hold")
        submit(engine, book, move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        submit(engine, book, move("void", ANNA, BEN, 0, Kind.VOID, hold)).unwrap()
        outcome = submit(engine, book, move("post", ANNA, BEN, 80, Kind.POST, hold))
        assert isinstance(outcome.fault, HoldResolvedError)

    def test_never_posts_more_than_is_held(self, engine, book):
        fund(engine, book)
        submit(engine, book, move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        outcome = submit(engine, book, move("p", ANNA, BEN, 81, Kind.POST, TransferId("hold")))
        assert isinstance(outcome.fault, PostAboveHoldError)

    def test_takes_a_group_whole_or_not_at_all(self, engine, book):
        fund(engine, book)
        group = (move("one", ANNA, BEN, 60), move("two", ANNA, BEN, 60))
        assert isinstance(submit(engine, book, *group), Refused)
        with engine.connect() as connection:
            assert book.balance(connection, ANNA).posted == 100

    @pytest.mark.parametrize(
        "bad",
        [
            move("zero", ANNA, BEN, 0),
            move("negative", ANNA, BEN, -1),
            move("huge", ANNA, BEN, 2**63),
            move("self", ANNA, ANNA, 1),
            move("two ledgers", ANNA, accounts.grid(), 1),
            move("", ANNA, BEN, 1),
            move("x" * 161, ANNA, BEN, 1),
            move("names a hold", ANNA, BEN, 1, Kind.POSTED, TransferId("hold")),
        ],
        ids=lambda one: one.id[:12] or "empty",
    )
    def test_refuses_what_cannot_be_right(self, engine, book, bad):
        fund(engine, book)
        assert isinstance(submit(engine, book, bad).fault, BadTransferError)


class TestIdempotency:
    def test_the_same_group_gets_its_first_outcome(self, engine, book):
        fund(engine, book)
        first = submit(engine, book, move("a", ANNA, BEN, 30)).unwrap()
        with engine.connect() as connection:
            before = book.root(connection)
        again = submit(engine, book, move("a", ANNA, BEN, 30), at_s=99).unwrap()
        with engine.connect() as connection:
            assert book.root(connection) == before
        assert isinstance(again, Posted)
        assert again.replayed
        assert again.transfers == first.transfers

    def test_the_same_id_with_another_body_is_refused_and_recorded(self, engine, book):
        fund(engine, book)
        submit(engine, book, move("a", ANNA, BEN, 30)).unwrap()
        with engine.connect() as connection:
            size = book.root(connection)[0]
        outcome = submit(engine, book, move("a", ANNA, BEN, 31))
        assert isinstance(outcome.fault, TransferDiffersError)
        with engine.connect() as connection:
            assert book.root(connection)[0] == size + 1
            assert book.balance(connection, BEN).posted == 30

    def test_a_refusal_stands_when_money_comes_later(self, engine, book):
        assert isinstance(submit(engine, book, move("a", ANNA, BEN, 30)), Refused)
        fund(engine, book)
        outcome = submit(engine, book, move("a", ANNA, BEN, 30))
        assert isinstance(outcome.fault, RefusedBeforeError)
        assert outcome.fault.code == "not_enough"


class TestImmutability:
    @pytest.mark.parametrize("table", ["entry", "transfer"])
    @pytest.mark.parametrize("statement", ["UPDATE {} SET at_s = 0", "DELETE FROM {}"])
    def test_rows_neither_change_nor_go(self, engine, book, table, statement):
        fund(engine, book)
        with (
            pytest.raises(IntegrityError, match="immutable"),
            engine.begin() as connection,
        ):
            connection.execute(text(statement.format(table)))

    def test_replacing_a_row_is_no_way_around(self, engine, book):
        fund(engine, book)
        with (
            pytest.raises(IntegrityError, match="immutable"),
            engine.begin() as connection,
        ):
            connection.execute(text("INSERT OR REPLACE INTO entry SELECT * FROM entry"))


class TestReplay:
    def replayed(self, engine, book):
        with engine.connect() as connection:
            return book.replay(connection)

    def test_finds_nothing_wrong_with_an_honest_ledger(self, engine, book):
        fund(engine, book)
        submit(engine, book, move("hold", ANNA, BEN, 80, Kind.PENDING))
        submit(engine, book, move("post", ANNA, BEN, 5, Kind.POST, TransferId("hold")))
        submit(engine, book, move("no", ANNA, BEN, 96))
        report = self.replayed(engine, book)
        assert (report.balances, report.holds, report.log) == (None, None, None)
        assert report.entries == 4

    @pytest.mark.parametrize(
        ("change", "law"),
        [
            ("UPDATE entry SET body = x'00' WHERE seq = 0", "log"),
            ("UPDATE entry SET previous = zeroblob(32) WHERE seq = 1", "log"),
            ("UPDATE log_state SET size = size + 1", "log"),
            ("UPDATE balance SET credits_posted = credits_posted + 1", "balances"),
            ("UPDATE transfer SET amount = amount + 1 WHERE seq = 0", "balances"),
        ],
    )
    def test_names_what_was_changed(self, engine, book, change, law):
        fund(engine, book)
        submit(engine, book, move("a", ANNA, BEN, 30))
        with engine.begin() as connection:
            for table in ("entry", "transfer"):
                connection.execute(text(f"DROP TRIGGER {table}_no_update"))
            connection.execute(text(change))
        assert getattr(self.replayed(engine, book), law) is not None
