"""Double entry with holds: money is neither made nor lost, and a hold resolves at most once."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import accounts
from ledger.accounts import UnknownAccountError, kind_of
from ledger.book import (
    Balance,
    Book,
    HoldDiffersError,
    HoldExpiredError,
    HoldNotExpiredError,
    HoldNotFoundError,
    HoldResolvedError,
    NotEnoughError,
    PostAboveHoldError,
)
from ledger.errors import VoisinError
from ledger.transfers import AMOUNT_MAX, AmountNotPositiveError, AmountTooLargeError, Kind, Transfer

ANNA, BEN = (accounts.trade_balance("0x" + digits * 20) for digits in ("aa", "bb"))
WORLD = accounts.world()


def move(name, debit, credit, amount, kind=Kind.POSTED, pending=None, **more):
    return Transfer(
        id=name,
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        code="test",
        trace_id="trace",
        pending_id=pending,
        **more,
    )


def funded(amount=100):
    book = Book()
    book.apply(move("fund", WORLD, ANNA, amount), 1)
    return book


def state(book):
    return dict(book.balances), dict(book.holds)


def held(amount=80):
    book = funded()
    book.apply(move("hold", ANNA, BEN, amount, Kind.PENDING), 1)
    return book


class TestApply:
    def test_moves_from_one_account_to_the_other(self):
        book = funded()
        book.apply(move("a", ANNA, BEN, 30), 1)
        assert book.balance(ANNA) == Balance(ANNA, debits_posted=30, credits_posted=100)
        assert book.balance(BEN) == Balance(BEN, credits_posted=30)
        assert book.balance(WORLD).posted == -100

    def test_an_account_unheard_of_is_empty_and_stays_so(self):
        book = Book()
        assert book.balance(ANNA) == Balance(ANNA)
        assert book.balances == {}

    def test_a_hold_takes_from_what_can_be_spent_and_from_nothing_else(self):
        book = held()
        anna, ben = book.balance(ANNA), book.balance(BEN)
        assert (anna.posted, anna.pending_debits, anna.available) == (100, 80, 20)
        assert (ben.posted, ben.credits_pending, ben.available) == (0, 80, 0)

    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING])
    def test_the_last_unit_can_be_moved_and_not_one_more(self, kind):
        book = held()
        with pytest.raises(NotEnoughError) as caught:
            book.apply(move("b", ANNA, BEN, 21, kind), 1)
        fault = caught.value
        assert (fault.account, fault.available, fault.wanted) == (ANNA, 20, 21)
        book.apply(move("b", ANNA, BEN, 20, kind), 1)
        assert book.balance(ANNA).available == 0

    def test_an_account_without_limit_may_owe(self):
        book = Book()
        book.apply(move("a", accounts.invoice("a"), accounts.invoice("b"), 500), 1)
        assert book.balance(accounts.invoice("a")).posted == -500

    @pytest.mark.parametrize("amount", [1, 50, 80])
    def test_a_post_releases_the_rest_of_its_hold(self, amount):
        book = held()
        book.apply(move("post", ANNA, BEN, amount, Kind.POST, "hold"), 1)
        anna, ben = book.balance(ANNA), book.balance(BEN)
        assert (anna.posted, anna.available) == (100 - amount, 100 - amount)
        assert (ben.posted, ben.credits_pending) == (amount, 0)

    def test_a_post_of_one_unit_more_than_is_held_is_refused(self):
        with pytest.raises(PostAboveHoldError, match="holds 80, not 81"):
            held().apply(move("post", ANNA, BEN, 81, Kind.POST, "hold"), 1)

    def test_a_void_releases_everything(self):
        book = held()
        book.apply(move("void", ANNA, BEN, 0, Kind.VOID, "hold"), 1)
        assert book.balance(ANNA) == Balance(ANNA, credits_posted=100)
        assert book.balance(BEN) == Balance(BEN)

    @pytest.mark.parametrize("first", [Kind.POST, Kind.VOID])
    @pytest.mark.parametrize("second", [Kind.POST, Kind.VOID])
    def test_a_hold_resolves_once(self, first, second):
        book = held()
        amounts = {Kind.POST: 10, Kind.VOID: 0}
        book.apply(move("one", ANNA, BEN, amounts[first], first, "hold"), 1)
        with pytest.raises(HoldResolvedError):
            book.apply(move("two", ANNA, BEN, amounts[second], second, "hold"), 1)

    def test_faults_have_a_fixed_order(self):
        """The same bad post, mended fault by fault, is refused for the next reason each time."""
        book = held()
        book.apply(move("void ed", ANNA, BEN, 5, Kind.PENDING), 1)
        book.apply(move("void", ANNA, BEN, 0, Kind.VOID, "void ed"), 1)
        book.apply(move("expired", ANNA, BEN, 5, Kind.PENDING, expires_s=1), 0)
        wrong = move("p", BEN, ANNA, 0, Kind.POST, "none")
        mended = [
            (AmountNotPositiveError, {"amount": 999}),
            (HoldNotFoundError, {"pending_id": "void ed"}),
            (HoldDiffersError, {"debit": ANNA, "credit": BEN}),
            (HoldResolvedError, {"pending_id": "expired"}),
            (HoldExpiredError, {"pending_id": "hold"}),
            (PostAboveHoldError, {"amount": 80}),
        ]
        before = state(book)
        for fault, change in mended:
            with pytest.raises(fault):
                book.apply(wrong, 1)
            assert state(book) == before
            wrong = dataclasses.replace(wrong, **change)
        book.apply(wrong, 1)
        assert book.balance(BEN).posted == 80

    def test_the_shape_is_looked_at_before_the_balance(self):
        with pytest.raises(UnknownAccountError):
            Book().apply(move("a", ANNA, "eur/nobody", 10**6), 1)

    def test_a_hold_ends_at_its_instant_and_not_before(self):
        book = funded()
        book.apply(move("hold", ANNA, BEN, 80, Kind.PENDING, expires_s=10), 1)
        expire = move("expire", ANNA, BEN, 0, Kind.EXPIRE, "hold")
        with pytest.raises(HoldNotExpiredError):
            book.apply(expire, 9)
        with pytest.raises(HoldExpiredError):
            book.apply(move("post", ANNA, BEN, 80, Kind.POST, "hold"), 10)
        book.apply(expire, 10)
        assert book.balance(ANNA) == Balance(ANNA, credits_posted=100)

    @pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING])
    def test_no_sum_outgrows_its_column(self, kind):
        book = Book()
        book.apply(move("all", WORLD, ANNA, AMOUNT_MAX), 1)
        with pytest.raises(AmountTooLargeError):
            book.apply(move("more", WORLD, BEN, 1, kind), 1)

    def test_a_group_is_applied_whole_or_not_at_all(self):
        book = held()
        before = state(book)
        with pytest.raises(NotEnoughError):
            book.apply_all((move("p", ANNA, BEN, 1, Kind.POST, "hold"), move("x", BEN, ANNA, 2)), 1)
        assert state(book) == before

    def test_a_book_goes_on_from_what_it_is_given(self):
        first = held()
        second = Book(dict(first.balances), dict(first.holds))
        second.apply(move("post", ANNA, BEN, 80, Kind.POST, "hold"), 1)
        assert second.balance(BEN).posted == 80
        assert first.balance(BEN).posted == 0


PARTIES = (WORLD, ANNA, BEN, accounts.vault_driver("0x" + "cc" * 20))
steps = st.lists(
    st.tuples(
        st.sampled_from(Kind),
        st.sampled_from(PARTIES),
        st.sampled_from(PARTIES),
        st.integers(0, 40),
        st.integers(0, 12),
    ),
    max_size=30,
)


def step_of(book, number, row):
    kind, debit, credit, amount, hold = row
    if kind in {Kind.POSTED, Kind.PENDING}:
        expires_s = hold if kind is Kind.PENDING and hold % 2 else None
        return move(f"t{number}", debit, credit, amount, kind, expires_s=expires_s)
    known = list(book.holds)
    pending = known[hold % len(known)] if known else "t0"
    if known:
        debit, credit = book.holds[pending].transfer.debit, book.holds[pending].transfer.credit
    return move(f"t{number}", debit, credit, amount * (kind is Kind.POST), kind, pending)


class TestLaws:
    @given(steps)
    @settings(max_examples=150, deadline=None)
    def test_whatever_is_asked_the_books_hold(self, rows):
        """Laws L4 and L5 after every step; a refused step changes nothing."""
        book = Book()
        book.apply(move("fund", WORLD, ANNA, 100), 1)
        for number, row in enumerate(rows):
            before = state(book)
            try:
                book.apply(step_of(book, number, row), number)
            except VoisinError:
                assert state(book) == before
            balances = book.balances.values()
            assert sum(one.posted for one in balances) == 0
            open_holds = [one.transfer for one in book.holds.values() if not one.resolved]
            for one in balances:
                assert not kind_of(one.account).limited or one.available >= 0
                going = sum(t.amount for t in open_holds if t.debit == one.account)
                coming = sum(t.amount for t in open_holds if t.credit == one.account)
                assert (one.debits_pending, one.credits_pending) == (going, coming)

    @given(st.integers(1, 100), st.integers(0, 120))
    @settings(deadline=None)
    def test_posted_and_released_are_what_was_held(self, amount, posted):
        book = held(amount)
        kind = Kind.POST if posted else Kind.VOID
        try:
            book.apply(move("resolve", ANNA, BEN, posted, kind, "hold"), 1)
        except PostAboveHoldError:
            assert posted > amount
            return
        assert posted <= amount
        released = book.balance(ANNA).available - (100 - amount)
        assert posted + released == amount
        assert book.balance(BEN).posted == posted
