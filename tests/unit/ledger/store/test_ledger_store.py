"""The store takes groups of transfers exactly once, and says the truth about them."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger import accounts
from ledger.accounts import UnknownAccountError
from ledger.book import (
    HoldDiffersError,
    HoldExpiredError,
    HoldNotExpiredError,
    HoldNotFoundError,
    HoldResolvedError,
    NotEnoughError,
    PostAboveHoldError,
)
from ledger.store import Posted, Refused
from ledger.store.batch import RefusedBeforeError, TransferDiffersError
from ledger.transfers import (
    AMOUNT_MAX,
    GROUP_MAX,
    AmountNotPositiveError,
    AmountNotZeroError,
    AmountTooLargeError,
    BadTransferTextError,
    GroupSizeError,
    HoldNamedWronglyError,
    Kind,
    LedgersDifferError,
    SameAccountError,
)
from tests.unit.ledger.store.support import ANNA, BEN, move


class TestSubmit:
    def test_moves_money_and_returns_the_balances_after(self, ledger):
        ledger.fund()
        posted = ledger.submit(move("a", ANNA, BEN, 30)).unwrap()
        assert {b.account: b.posted for b in posted.balances} == {ANNA: 70, BEN: 30}

    def test_releases_what_a_post_leaves_of_its_hold(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        posted = ledger.submit(move("post", ANNA, BEN, 50, Kind.POST, "hold")).unwrap()
        anna = next(b for b in posted.balances if b.account == ANNA)
        assert (anna.posted, anna.available) == (50, 50)

    @pytest.mark.parametrize("kind", [Kind.POST, Kind.VOID])
    def test_resolves_a_hold_at_most_once(self, ledger, kind):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        ledger.submit(move("void", ANNA, BEN, 0, Kind.VOID, "hold")).unwrap()
        again = move("again", ANNA, BEN, 80 * (kind is Kind.POST), kind, "hold")
        assert isinstance(ledger.submit(again).fault, HoldResolvedError)

    def test_takes_a_group_whole_or_not_at_all(self, ledger):
        ledger.fund()
        group = (move("one", ANNA, BEN, 60), move("two", ANNA, BEN, 60))
        assert isinstance(ledger.submit(*group), Refused)
        assert ledger.balance(ANNA).posted == 100

    def test_a_group_that_is_refused_leaves_its_holds_open(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        group = (move("post", ANNA, BEN, 80, Kind.POST, "hold"), move("two", ANNA, BEN, 21))
        assert isinstance(ledger.submit(*group), Refused)
        assert ledger.balance(ANNA).debits_pending == 80
        ledger.submit(move("void", ANNA, BEN, 0, Kind.VOID, "hold")).unwrap()

    def test_a_hold_can_be_made_and_ended_in_one_group(self, ledger):
        ledger.fund()
        ledger.submit(
            move("hold", ANNA, BEN, 80, Kind.PENDING), move("post", ANNA, BEN, 5, Kind.POST, "hold")
        ).unwrap()
        assert (ledger.balance(ANNA).available, ledger.balance(BEN).posted) == (95, 5)

    def test_many_groups_get_what_each_would_have_got_alone(self, ledger):
        ledger.fund()
        groups = [(move(f"m{n}", ANNA, BEN, 30),) for n in range(5)]
        groups += [groups[0], (move("m1", ANNA, BEN, 29),), groups[4]]
        with ledger.engine.begin() as connection:
            outcomes = ledger.book.submit_many(connection, groups, at_s=1)
        kinds = [type(one).__name__ for one in outcomes]
        assert kinds == ["Posted"] * 3 + ["Refused"] * 2 + ["Posted", "Refused", "Refused"]
        assert outcomes[5] == dataclasses.replace(outcomes[0], replayed=True)
        assert isinstance(outcomes[6].fault, TransferDiffersError)
        assert isinstance(outcomes[7].fault, RefusedBeforeError)
        assert ledger.balance(BEN).posted == 90


class TestExpiry:
    def test_a_hold_ends_by_itself_once_its_time_is_over(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING, expires_s=10)).unwrap()
        with ledger.engine.begin() as connection:
            assert ledger.book.expire_due(connection, at_s=9) == ()
            assert len(ledger.book.expire_due(connection, at_s=10)) == 1
            assert ledger.book.expire_due(connection, at_s=11) == ()
        assert ledger.balance(ANNA).available == 100
        assert ledger.balance(BEN).credits_pending == 0

    @pytest.mark.parametrize("kind", [Kind.POST, Kind.VOID])
    def test_after_its_time_it_can_only_expire(self, ledger, kind):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING, expires_s=10)).unwrap()
        late = move("late", ANNA, BEN, 80 * (kind is Kind.POST), kind, "hold")
        assert isinstance(ledger.submit(late, at_s=10).fault, HoldExpiredError)
        ledger.submit(move("expire", ANNA, BEN, 0, Kind.EXPIRE, "hold"), at_s=10).unwrap()

    def test_before_its_time_it_does_not_expire(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING, expires_s=10)).unwrap()
        early = move("early", ANNA, BEN, 0, Kind.EXPIRE, "hold")
        assert isinstance(ledger.submit(early, at_s=9).fault, HoldNotExpiredError)
        ledger.submit(move("post", ANNA, BEN, 80, Kind.POST, "hold"), at_s=9).unwrap()

    def test_a_hold_without_an_end_never_expires(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        never = move("never", ANNA, BEN, 0, Kind.EXPIRE, "hold")
        assert isinstance(ledger.submit(never, at_s=AMOUNT_MAX).fault, HoldNotExpiredError)

    def test_long_ids_expire_one_by_one(self, ledger):
        ledger.fund()
        for end in "ab":
            hold = move("h" * 159 + end, ANNA, BEN, 40, Kind.PENDING, expires_s=10)
            ledger.submit(hold).unwrap()
        with ledger.engine.begin() as connection:
            assert len(ledger.book.expire_due(connection, at_s=10)) == 2
        assert ledger.balance(ANNA).available == 100


class TestBadInput:
    """Each fault has its code; docs/reference/errors.md lists them, this order decides."""

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (move("", ANNA, BEN, 1), BadTransferTextError),
            (move("x" * 161, ANNA, BEN, 1), BadTransferTextError),
            (move("é", ANNA, BEN, 1), BadTransferTextError),
            (move("a\nb", ANNA, BEN, 1), BadTransferTextError),
            (move("nul\0", ANNA, BEN, 1), BadTransferTextError),
            (move("a", ANNA, "eur/nobody", 1), UnknownAccountError),
            (move("a", "eur/trade-balance/\0", BEN, 1), UnknownAccountError),
            (move("a", "eur/trade-balance/\ud800", BEN, 1), UnknownAccountError),
            (move("a", ANNA, ANNA, 1), SameAccountError),
            (move("a", ANNA, accounts.grid(), 1), LedgersDifferError),
            (move("a", ANNA, BEN, 0), AmountNotPositiveError),
            (move("a", ANNA, BEN, -1), AmountNotPositiveError),
            (move("a", ANNA, BEN, 2**63), AmountTooLargeError),
            (move("a", ANNA, BEN, 1 << 10_000_000), AmountTooLargeError),
            (move("a", ANNA, BEN, -1 << 10_000_000), AmountNotPositiveError),
            (move("a", ANNA, BEN, 1, Kind.VOID, "hold"), AmountNotZeroError),
            (move("a", ANNA, BEN, 1, Kind.POSTED, "hold"), HoldNamedWronglyError),
            (move("a", ANNA, BEN, 1, Kind.POST), HoldNamedWronglyError),
            (move("a", ANNA, BEN, 1, expires_s=5), HoldNamedWronglyError),
            (move("a", ANNA, BEN, 1, Kind.POST, "nul\0"), BadTransferTextError),
            (move("a", ANNA, BEN, 1, Kind.POST, "\ud800"), BadTransferTextError),
            (move("a", ANNA, BEN, 1, Kind.PENDING, expires_s=2**63), HoldNamedWronglyError),
            (move("a", ANNA, BEN, 1, Kind.PENDING, expires_s=-1), HoldNamedWronglyError),
            (move("a", ANNA, "eur/trade-balance/" + "x" * (2 << 20), 1), UnknownAccountError),
            (move("a", ANNA, BEN, 1, Kind.POST, "none"), HoldNotFoundError),
            (move("a", ANNA, BEN, 1, Kind.POST, "fund " + ANNA), HoldNotFoundError),
            (move("a", BEN, ANNA, 1, Kind.POST, "hold"), HoldDiffersError),
            (move("a", ANNA, BEN, 0, Kind.VOID, "gone"), HoldResolvedError),
            (move("a", ANNA, BEN, 2, Kind.POST, "old"), HoldExpiredError),
            (move("a", ANNA, BEN, 81, Kind.POST, "hold"), PostAboveHoldError),
            (move("a", ANNA, BEN, 20), NotEnoughError),
        ],
    )
    def test_is_refused_by_name_recorded_once_and_changes_nothing(self, ledger, bad, error):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()
        ledger.submit(move("old", ANNA, BEN, 1, Kind.PENDING, expires_s=2)).unwrap()
        ledger.submit(move("gone", ANNA, BEN, 1, Kind.PENDING)).unwrap()
        ledger.submit(move("v", ANNA, BEN, 0, Kind.VOID, "gone")).unwrap()
        before, size = ledger.balance(ANNA), ledger.size()
        first = ledger.submit(bad, at_s=5)
        again = ledger.submit(bad, at_s=6)
        assert type(first.fault) is error
        assert (again.fault.code, str(again.fault)) == (first.fault.code, str(first.fault))
        assert (ledger.balance(ANNA), ledger.size()) == (before, size + 1)
        assert ledger.replay().log is None

    @pytest.mark.parametrize("name", ["nul\0", "\ud800", "x" * (2 << 20)])
    def test_an_id_twice_that_nobody_can_write_harms_nobody_else(self, ledger, name):
        ledger.fund()
        groups = [(move(name, ANNA, BEN, 1), move(name, ANNA, BEN, 1)), (move("a", ANNA, BEN, 1),)]
        with ledger.engine.begin() as connection:
            bad, good = ledger.book.submit_many(connection, groups, at_s=1)
        assert isinstance(bad.fault, TransferDiffersError)
        assert not good.replayed
        again = ledger.submit(*groups[0])
        assert (again.fault.code, str(again.fault)) == (bad.fault.code, str(bad.fault))
        assert ledger.replay().log is None

    def test_a_group_of_nothing_leaves_no_trace(self, ledger):
        with pytest.raises(GroupSizeError):
            ledger.submit()
        assert ledger.size() == 0

    def test_a_group_that_is_too_large_is_refused_whole(self, ledger):
        ledger.fund(ANNA, GROUP_MAX + 1)
        group = [move(f"g{n}", ANNA, BEN, 1) for n in range(GROUP_MAX + 1)]
        assert isinstance(ledger.submit(*group).fault, GroupSizeError)
        assert ledger.balance(BEN).posted == 0

    def test_a_sum_that_no_column_holds_is_refused(self, ledger):
        ledger.fund(ANNA, AMOUNT_MAX)
        more = move("more", accounts.world(), ANNA, 1)
        assert isinstance(ledger.submit(more).fault, AmountTooLargeError)


class TestIdempotency:
    def test_the_same_group_gets_its_first_outcome(self, ledger):
        ledger.fund()
        first = ledger.submit(move("a", ANNA, BEN, 30)).unwrap()
        ledger.submit(move("b", ANNA, BEN, 30)).unwrap()
        size = ledger.size()
        again = ledger.submit(move("a", ANNA, BEN, 30), at_s=99)
        assert ledger.size() == size
        assert again == Posted(first.transfers, first.balances, replayed=True)

    def test_the_same_id_with_another_body_is_refused_and_recorded(self, ledger):
        ledger.fund()
        ledger.submit(move("a", ANNA, BEN, 30)).unwrap()
        size = ledger.size()
        for _ in range(2):
            assert ledger.submit(move("a", ANNA, BEN, 31)).fault.code == "transfer_differs"
        assert ledger.size() == size + 1
        assert ledger.balance(BEN).posted == 30
        assert ledger.submit(move("a", ANNA, BEN, 30)).unwrap().replayed

    def test_a_refusal_stands_when_money_comes_later(self, ledger):
        assert isinstance(ledger.submit(move("a", ANNA, BEN, 30)), Refused)
        ledger.fund()
        outcome = ledger.submit(move("a", ANNA, BEN, 30))
        assert isinstance(outcome.fault, RefusedBeforeError)
        assert outcome.fault.code == "not_enough"

    def test_an_id_that_was_refused_cannot_come_with_another_body(self, ledger):
        ledger.submit(move("a", ANNA, BEN, 30))
        ledger.fund()
        assert isinstance(ledger.submit(move("a", ANNA, BEN, 5)).fault, TransferDiffersError)

    @pytest.mark.parametrize("names", [("a",), ("b",), ("b", "a"), ("a", "b", "c"), ("a", "a")])
    def test_a_part_of_a_group_is_not_the_group(self, ledger, names):
        ledger.fund()
        ledger.submit(move("a", ANNA, BEN, 1), move("b", ANNA, BEN, 1)).unwrap()
        outcome = ledger.submit(*(move(name, ANNA, BEN, 1) for name in names))
        assert isinstance(outcome.fault, TransferDiffersError)
        assert ledger.balance(BEN).posted == 2


class TestSeed:
    """The foot of the tree is public; without the seed nobody can try amounts until a hash fits."""

    def roots(self, ledger, seeds):
        for seed in seeds:
            with ledger.engine.connect() as connection:
                if seed:
                    ledger.book.begin(connection, seed)
                ledger.book.submit(connection, (move("a", accounts.world(), BEN, 1),), at_s=1)
                yield ledger.book.root(connection)[1]
                connection.rollback()

    def test_decides_every_hash(self, ledger):
        one, other = b"1" * 32, b"2" * 32
        found = list(self.roots(ledger, (one, one, other, None, None)))
        assert found[0] == found[1]
        assert len(set(found)) == 4

    def test_stays_what_it_was(self, ledger):
        ledger.fund()
        with ledger.engine.begin() as connection:
            ledger.book.begin(connection, b"3" * 32)
        ledger.submit(move("a", ANNA, BEN, 1)).unwrap()
        assert ledger.replay().log is None


class TestBugsOfOthers:
    """What broke elsewhere (Blnk, Formance), by the number of the report there."""

    def test_open_holds_count_against_what_is_available_blnk_181(self, ledger):
        ledger.fund(amount=5_000)
        holds = [move(f"h{n}", ANNA, BEN, 1_000, Kind.PENDING) for n in range(6)]
        outcomes = [ledger.submit(one) for one in holds]
        assert [isinstance(one, Posted) for one in outcomes] == [True] * 5 + [False]
        assert (outcomes[5].fault.available, outcomes[5].fault.wanted) == (0, 1_000)

    def test_a_refused_hold_cannot_be_posted_blnk_182(self, ledger):
        ledger.fund()
        assert isinstance(ledger.submit(move("h", ANNA, BEN, 101, Kind.PENDING)), Refused)
        ledger.fund(BEN, 1)
        outcome = ledger.submit(move("p", ANNA, BEN, 101, Kind.POST, "h"))
        assert isinstance(outcome.fault, HoldNotFoundError)
        assert ledger.balance(ANNA).posted == 100

    def test_64_threads_that_post_and_void_one_hold_resolve_it_once_blnk_171(self, ledger):
        ledger.fund()
        ledger.submit(move("hold", ANNA, BEN, 80, Kind.PENDING)).unwrap()

        def resolve(number):
            kind = Kind.POST if number % 2 else Kind.VOID
            amount = (number % 80 + 1) * (kind is Kind.POST)
            return ledger.submit(move(f"r{number}", ANNA, BEN, amount, kind, "hold"))

        with ThreadPoolExecutor(64) as threads:
            outcomes = list(threads.map(resolve, range(64)))
        (won,) = (one for one in outcomes if isinstance(one, Posted))
        assert ledger.balance(BEN).posted == won.transfers[0].transfer.amount
        assert ledger.balance(ANNA).debits_pending == 0
        assert {one.fault.code for one in outcomes if one is not won} == {"hold_resolved"}

    def test_50_callers_of_one_id_get_one_effect_and_one_answer_formance_364(self, ledger):
        ledger.fund()
        with ThreadPoolExecutor(50) as threads:
            found = list(threads.map(lambda _: ledger.submit(move("a", ANNA, BEN, 1)), range(50)))
        assert {(one.transfers, one.balances) for one in found} == {
            (found[0].transfers, found[0].balances)
        }
        assert sorted(one.replayed for one in found) == [False] + [True] * 49
        assert ledger.balance(BEN).posted == 1
