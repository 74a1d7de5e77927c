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
from settlement.engine.market.lanes import UnknownLaneError, by_lane, spendable
from settlement.engine.market.progress import due_intervals, settled_through
from settlement.engine.trade_postings import HANDLERS
from settlement.tables import event, metadata, reading, run

HOUR_S = 3_600
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
        residual_sells=dict.fromkeys(range(2_000), 1),
    )
    clock = ReplayClock(UnixSeconds(BEGIN_S + HOUR_S))
    with engine.begin() as connection:
        yield SimpleNamespace(book=LedgerStore(), clock=clock, rules=rules, connection=connection)
    engine.dispose()


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
        street.clock.set(UnixSeconds(BEGIN_S + EXIT_WAIT_S - 86_401))
        assert purse(street)[ANNA] == CAP
        street.clock.set(UnixSeconds(BEGIN_S + EXIT_WAIT_S - 86_400))
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

    def settle(self, service, number, hour):
        names = "kind traded_wh stations_wh sun_to_cars_wh home_to_home_wh surplus_wh deficit_wh"
        noted = dict.fromkeys([*names.split(), "estimated", "at_s"], 0)
        service.connection.execute(
            run.insert().values(run=number, interval=hour, root=b"", inputs="{}", **noted)
        )

    def due(self, service):
        return due_intervals(service, service.connection)

    def through(self, service, hour):
        return settled_through(service, service.connection, hour)

    def test_begins_with_the_first_reading(self, service):
        assert self.due(service) == ()
        self.first_reading(service, 998)
        assert self.due(service) == (998, 999, 1_000)

    def test_goes_on_after_the_newest_run(self, service):
        self.first_reading(service, 990)
        self.settle(service, 1, 998)
        assert self.due(service) == (999, 1_000)

    def test_leaves_out_what_has_no_price(self, service):
        self.first_reading(service, 998)
        del service.rules.residual_sells[999]
        assert self.due(service) == (998, 1_000)

    def test_promises_all_up_to_the_interval_if_none_is_due_before(self, service):
        self.first_reading(service, 998)
        assert self.through(service, 998) == 998
        self.settle(service, 1, 998)
        assert self.through(service, 999) == 999

    def test_promises_no_more_than_what_lies_before_one_that_waits(self, service):
        self.first_reading(service, 998)
        assert self.through(service, 1_000) == 997
        self.settle(service, 1, 998)
        assert self.through(service, 1_000) == 998

    def test_never_promises_less_than_before(self, service):
        self.first_reading(service, 998)
        self.settle(service, 1, 999)
        assert self.through(service, 998) == 999
