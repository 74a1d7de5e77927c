"""What a settlement says of each account: its leaf, its lines, and what it left to the supplier."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.units import cost_floor
from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions, Kind, Rail
from settlement.trading.orders.applying import Limits
from settlement.trading.settle import IntervalInputs, Member, settle
from settlement.trading.tree import (
    EMPTY,
    ESTIMATED,
    check_proof,
    merkle_proof,
    merkle_root,
    readings_hash,
    salt_of,
    trade_leaf,
)
from settlement.trading.zones import ZoneTree

GRID, STATE = "0x" + "f1" * 20, "0x" + "f2" * 20
TOLL = 30_000
FEES = Fees(levy=5_000, vat_bp=2_000)
KEY = b"k" * 32


def name(n):
    return f"0x{n:040x}"


def member(n, **changes):
    whole = Member(
        account=name(n),
        import_wh=0,
        export_wh=0,
        limits=Limits(90_000, 180_000),
        spendable_micros=10**9,
        order_hash=bytes([n]) * 32,
        digests=(bytes([n]) * 32, bytes([n + 100]) * 32),
        estimated=False,
        zone="feeder",
    )
    return dataclasses.replace(whole, **changes)


def settled(*members, fees=FEES, **changes):
    whole = IntervalInputs(
        run=7,
        interval=1_730_112,
        members=members,
        fees=fees,
        institutions=Institutions(GRID, STATE, "supplier"),
        residual=(60_000, 300_000),
        salt_key=KEY,
        tree=ZoneTree.single(local_toll=TOLL),
        mechanism=Auction(),
    )
    return settle(dataclasses.replace(whole, **changes))


def leaf_of(outcome, account):
    (found,) = [one for one in outcome.leaves if one.account == account]
    return found


def residual_of(outcome):
    return [
        (one.payer, one.payee, one.energy_wh, one.amount_micros)
        for one in outcome.lines
        if one.kind is Kind.RESIDUAL
    ]


markets = st.lists(
    st.builds(
        dict,
        import_wh=st.integers(0, 5_000),
        export_wh=st.integers(0, 5_000),
        limits=st.builds(Limits, st.integers(0, 200_000), st.integers(0, 400_000)),
        spendable_micros=st.integers(0, 10**6),
        estimated=st.booleans(),
    ),
    min_size=1,
    max_size=7,
).map(lambda given_rows: [member(n + 1, **row) for n, row in enumerate(given_rows)])


class TestResidual:
    def test_takes_everything_if_limits_do_not_cross(self):
        outcome = settled(
            member(1, export_wh=3_000, limits=Limits(150_000, 180_000)), member(2, import_wh=2_000)
        )
        assert (outcome.price, outcome.trades, outcome.deltas) == (None, (), ())
        assert residual_of(outcome) == [
            ("supplier", name(1), 3_000, 180_000),
            (name(2), "supplier", 2_000, 600_000),
        ]

    def test_fees_can_be_all_that_keeps_limits_apart(self):
        members = (
            member(1, export_wh=1_000),
            member(2, import_wh=1_000, limits=Limits(90_000, 124_999)),
        )
        assert settled(*members).traded_wh == 0
        assert settled(*members, fees=Fees(4_999, 2_000)).traded_wh == 1_000

    def test_is_not_limited_by_funds(self):
        outcome = settled(member(2, import_wh=2_000, spendable_micros=0))
        assert residual_of(outcome) == [(name(2), "supplier", 2_000, 600_000)]

    def test_is_only_what_neighbours_left(self):
        outcome = settled(member(1, export_wh=3_000), member(2, import_wh=2_000))
        assert residual_of(outcome) == [("supplier", name(1), 1_000, 60_000)]


class TestMember:
    def test_uses_its_own_export_first(self):
        outcome = settled(member(1, import_wh=800, export_wh=1_000), member(2, import_wh=500))
        assert (outcome.surplus_wh, outcome.deficit_wh, outcome.traded_wh) == (200, 500, 200)

    def test_that_comes_out_even_takes_no_part(self):
        outcome = settled(member(1, import_wh=900, export_wh=900), member(2, import_wh=500))
        assert outcome.traded_wh == 0
        assert all(name(1) not in {one.payer, one.payee} for one in outcome.lines)
        assert leaf_of(outcome, name(1)).wh_out == 0

    def test_never_trades_with_itself(self):
        outcome = settled(member(1, import_wh=500, export_wh=900, limits=Limits(0, 180_000)))
        assert outcome.trades == ()

    def test_at_its_last_micro_still_trades(self):
        """216 micros buy a Wh at a limit of 180,000 with 20 % VAT."""
        members = member(1, export_wh=9_000), member(2, import_wh=9_000, spendable_micros=216_000)
        outcome = settled(*members)
        assert outcome.traded_wh == 1_000
        assert -dict(outcome.deltas)[name(2)] <= 216_000


class TestLeaf:
    def test_says_everything_of_a_buyer_and_of_a_seller(self):
        outcome = settled(member(1, export_wh=3_000), member(2, import_wh=2_000))
        moved = dict(outcome.deltas)
        seller, buyer = leaf_of(outcome, name(1)), leaf_of(outcome, name(2))
        assert (seller.wh_in, seller.wh_out, seller.net_micros) == (0, 2_000, moved[name(1)])
        assert (buyer.wh_in, buyer.wh_out, buyer.net_micros) == (2_000, 0, moved[name(2)])
        assert buyer.order_hash == bytes([2]) * 32
        assert buyer.readings_hash == readings_hash(member(2).digests, estimated=False)
        assert buyer.salt == salt_of(KEY, 7, name(2))
        assert (buyer.run, buyer.interval) == (7, 1_730_112)

    def test_of_a_seller_commits_to_each_sale_by_buyer(self):
        bought = ((2, 800), (3, 400), (5, 700))
        buyers = [member(n, import_wh=wh) for n, wh in reversed(bought)]
        outcome = settled(member(9, export_wh=1_900, limits=Limits(100_000, 180_000)), *buyers)
        price = outcome.price
        expected = [
            trade_leaf(
                name(9),
                name(n),
                wh,
                price,
                cost_floor(wh, price),
                salt_of(KEY, 7, name(9), name(n)),
            )
            for n, wh in bought
        ]
        assert leaf_of(outcome, name(9)).trades_root == merkle_root(expected) != EMPTY
        assert leaf_of(outcome, name(2)).trades_root == EMPTY

    def test_of_an_estimated_member_names_no_readings(self):
        known = settled(member(1, export_wh=500))
        estimated = settled(member(1, export_wh=500, estimated=True))
        assert leaf_of(estimated, name(1)).readings_hash == ESTIMATED
        assert estimated.root != known.root
        assert estimated.lines == known.lines

    def test_of_an_institution_has_neither_order_nor_readings(self):
        outcome = settled(member(1, export_wh=1_000), member(2, import_wh=1_000))
        for account in (GRID, STATE):
            leaf = leaf_of(outcome, account)
            assert (leaf.order_hash, leaf.readings_hash, leaf.trades_root) == (EMPTY,) * 3
            assert leaf.net_micros == dict(outcome.deltas)[account] > 0

    def test_is_there_for_every_member_even_if_nobody_trades(self):
        outcome = settled(member(2), member(1))
        assert [one.account for one in outcome.leaves] == [name(1), name(2)]
        assert all(one.trades_root == EMPTY for one in outcome.leaves)

    @pytest.mark.parametrize(
        "change", [{"run": 8}, {"interval": 1_730_113}, {"salt_key": b"l" * 32}]
    )
    def test_changes_the_root_with_run_interval_and_key(self, change):
        members = member(1, export_wh=1_000), member(2, import_wh=1_000)
        assert settled(*members, **change).root != settled(*members).root
        assert settled(*members, **change).lines == settled(*members).lines

    @pytest.mark.parametrize(
        "change",
        [{"order_hash": b"\xff" * 32}, {"digests": ()}, {"digests": (b"\xff" * 32,)}],
        ids=lambda change: next(iter(change)),
    )
    def test_commits_to_what_was_signed(self, change):
        assert settled(member(1, **change)).root != settled(member(1)).root


class TestSettlement:
    @given(markets)
    @settings(max_examples=120, deadline=None)
    def test_leaves_are_what_the_chain_moves_and_what_was_traded(self, members):
        outcome = settled(*members)
        accounts = [one.account for one in outcome.leaves]
        assert accounts == sorted(set(accounts))
        assert {one.account for one in members} <= set(accounts)
        moved = {one.account: one.net_micros for one in outcome.leaves if one.net_micros}
        assert moved == dict(outcome.deltas)
        assert sum(one.wh_in for one in outcome.leaves) == outcome.traded_wh
        assert sum(one.wh_out for one in outcome.leaves) == outcome.traded_wh
        for one in outcome.leaves:
            sales = [t.energy_wh for t in outcome.trades if t.seller == one.account]
            assert one.wh_out == sum(sales)
            assert (one.trades_root == EMPTY) == (not sales)

    @given(markets)
    @settings(max_examples=60, deadline=None)
    def test_every_account_proves_its_leaf(self, members):
        outcome = settled(*members)
        hashes = [one.hash() for one in outcome.leaves]
        for index, leaf in enumerate(hashes):
            check_proof(outcome.root, leaf, merkle_proof(hashes, index))

    @given(markets)
    @settings(max_examples=120, deadline=None)
    def test_the_supplier_is_on_the_invoice_rail_and_nobody_else(self, members):
        outcome = settled(*members)
        for one in outcome.lines:
            assert (one.rail is Rail.INVOICE) == ("supplier" in {one.payer, one.payee})
            assert (one.rail is Rail.INVOICE) == (one.kind is Kind.RESIDUAL)
        assert "supplier" not in dict(outcome.deltas)

    @given(markets)
    @settings(max_examples=120, deadline=None)
    def test_the_buyer_pays_the_grid_and_the_seller_receives_the_whole_price(self, members):
        """A toll borne by both sides, or taken out of the seller's price, is a known fault."""
        outcome = settled(*members)
        moved = dict(outcome.deltas)
        for one in members:
            sales = [t.energy_wh for t in outcome.trades if t.seller == one.account]
            if sales:
                assert moved.get(one.account, 0) == sum(cost_floor(e, outcome.price) for e in sales)
        tolls = [
            sum(t.energy_wh for t in outcome.trades if t.buyer == one.account) * TOLL // 1_000
            for one in members
        ]
        assert moved.get(GRID, 0) == sum(tolls)

    def test_at_a_negative_price_the_seller_pays_its_neighbour(self):
        outcome = settled(
            member(1, export_wh=1_000, limits=Limits(-50_000, 180_000)),
            member(2, import_wh=1_000, limits=Limits(90_000, 0)),
        )
        assert outcome.price == (-50_000 - 35_000) // 2
        moved = dict(outcome.deltas)
        assert moved[name(1)] == -42_500
        assert moved[name(2)] == 42_500 - 35_000
        assert (moved[GRID], moved[STATE]) == (30_000, 5_000)
