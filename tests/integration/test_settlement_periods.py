"""Where the chain settles an hour or a day at once, runs wait for its end, and count together."""

import pytest
from sqlalchemy import select

from ledger import accounts
from ledger.units import UnixSeconds
from settlement.chain.deployment import SettlementChangedError
from settlement.chain.reconciliation import token_held
from settlement.engine.origin.proving import proof_of
from settlement.engine.view.tracing import trace
from settlement.metering.periods import SettlementPeriod
from settlement.tables import chain_run, intent, lot, run, run_state
from settlement.trading.tree import Leaf, merkle_root
from tests.integration.late_street import AFTER_S, HOUR_S, late_street

SUN, SHADE, LATE = "home-01", "home-02", "home-03"
CAP = 300_000
QUARTER_S, DAY_S = 900, 86_400


class Periods:
    """A street of whose intervals the chain settles several at once."""

    def __init__(self, street):
        self.street = street
        self.length_s = street.service.rules.settlement_s

    def to_the_end(self, *, busy=2):
        """Let a period go on to its end, after so many intervals of trade; return its number."""
        period = self.now()
        while self.now() == period:
            self.turn(busy=busy > 0)
            busy -= 1
        return period

    def turn(self, *, busy=True, silent=()):
        """Let an interval pass, with trade or without, and some meters silent."""
        moved = {"home_01": -2_000, "home_02": 1_000, "home_03": 1_000} if busy else {}
        self.street.turn(**moved)
        self.street.say_all(*silent)
        if silent:
            self.street.grace()
        else:
            self.street.wait()

    def now(self):
        return self.street.clock.now_s() // self.length_s

    def taken(self, period):
        """Return what the chain was told of a period, oldest first."""
        found = select(chain_run).where(chain_run.c.period == period)
        return self.street.read(found.order_by(chain_run.c.number))

    def states(self, period):
        each = select(run_state.c.state).join(run, run.c.run == run_state.c.run)
        among = self.street.service.rules.intervals_of(period)
        within = run.c.interval.between(among.start, among.stop - 1)
        return [row["state"] for row in self.street.read(each.where(within).order_by(run.c.run))]

    def planned(self):
        """Return how many transactions were to settle something."""
        found = select(intent.c.id).where(intent.c.business_key.startswith("settle/"))
        return len(self.street.read(found))

    def held(self, name):
        """Return what the ledger has of a member: posted, and on its way."""
        with self.street.service.reading() as connection:
            account = accounts.trade_balance(self.street.wallet(name))
            found = self.street.service.book.balance(connection, account)
            return found.posted, found.pending_debits

    def asks(self, function, *arguments):
        """Ask the TradeLedger."""
        trade, gateway = self.street.service.contracts.trade, self.street.service.gateway
        data = trade.encode(function, *arguments)
        return trade.decode_result(function, gateway.call(trade.address, data, trade.address))[0]

    def spent(self, name, taken):
        """Return what a member pays on the chain in a chain run, less what it receives."""
        moved = 0
        for number in range(taken["first_run"], taken["last_run"] + 1):
            for owed in self.street.lines(number):
                if owed["rail"] == "chain":
                    moved += owed["amount_micros"] * (owed["payer"] == self.street.wallet(name))
                    moved -= owed["amount_micros"] * (owed["payee"] == self.street.wallet(name))
        return moved

    def proof(self, number):
        """Return the proof of a certificate of a run."""
        leaf = self.street.read(select(lot).where(lot.c.run == number))[0]["leaf"]
        with self.street.service.reading() as connection:
            return proof_of(self.street.service, connection, leaf)


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """Hours of four quarters, each hour settled at once."""
    directory = tmp_path_factory.mktemp("hours")
    chosen = {"interval_s": QUARTER_S, "grace_s": 300, "settlement": SettlementPeriod.HOUR}
    with late_street(directory, **chosen) as street:
        found = Periods(street)
        found.to_the_end()
        yield found
        found.to_the_end()
        assert street.broken() == {}


def test_a_day_of_hours_is_settled_by_one_transaction(tmp_path_factory):
    directory = tmp_path_factory.mktemp("days")
    with late_street(directory, settlement=SettlementPeriod.DAY) as street:
        days = Periods(street)
        today = days.to_the_end()
        [first] = days.taken(today)
        before = days.planned()
        today = days.to_the_end(busy=3)
        assert days.planned() - before == 1
        [one] = days.taken(today)
        assert one["last_run"] - first["last_run"] == DAY_S // 3_600
        assert days.asks("INTERVAL_LENGTH") == DAY_S
        assert days.asks("isSettled", today) is True
        assert set(days.states(today)) == {"final"}
        assert days.spent(SHADE, one) > 0
        assert street.broken() == {}


def test_runs_wait_for_the_end_of_their_period(hours):
    before, _ = hours.held(SHADE)
    hours.turn()
    now = hours.now()
    assert hours.states(now) == ["settling"]
    assert hours.taken(now) == []
    posted, pending = hours.held(SHADE)
    assert (posted, pending > 0) == (before, True)
    hours.to_the_end()
    assert hours.states(now) == ["final"] * 4
    posted, pending = hours.held(SHADE)
    assert (posted < before, pending) == (True, 0)


def test_the_contract_holds_one_root_over_those_of_a_period(hours):
    before = hours.planned()
    now = hours.to_the_end()
    assert hours.planned() - before == 1
    [one] = hours.taken(now)
    within = run.c.run.between(one["first_run"], one["last_run"])
    found = hours.street.read(select(run).where(within).order_by(run.c.run))
    assert len(found) == HOUR_S // QUARTER_S
    assert one["root"] == merkle_root([row["root"] for row in found])
    assert hours.asks("rootOf", one["number"]) == "0x" + one["root"].hex()
    assert hours.asks("settledThrough") == now


def test_the_trace_of_each_run_shows_the_transaction_that_took_it(hours):
    [one] = hours.taken(hours.to_the_end())
    shown = set()
    for number in (one["first_run"], one["last_run"]):
        [row] = hours.street.read(select(run).where(run.c.run == number))
        service = hours.street.service
        trace_id = f"{service.rules.community_id}/{row['interval']}/{number}"
        with service.reading() as connection:
            steps = trace(connection, service.book, trace_id)["steps"]
        [sent] = [step for step in steps if step["step"] == "transaction"]
        assert sent["title"] == "TradeLedger.settle"
        shown.add(sent["detail"]["hash"])
    assert len(shown) == 1


def test_a_certificate_is_proven_by_the_contract_itself(hours):
    now = hours.to_the_end()
    [one] = hours.taken(now)
    proof = hours.proof(one["first_run"])
    leaf = _leaf(proof["seller_leaf"])
    assert (proof["run"], leaf.run) == (one["number"], one["first_run"])
    siblings = [bytes.fromhex(each[2:]) for each in proof["seller_proof"]]
    assert hours.asks("verifyLeaf", one["number"], leaf.hash(), siblings) is True
    assert hours.asks("verifyLeaf", one["number"], leaf.hash(), siblings[:-1]) is False


def test_a_certificate_of_a_period_that_is_not_over_names_no_run_of_the_contract(hours):
    hours.turn()
    [newest] = hours.street.runs(hours.street.hour)
    proof = hours.proof(newest["run"])
    assert (proof["run"], proof["root"]) == (None, "0x" + newest["root"].hex())


def test_late_readings_are_corrected_together_when_no_period_is_being_settled(hours):
    hours.to_the_end()
    late = []
    for _ in range(3):
        hours.turn(silent=(LATE,))
        late.append(hours.street.hour)
    before = hours.to_the_end(busy=0)
    hours.turn(busy=False)
    for hour in late:
        hours.street.say({LATE: hour})
    hours.street.wait(AFTER_S)
    assert [len(hours.street.runs(hour)) for hour in late] == [1, 1, 1]
    hours.to_the_end(busy=0)
    runs = [hours.street.runs(hour) for hour in late]
    assert [len(found) for found in runs] == [2, 2, 2]
    first, second = hours.taken(before)
    assert (first["amends"], second["amends"]) == (None, first["number"])
    # The last quarter of that hour had counted all that the meter had not said.
    runs.append(hours.street.runs(late[-1] + 1))
    corrections = [found[-1]["run"] for found in runs]
    assert corrections == list(range(second["first_run"], second["last_run"] + 1))
    assert set(hours.states(before)) == {"final"}
    assert hours.spent(LATE, second) > 0


def test_a_late_reading_of_the_same_period_waits_for_its_end_too(hours):
    hours.turn(silent=(LATE,))
    now, late = hours.now(), hours.street.hour
    hours.street.say({LATE: late})
    hours.street.wait(AFTER_S)
    assert len(hours.street.runs(late)) == 1
    hours.to_the_end(busy=0)
    first, second = hours.taken(now)
    assert (first["amends"], second["amends"]) == (None, first["number"])


def test_a_cap_bounds_the_whole_period(hours):
    hours.to_the_end()
    hours.street.send(SHADE, "setCap", CAP)
    for _ in range(4):
        hours.to_the_end(busy=0)
    hours.street.send(SUN, "applyCap", hours.street.wallet(SHADE))
    assert hours.asks("capOf", hours.street.wallet(SHADE)) == CAP
    [one] = hours.taken(hours.to_the_end(busy=4))
    spent = [
        hours.spent(SHADE, {"first_run": number, "last_run": number})
        for number in range(one["first_run"], one["last_run"] + 1)
    ]
    assert max(spent) < CAP
    assert CAP * 9 // 10 < sum(spent) <= CAP
    hours.street.send(SHADE, "setCap", 50_000_000)


def test_money_asked_back_pays_for_nothing_that_begins_later(hours):
    hours.to_the_end()
    hours.turn(busy=False)
    wish, _ = hours.held(LATE)
    hours.street.send(LATE, "requestExit", wish)
    hours.turn(busy=False)
    for _ in range(3):
        [later] = hours.taken(hours.to_the_end(busy=4))
        assert hours.spent(LATE, later) == 0
    service, wallet = hours.street.service, hours.street.wallet(LATE)
    before = token_held(service.gateway, service.contracts, wallet)
    hours.street.send(LATE, "exit")
    assert token_held(service.gateway, service.contracts, wallet) - before == wish > 0


def test_what_was_traded_before_the_request_is_paid_with_the_period(hours):
    hours.to_the_end()
    hours.turn()
    held, pending = hours.held(SHADE)
    hours.street.send(SHADE, "requestExit", held)
    assert pending > 0
    [first] = hours.taken(hours.to_the_end(busy=0))
    assert hours.spent(SHADE, first) == pending
    assert hours.held(SHADE) == (held - pending, 0)
    hours.street.send(SHADE, "cancelExit")


def test_a_period_goes_on_after_a_restart_in_its_midst(hours):
    hours.to_the_end()
    hours.turn()
    now = hours.now()
    [waiting] = hours.street.runs(hours.street.hour)
    hours.street.restart()
    hours.to_the_end()
    [one] = hours.taken(now)
    assert one["first_run"] == waiting["run"] < one["last_run"]
    assert set(hours.states(now)) == {"final"}


def test_another_length_over_the_same_books_is_refused(hours):
    street, chosen = hours.street, hours.street.chosen
    street.service.close()
    street.opened = None
    street.chosen = chosen | {"settlement": SettlementPeriod.INTERVAL}
    with pytest.raises(SettlementChangedError):
        street.restart()
    street.chosen = chosen
    street.restart()
    assert hours.asks("INTERVAL_LENGTH") == HOUR_S


def test_a_period_that_ends_without_a_price_is_sent_all_the_same(hours):
    hours.to_the_end()
    hours.turn()
    now = hours.now()
    sells = hours.street.service.rules.residual_sells
    unpriced = hours.street.service.rules.intervals_of(now)[1:]
    prices = {one: sells.pop(one) for one in unpriced}
    hours.to_the_end(busy=0)
    assert hours.states(now) == ["final"]
    [one] = hours.taken(now)
    assert one["first_run"] == one["last_run"]
    sells |= prices


def test_a_service_that_slept_tells_the_chain_of_each_period(hours):
    hours.to_the_end()
    hours.turn()
    now = hours.now()
    hours.street.clock.set(UnixSeconds((now + 2) * HOUR_S + 2 * QUARTER_S))
    hours.turn(busy=False)
    hours.to_the_end(busy=0)
    assert [len(hours.taken(one)) for one in range(now, now + 3)] == [1, 1, 1]
    assert hours.street.broken() == {}


def _leaf(told):
    hashes = ("order_hash", "readings_hash", "trades_root", "salt")
    return Leaf(
        **{name: told[name] for name in ("run", "interval", "account", "wh_in", "wh_out")},
        **{name: bytes.fromhex(told[name][2:]) for name in hashes},
        net_micros=int(told["net_micros"]),
    )
