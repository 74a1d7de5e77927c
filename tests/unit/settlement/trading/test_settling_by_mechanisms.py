"""Whatever the mechanism, an interval sums to zero within everybody's limits, cap and funds."""

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
from settlement.trading.orders.standing import Side, StandingOrder
from settlement.trading.settle import settle
from tests.unit.settlement.test_settle import INSTITUTIONS, inputs, member
from tests.unit.settlement.trading.books import trees

FEES = Fees(levy=5_001, vat_bp=1_234, platform=777)


@st.composite
def mechanisms(draw, accounts):
    """Any mechanism, at any price that members may accept or refuse."""
    price = draw(st.integers(-60_000, 200_000))
    one, other = draw(st.sampled_from(accounts)), draw(st.sampled_from(accounts))
    return draw(
        st.sampled_from(
            (
                PayAsBid(),
                Sharing(price, StaticKey({one: 7_000})),
                Sharing(price, DynamicKey()),
                Sharing(price, HybridKey({one: 3_333}), Auction()),
                Sharing(price, MatrixKey({one: {other: 10_000}}), PayAsBid()),
            )
        )
    )


@st.composite
def standing(draw, key):
    return StandingOrder(
        key=f"{key:064x}",
        side=draw(st.sampled_from(Side)),
        firm=draw(st.booleans()),
        energy_wh=draw(st.integers(1, 2_000)),
        limit=draw(st.integers(-60_000, 300_000)),
    )


@st.composite
def intervals(draw):
    tree = draw(trees())
    tree = type(tree).of(
        replace(zone, local_toll=zone.local_toll * 9_999, edge_toll=zone.edge_toll * 9_999)
        for zone in tree.zones
    )
    members = [
        replace(
            member(
                place,
                imported=draw(st.integers(0, 3_000)),
                exported=draw(st.integers(0, 3_000)),
                spendable=draw(st.integers(0, 400_000)),
            ),
            limits=Limits(draw(st.integers(-60_000, 200_000)), draw(st.integers(-60_000, 300_000))),
            zone=draw(st.sampled_from(tree.zones)).name,
            orders=tuple(draw(standing(9 * place + n)) for n in range(draw(st.integers(0, 2)))),
        )
        for place in range(1, draw(st.integers(2, 6)))
    ]
    mechanism = draw(mechanisms([one.account for one in members]))
    institutions = replace(INSTITUTIONS, platform="0x" + "f3" * 20)
    known = inputs(*members, fees=FEES)
    return replace(known, tree=tree, mechanism=mechanism, institutions=institutions)


class TestEveryMechanism:
    @given(intervals())
    def test_moves_money_that_sums_to_zero_and_energy_that_was_metered(self, known):
        settled = settle(known)
        assert sum(amount for _, amount in settled.deltas) == 0
        for one in known.members:
            assert one.net.surplus_wh - one.net.deficit_wh == sum(
                (line.energy_wh if self.gives(one.account, line) else -line.energy_wh)
                for line in settled.lines
                if line.kind in (Kind.ENERGY, Kind.RESIDUAL, Kind.IMBALANCE)
                and one.account in (line.payer, line.payee)
            )

    def gives(self, account, line):
        return (line.payee == account) != (line.price < 0 < line.amount_micros)

    @given(intervals())
    def test_debits_nobody_beyond_what_it_can_spend(self, known):
        spendable = {one.account: one.spendable_micros for one in known.members}
        for account, amount in settle(known).deltas:
            assert -amount <= spendable.get(account, 0)

    @given(intervals())
    def test_keeps_every_trade_within_both_sides_limits(self, known):
        for trade in settle(known).trades:
            sellers, buyers = (
                self.limits(known, account, side)
                for account, side in ((trade.seller, Side.SELL), (trade.buyer, Side.BUY))
            )
            assert trade.price >= min(sellers)
            beside = trade.toll + trade.congestion + FEES.levy + FEES.platform
            assert trade.price + beside <= max(buyers)

    def limits(self, known, account, side):
        one = next(one for one in known.members if one.account == account)
        mandate = one.limits.sell_not_below if side is Side.SELL else one.limits.buy_not_above
        return [mandate, *(order.limit for order in one.orders if order.side is side)]

    @given(intervals(), st.randoms(use_true_random=False))
    def test_comes_to_the_same_root_in_any_order(self, known, random):
        members = list(known.members)
        random.shuffle(members)
        assert settle(replace(known, members=tuple(members))).root == settle(known).root


class TestTheTradesOfThisTest:
    @pytest.mark.parametrize("place", range(5))
    def test_come_from_every_mechanism(self, place):
        members = (member(1, exported=900), member(2, imported=900), member(3, imported=900))
        names = [one.account for one in members]
        mechanism = (
            PayAsBid(),
            Sharing(100_000, StaticKey({names[1]: 7_000})),
            Sharing(100_000, DynamicKey()),
            Sharing(100_000, HybridKey({names[1]: 3_333}), Auction()),
            Sharing(100_000, MatrixKey({names[0]: {names[2]: 10_000}}), PayAsBid()),
        )[place]
        assert settle(replace(inputs(*members), mechanism=mechanism)).traded_wh == 900
