"""What the service knows of lanes: who may be debited how much, and how far settlement has come."""

from types import SimpleNamespace

import pytest

from ledger import accounts
from ledger.clock import ReplayClock
from ledger.store import LedgerStore, migrate, open_engine
from ledger.tables import metadata as ledger_tables
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds
from settlement.chain.indexer import FinalEvent
from settlement.chain.lanes import EXIT_WAIT_S
from settlement.engine.market.lanes import (
    UnknownLaneError,
    by_lane,
    debitable,
    spendable,
    waiting_deltas,
)
from settlement.engine.market.progress import due_intervals, is_settled, settled_through
from settlement.engine.trade_postings import HANDLERS
from settlement.tables import chain_run, event, line, metadata, reading, run

HOUR_S = 3_600
DAY = 24
BEGIN_S = UnixSeconds(1_000 * HOUR_S)
ANNA, BEN, GRID = ("0x" + digits * 20 for digits in ("aa", "bb", "cc"))
CAP, MONEY = 1_000_000, 5_000_000


@pytest.fixture
def service(tmp_path):
    """A service without a chain: a book, a clock, and hours that all have a price."""
    engine = open_engine(tmp_path / "voisin.sqlite")
    migrate(engine, "ledger", ledger_tables)
    migrate(engine, "settlement", metadata)
    rules = SimpleNamespace(
        community_id="street",
        interval_of=lambda at_s: at_s // HOUR_S,
        start_s=lambda interval: interval * HOUR_S,
        residual_sells=dict.fromkeys(range(2_000), 1),
    )
    settle_at_once(rules, 1)
    clock = ReplayClock(UnixSeconds(BEGIN_S + HOUR_S))
    with engine.begin() as connection:
        yield SimpleNamespace(book=LedgerStore(), clock=clock, rules=rules, connection=connection)
    engine.dispose()


def settle_at_once(rules, hours):
    """Let a settlement period have so many hours."""
    rules.settlement_s = hours * HOUR_S
    rules.period_of = lambda interval: interval // hours
    rules.intervals_of = lambda period: range(period * hours, (period + 1) * hours)


def make_run(service, number, hour):
    """Write a run that comes to nothing."""
    names = "kind traded_wh stations_wh sun_to_cars_wh home_to_home_wh surplus_wh deficit_wh"
    noted = dict.fromkeys([*names.split(), "estimated", "at_s"], 0)
    service.connection.execute(
        run.insert().values(run=number, interval=hour, root=b"", inputs="{}", **noted)
    )


def owe(service, number, sides, micros, *, rail="chain", position=0):
    """Write a line of a run."""
    payer, payee = sides
    service.connection.execute(
        line.insert().values(
            run=number,
            position=position,
            payer=payer,
            payee=payee,
            kind="energy",
            rail=rail,
            energy_wh=1,
            amount_micros=micros,
            price_micros_per_kwh=1,
        )
    )


def tell(service, name, *, at_s=BEGIN_S, **arguments):
    """Let a final event of the TradeLedger happen."""
    told = FinalEvent("TradeLedger", name, arguments, f"0x{name}{at_s}", 1, UnixSeconds(at_s), 0)
    HANDLERS[name](service, service.connection, told)


@pytest.fixture
def street(service):
    """Two members and an institution have joined."""
    for number, member in enumerate((ANNA, BEN)):
        tell(
            service,
            "Joined",
            at_s=number,
            member=member,
            id=number,
            capMicros=CAP,
            amountMicros=MONEY,
        )
    tell(service, "InstitutionJoined", institution=GRID, id=2)
    return service


def purse(service, begin_s=BEGIN_S):
    return spendable(service, service.connection, begin_s)


def held(service, account):
    return service.book.balance(service.connection, account)


class TestSpendable:
    def test_is_the_smaller_of_cap_and_funds(self, street):
        assert purse(street) == {ANNA: CAP, BEN: CAP, GRID: 0}
        tell(street, "CapSet", member=ANNA, capMicros=2 * MONEY)
        assert purse(street)[ANNA] == MONEY

    def test_leaves_out_whoever_has_not_joined(self, service):
        assert purse(service) == {}

    def test_leaves_out_what_earlier_runs_may_still_take(self, street):
        hold = Transfer(
            id=TransferId("hold"),
            kind=Kind.PENDING,
            debit=accounts.trade_balance(ANNA),
            credit=accounts.trade_balance(BEN),
            amount=MONEY - 10,
            code="energy",
            trace_id="street/1/1",
        )
        street.book.submit(street.connection, (hold,), at_s=BEGIN_S).unwrap()
        assert purse(street)[ANNA] == 10

    @pytest.mark.parametrize(
        ("asked_s", "counts"),
        [
            (BEGIN_S - 1, True),
            (BEGIN_S, False),
            (BEGIN_S + HOUR_S - 1, False),
            (BEGIN_S - HOUR_S, True),
        ],
    )
    def test_leaves_out_money_asked_back_before_the_interval_began(self, street, asked_s, counts):
        wish = MONEY - 7
        tell(street, "ExitRequested", at_s=asked_s, member=ANNA, amountMicros=wish, forcedAt=0)
        assert purse(street)[ANNA] == (7 if counts else CAP)
        assert purse(street)[BEN] == CAP

    @pytest.mark.parametrize("asked_s", [BEGIN_S - 1, BEGIN_S])
    def test_keeps_below_a_cap_that_was_lowered_before_the_interval_began(self, street, asked_s):
        lower = {"member": ANNA, "capMicros": 10_000, "forcedAt": 0}
        tell(street, "CapLoweringRequested", at_s=asked_s, **lower)
        assert purse(street)[ANNA] == (10_000 if asked_s < BEGIN_S else CAP)
        tell(street, "CapSet", member=ANNA, capMicros=10_000)
        assert purse(street)[ANNA] == 10_000

    def test_counts_nothing_that_leaves_soon_whatever_happens(self, street):
        tell(street, "ExitRequested", member=ANNA, amountMicros=MONEY, forcedAt=0)
        soon_s = BEGIN_S + EXIT_WAIT_S - 86_400 - HOUR_S
        street.clock.set(UnixSeconds(soon_s - 1))
        assert purse(street)[ANNA] == CAP
        street.clock.set(UnixSeconds(soon_s))
        assert purse(street)[ANNA] == 0

    def test_counts_it_earlier_where_the_chain_is_told_once_a_day(self, street):
        settle_at_once(street.rules, DAY)
        tell(street, "ExitRequested", member=ANNA, amountMicros=MONEY, forcedAt=0)
        street.clock.set(UnixSeconds(BEGIN_S + EXIT_WAIT_S - 2 * 86_400 - 1))
        assert purse(street)[ANNA] == CAP
        street.clock.set(UnixSeconds(BEGIN_S + EXIT_WAIT_S - 2 * 86_400))
        assert purse(street)[ANNA] == 0

    def test_counts_money_again_whose_exit_was_cancelled(self, street):
        tell(street, "ExitRequested", at_s=0, member=ANNA, amountMicros=MONEY, forcedAt=0)
        assert purse(street)[ANNA] == 0
        tell(street, "ExitCancelled", member=ANNA, amountMicros=MONEY)
        assert purse(street)[ANNA] == CAP

    def test_forgets_a_wish_that_was_paid(self, street):
        tell(street, "ExitRequested", at_s=0, member=ANNA, amountMicros=MONEY - 5, forcedAt=0)
        tell(street, "Exited", member=ANNA, amountMicros=MONEY - 5)
        assert purse(street)[ANNA] == 5

    def test_is_never_below_nothing(self, street):
        tell(street, "ExitRequested", at_s=0, member=ANNA, amountMicros=MONEY, forcedAt=0)
        tell(street, "Exited", at_s=1, member=BEN, amountMicros=MONEY)
        tell(street, "ExitRequested", at_s=2, member=BEN, amountMicros=1, forcedAt=0)
        assert purse(street) == {ANNA: 0, BEN: 0, GRID: 0}


class TestWaitingRuns:
    def test_use_up_what_the_cap_allows_in_a_period(self, street):
        for number in (1, 2):
            make_run(street, number, number)
            owe(street, number, (ANNA, BEN), 300_000)
        owe(street, 2, (BEN, GRID), 1_000, position=1)
        assert waiting_deltas(street.connection) == (
            (ANNA, -600_000),
            (BEN, 599_000),
            (GRID, 1_000),
        )
        assert purse(street) == {ANNA: CAP - 600_000, BEN: CAP, GRID: 0}
        assert debitable(street, street.connection, {GRID})[ANNA] == CAP - 600_000

    def test_leave_nothing_of_a_cap_that_was_lowered_below_them(self, street):
        make_run(street, 1, 1)
        owe(street, 1, (ANNA, BEN), 300_000)
        lower = {"member": ANNA, "capMicros": 10_000, "forcedAt": 0}
        tell(street, "CapLoweringRequested", at_s=BEGIN_S - 1, **lower)
        assert purse(street)[ANNA] == 0

    def test_move_only_what_is_on_the_chain(self, street):
        make_run(street, 1, 1)
        owe(street, 1, (ANNA, BEN), 300_000, rail="invoice")
        assert waiting_deltas(street.connection) == ()

    def test_wait_until_the_chain_is_told_of_them(self, street):
        make_run(street, 1, 1)
        owe(street, 1, (ANNA, BEN), 300_000)
        street.connection.execute(
            chain_run.insert().values(
                number=1, period=0, first_run=1, last_run=1, root=b"", at_s=BEGIN_S
            )
        )
        assert waiting_deltas(street.connection) == ()
        assert purse(street)[ANNA] == CAP


class TestByLane:
    def test_names_accounts_by_their_numbers(self, street):
        moved = ((ANNA, -5), (BEN, 3), (GRID, 2))
        assert by_lane(street.connection, moved) == {0: -5, 1: 3, 2: 2}

    def test_refuses_an_account_without_a_lane(self, street):
        with pytest.raises(UnknownLaneError, match="0xdd"):
            by_lane(street.connection, (("0x" + "dd" * 20, 1),))


class TestPostings:
    def test_take_a_member_without_money(self, service):
        tell(service, "Joined", member=ANNA, id=0, capMicros=CAP, amountMicros=0)
        assert held(service, accounts.trade_balance(ANNA)).posted == 0
        assert purse(service) == {ANNA: 0}

    def test_post_and_give_back_a_bond(self, service):
        bond = accounts.trade_bond(GRID)
        tell(service, "BondPosted", at_s=1, owner=GRID, amountMicros=70)
        tell(service, "BondPosted", at_s=2, owner=GRID, amountMicros=7)
        assert held(service, bond).posted == 77
        tell(service, "BondReleased", owner=GRID, amountMicros=77)
        assert held(service, bond).posted == 0

    def test_pay_nothing_out_for_an_empty_exit(self, street):
        tell(street, "Exited", member=ANNA, amountMicros=0)
        assert held(street, accounts.trade_balance(ANNA)).posted == MONEY

    def test_tell_of_every_step_a_member_takes(self, street):
        tell(street, "Deposited", at_s=5, member=ANNA, amountMicros=9)
        tell(street, "CapSet", member=ANNA, capMicros=CAP)
        tell(street, "CapLoweringRequested", member=ANNA, capMicros=0, forcedAt=0)
        tell(street, "ExitRequested", member=ANNA, amountMicros=1, forcedAt=0)
        tell(street, "ExitCancelled", member=ANNA, amountMicros=1)
        tell(street, "Exited", member=ANNA, amountMicros=1)
        query = event.select().where(event.c.trace_id == f"street/member/{ANNA}")
        names = [row.name for row in street.connection.execute(query.order_by(event.c.seq))]
        assert names == [
            *("member_deposited", "member_deposited", "cap_set", "cap_lowering_requested"),
            *("exit_requested", "exit_cancelled", "member_exited"),
        ]
        assert held(street, accounts.trade_balance(ANNA)).posted == MONEY + 9 - 1


class TestProgress:
    def first_reading(self, service, hour):
        service.connection.execute(
            reading.insert().values(
                meter_id="m",
                register=0,
                at_s=hour * HOUR_S,
                sequence=1,
                energy_wh=0,
                quality=0,
                digest=b"",
                signature=b"",
                body=b"",
            )
        )

    def due(self, service):
        return due_intervals(service, service.connection)

    def through(self, service):
        return settled_through(service, service.connection)

    def test_begins_with_the_first_reading(self, service):
        assert self.due(service) == ()
        self.first_reading(service, 998)
        assert self.due(service) == (998, 999, 1_000)

    def test_goes_on_after_the_newest_run(self, service):
        self.first_reading(service, 990)
        make_run(service, 1, 998)
        assert self.due(service) == (999, 1_000)

    def test_leaves_out_what_has_no_price(self, service):
        self.first_reading(service, 998)
        del service.rules.residual_sells[999]
        assert self.due(service) == (998, 1_000)

    def test_promises_all_up_to_the_newest_run(self, service):
        self.first_reading(service, 998)
        make_run(service, 1, 998)
        assert self.through(service) == 998
        make_run(service, 2, 999)
        make_run(service, 3, 1_000)
        assert self.through(service) == 1_000

    def test_promises_no_day_of_which_an_hour_waits(self, service):
        settle_at_once(service.rules, DAY)
        self.first_reading(service, 900)
        service.clock.set(UnixSeconds(1_100 * HOUR_S))
        make_run(service, 1, 40 * DAY + DAY - 2)
        assert self.through(service) == 39
        make_run(service, 2, 40 * DAY + DAY - 1)
        assert self.through(service) == 40

    def test_is_done_with_a_day_when_it_is_over_and_none_of_its_hours_waits(self, service):
        settle_at_once(service.rules, DAY)
        self.first_reading(service, 41 * DAY)
        make_run(service, 1, 42 * DAY - 2)
        service.clock.set(UnixSeconds(42 * DAY * HOUR_S))
        assert not is_settled(service, service.connection, 41)
        del service.rules.residual_sells[42 * DAY - 1]
        assert is_settled(service, service.connection, 41)
        service.rules.residual_sells[42 * DAY - 1] = 1
        make_run(service, 2, 42 * DAY - 1)
        assert is_settled(service, service.connection, 41)

    def test_is_not_done_with_a_day_that_is_not_over(self, service):
        settle_at_once(service.rules, DAY)
        service.clock.set(UnixSeconds(42 * DAY * HOUR_S - 1))
        make_run(service, 1, 42 * DAY - 2)
        assert not is_settled(service, service.connection, 41)
