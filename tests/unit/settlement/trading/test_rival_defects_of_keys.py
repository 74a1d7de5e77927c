"""What sharing keys and fees were found to do wrong elsewhere, each as a test that ours passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Kind
from settlement.trading.mechanisms.keys import DynamicKey, HybridKey, MatrixKey, StaticKey
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.orders.applying import Limits
from settlement.trading.outcome import Book, Order
from settlement.trading.settle import settle
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.test_settle import INSTITUTIONS, inputs, member
from tests.unit.settlement.trading.books import PRICE, markets, tolls

STREET = ZoneTree.single("feeder")
PRICE_MICROS = 130_000
HALVES = StaticKey({"b1": 5_000, "b2": 5_000})
MECHANISMS = (
    Auction(),
    PayAsBid(),
    Sharing(PRICE, DynamicKey()),
    Sharing(PRICE, HybridKey({"ba": 2_500}), Auction()),
    Sharing(PRICE, MatrixKey({"sa": {"bb": 10_000}}), PayAsBid()),
)


def bought(outcome):
    sums = {}
    for trade in outcome.trades:
        sums[trade.buyer] = sums.get(trade.buyer, 0) + trade.energy_wh
    return sums


class TestDefect3TheBuyersGridFeeWentToTheSeller:
    """Of the 2.22 that a buyer paid, 0.72 was called a grid fee; the seller had all of it."""

    FEES = Fees(levy=20_000, vat_bp=0)

    def settled(self):
        seller, buyer = member(1, exported=10_000), member(2, imported=10_000, buy=300_000)
        known = inputs(seller, buyer, fees=self.FEES, toll=72_000)
        return settle(replace(known, mechanism=Sharing(PRICE_MICROS, DynamicKey())))

    def test_here_each_fee_reaches_whom_it_is_for(self):
        net = dict(self.settled().deltas)
        assert net == {
            f"0x{1:040x}": 1_300_000,
            f"0x{2:040x}": -2_220_000,
            INSTITUTIONS.grid: 720_000,
            INSTITUTIONS.state: 200_000,
        }

    def test_here_energy_of_neighbors_pays_its_levy(self):
        levies = [one for one in self.settled().lines if one.kind is Kind.LEVY]
        assert [(one.energy_wh, one.amount_micros) for one in levies] == [(10_000, 200_000)]


class TestFeesWereAddedSeveralTimes:
    """Grid fees of several matches of one buyer were counted for each match."""

    @pytest.mark.parametrize(
        "mechanism", [Auction(), PayAsBid(), Sharing(PRICE_MICROS, DynamicKey())]
    )
    def test_here_every_kwh_pays_its_path_once(self, mechanism):
        tree = ZoneTree.of(
            (Zone("street", local_toll=10_000), Zone("yard", "street", edge_toll=5_000))
        )
        members = (
            replace(member(1, exported=1_000), zone="street"),
            replace(member(2, exported=2_000), zone="street"),
            replace(member(3, exported=4_000), zone="yard"),
            replace(member(4, imported=7_000), zone="street"),
        )
        known = replace(inputs(*members), tree=tree, mechanism=mechanism)
        lines = settle(known).lines
        (toll,) = [one for one in lines if one.kind is Kind.TOLL]
        assert (toll.energy_wh, toll.amount_micros) == (7_000, 90_000)


class TestDefect4AStaticKeyLeftSurplusToTheGrid:
    """Half and half of 10 kWh for needs of 1 and 20: 4 kWh left while a neighbor lacked 15."""

    def test_here_the_rest_goes_to_the_neighbor_who_lacks_it(self):
        book = Book(
            (Order("s", 10_000, 0, "feeder"),),
            (Order("b1", 1_000, 9, "feeder"), Order("b2", 20_000, 9, "feeder")),
        )
        outcome = Sharing(PRICE, HALVES).clear(book, STREET)
        assert bought(outcome) == {"b1": 1_000, "b2": 9_000}

    def test_here_nothing_is_left_to_the_supplier(self):
        members = (
            member(1, exported=10_000),
            member(2, imported=1_000),
            member(3, imported=20_000),
        )
        halves = StaticKey({members[1].account: 5_000, members[2].account: 5_000})
        known = replace(inputs(*members), mechanism=Sharing(PRICE_MICROS, halves))
        residual = [one for one in settle(known).lines if one.kind is Kind.RESIDUAL]
        assert [(one.payer, one.energy_wh) for one in residual] == [(members[2].account, 11_000)]


class TestDefect5ADynamicKeyWasThatOfTheIntervalBefore:
    """The key came from the needs of an interval and was used in the next one."""

    def test_here_it_is_that_of_the_interval_itself(self):
        key = Sharing(PRICE, DynamicKey())
        offers = (Order("s", 9, 0, "feeder"),)
        needs = ((30, 60), (60, 30), (90, 0))
        shares = []
        for first, second in needs:
            bids = [Order("b1", first, 9, "feeder"), Order("b2", second, 9, "feeder")]
            book = Book(offers, tuple(bid for bid in bids if bid.energy_wh))
            shares.append(bought(key.clear(book, STREET)))
        assert shares == [{"b1": 3, "b2": 6}, {"b1": 6, "b2": 3}, {"b1": 9}]


class TestDefect9TheSellerSetWhatTheBuyerPaid:
    """A seller named rate and quantity, and the buyer's coins were taken without its consent."""

    @given(markets(), st.sampled_from(MECHANISMS))
    def test_here_nobody_trades_without_an_order_that_covers_it(self, market, mechanism):
        tree, book = market
        for trade in mechanism.clear(book, tree).trades:
            beside = tolls(tree, trade.seller_zone, trade.buyer_zone) + trade.congestion
            assert any(
                (order.member, order.zone) == (trade.buyer, trade.buyer_zone)
                and order.limit >= trade.price + beside
                for order in book.bids
            )

    @given(markets(), st.sampled_from(MECHANISMS))
    def test_here_nobody_buys_more_than_it_asked_for(self, market, mechanism):
        tree, book = market
        for buyer, energy in bought(mechanism.clear(book, tree)).items():
            assert energy <= sum(one.energy_wh for one in book.bids if one.member == buyer)

    @pytest.mark.parametrize("mechanism", [PayAsBid(), Sharing(PRICE, DynamicKey())])
    def test_here_who_did_not_bid_is_not_debited(self, mechanism):
        book = Book((Order("s", 5, -9, "feeder"),), ())
        assert mechanism.clear(book, STREET).trades == ()


class TestDefect10TheMatchPriceWasNotCheckedAgainstTheLimits:
    """A match was valid if bid and offer met, whatever its own price was."""

    @given(markets(), st.sampled_from(MECHANISMS))
    def test_here_each_price_is_no_less_than_an_offer_and_no_more_than_a_bid(
        self, market, mechanism
    ):
        tree, book = market
        for trade in mechanism.clear(book, tree).trades:
            assert trade.price >= min(
                order.limit
                for order in book.offers
                if (order.member, order.zone) == (trade.seller, trade.seller_zone)
            )
            beside = tolls(tree, trade.seller_zone, trade.buyer_zone) + trade.congestion
            assert trade.price + beside <= max(
                order.limit
                for order in book.bids
                if (order.member, order.zone) == (trade.buyer, trade.buyer_zone)
            )


class TestDefect11AccountsAgreedUpToATolerance:
    """Energy and money were fractions that agreed to five digits."""

    def test_here_thirds_are_whole_and_sum_to_the_last_watt_hour(self):
        bids = tuple(Order(name, 100, 9, "feeder") for name in ("b1", "b2", "b3"))
        outcome = Sharing(PRICE, DynamicKey()).clear(
            Book((Order("s", 100, 0, "feeder"),), bids), STREET
        )
        assert bought(outcome) == {"b1": 34, "b2": 33, "b3": 33}

    @given(
        st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=2, max_size=6),
        st.integers(-99_999, 99_999),
    )
    def test_here_money_sums_to_zero_and_energy_to_the_meters(self, rows, price):
        members = [
            replace(member(place + 1, *row), limits=Limits(-100_000, 300_000))
            for place, row in enumerate(rows)
        ]
        settled = settle(
            replace(inputs(*members), mechanism=Sharing(price, DynamicKey(), PayAsBid()))
        )
        assert sum(amount for _, amount in settled.deltas) == 0
        residual = sum(one.energy_wh for one in settled.lines if one.kind is Kind.RESIDUAL)
        net = sum(abs(imported - exported) for imported, exported in rows)
        assert net == 2 * settled.traded_wh + residual
