"""An interval settles to lines that sum to zero, within everybody's limits, in any order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions, Kind, Rail
from settlement.trading.orders.applying import Limits
from settlement.trading.settle import IntervalInputs, Member, settle
from settlement.trading.tree import EMPTY, check_proof, merkle_proof, merkle_root
from settlement.trading.zones import ZoneTree

INSTITUTIONS = Institutions("0x" + "f1" * 20, "0x" + "f2" * 20, "supplier")
TOLL = 30_000
FEES = Fees(levy=5_000, vat_bp=2_000)


def member(n, imported=0, exported=0, sell=90_000, buy=180_000, spendable=10**9):
    return Member(
        account=f"0x{n:040x}",
        import_wh=imported,
        export_wh=exported,
        limits=Limits(sell, buy),
        spendable_micros=spendable,
        order_hash=bytes([n]) * 32,
        digests=(bytes([n]) * 32,),
        estimated=False,
        zone="feeder",
    )


def inputs(*members, fees=FEES, toll=TOLL):
    return IntervalInputs(
        run=1,
        interval=415_063,
        members=members,
        fees=fees,
        institutions=INSTITUTIONS,
        residual=(60_000, 300_000),
        salt_key=b"k" * 32,
        tree=ZoneTree.single(local_toll=toll),
        mechanism=Auction(),
    )


@st.composite
def many_small_sellers(draw):
    """Many sellers of next to nothing, a poor buyer, and fees that are no whole number per Wh."""
    limit = draw(st.integers(-60_000, 60_000))
    sellers = [member(n + 1, exported=draw(st.integers(1, 3)), sell=limit) for n in range(20)]
    wanted = sum(one.export_wh for one in sellers)
    toll = draw(st.integers(0, 40_000))
    fees = Fees(draw(st.integers(0, 9_999)), 2_000)
    buyer = member(
        99,
        imported=wanted,
        buy=draw(st.integers(-40_000, 60_000)),
        spendable=draw(st.integers(0, 4_000)),
    )
    return buyer, inputs(*sellers, buyer, fees=fees, toll=toll)


members_of = st.lists(
    st.tuples(
        st.integers(0, 5_000),
        st.integers(0, 5_000),
        st.integers(-200_000, 200_000),
        st.integers(-200_000, 400_000),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=9,
).map(lambda rows: [member(n + 1, *row) for n, row in enumerate(rows)])


class TestSettle:
    def test_surplus_finds_the_neighbour_who_lacks_it(self):
        outcome = settle(inputs(member(1, exported=3_000), member(2, imported=2_000)))
        assert outcome.traded_wh == 2_000
        assert outcome.price == (90_000 + 90_000) // 2
        assert {(one.kind, one.amount_micros) for one in outcome.lines} == {
            (Kind.ENERGY, 180_000),
            (Kind.TOLL, 60_000),
            (Kind.LEVY, 10_000),
            (Kind.VAT, 50_000),
            (Kind.RESIDUAL, 60_000),
        }

    def test_the_toll_goes_to_the_grid_operator_and_not_to_the_seller(self):
        outcome = settle(inputs(member(1, exported=1_000), member(2, imported=1_000)))
        moved = dict(outcome.deltas)
        assert moved[INSTITUTIONS.grid] == 30_000
        price = outcome.price
        assert moved[member(1).account] == price

    @settings(max_examples=300, deadline=None)
    @given(many_small_sellers())
    def test_no_rounding_takes_more_than_a_buyer_has(self, found):
        buyer, given_inputs = found
        assert dict(settle(given_inputs).deltas).get(buyer.account, 0) >= -buyer.spendable_micros

    def test_twenty_roundings_do_not_overdraw_a_buyer_without_funds(self):
        sellers = [member(n + 1, exported=1, sell=-35_500) for n in range(20)]
        buyer = member(99, imported=20, buy=0, spendable=0)
        assert dict(settle(inputs(*sellers, buyer, toll=30_500)).deltas).get(buyer.account, 0) >= 0

    def test_a_poor_member_buys_what_it_can_pay_and_stops_nobody(self):
        outcome = settle(
            inputs(
                member(1, exported=9_000),
                member(2, imported=4_000, spendable=0),
                member(3, imported=4_000),
            )
        )
        assert {trade.buyer for trade in outcome.trades} == {member(3).account}
        assert outcome.traded_wh == 4_000

    def test_nothing_measured_gives_no_lines_and_a_root_all_the_same(self):
        outcome = settle(inputs(member(1), member(2)))
        assert (outcome.price, outcome.lines, outcome.deltas) == (None, (), ())
        assert outcome.root not in {EMPTY, b""}

    @given(members_of)
    @settings(max_examples=300, deadline=None)
    def test_lines_sum_to_zero_and_energy_is_counted_once(self, members):
        outcome = settle(inputs(*members))
        assert sum(amount for _, amount in outcome.deltas) == 0
        for one in members:
            net = one.export_wh - one.import_wh
            sold = sum(t.energy_wh for t in outcome.trades if t.seller == one.account)
            bought = sum(t.energy_wh for t in outcome.trades if t.buyer == one.account)
            residual = sum(
                line.energy_wh
                for line in outcome.lines
                if line.kind is Kind.RESIDUAL and one.account in {line.payer, line.payee}
            )
            assert sold + bought + residual == abs(net)
            assert not (sold and net < 0)
            assert not (bought and net > 0)

    @given(members_of)
    @settings(max_examples=300, deadline=None)
    def test_nobody_is_hurt_beyond_their_limits(self, members):
        outcome = settle(inputs(*members))
        known = {one.account: one for one in members}
        for trade in outcome.trades:
            assert outcome.price >= known[trade.seller].limits.sell_not_below
            assert outcome.price + TOLL + FEES.levy <= known[trade.buyer].limits.buy_not_above
        for account, moved in outcome.deltas:
            if account in known:
                assert -moved <= known[account].spendable_micros

    @given(members_of, st.randoms(use_true_random=False))
    @settings(max_examples=100, deadline=None)
    def test_the_order_of_inputs_does_not_matter(self, members, random):
        shuffled = list(members)
        random.shuffle(shuffled)
        assert settle(inputs(*members)) == settle(inputs(*shuffled))

    def test_every_line_says_who_whom_what_and_on_which_rail(self):
        outcome = settle(inputs(member(1, exported=3_000), member(2, imported=4_000)))
        for one in outcome.lines:
            assert one.payer != one.payee
            assert one.energy_wh > 0
            assert one.rail is (Rail.INVOICE if one.kind is Kind.RESIDUAL else Rail.CHAIN)


class TestTree:
    @given(st.integers(1, 40))
    @settings(deadline=None)
    def test_every_leaf_proves(self, size):
        leaves = [bytes([n]) * 32 for n in range(size)]
        root = merkle_root(leaves)
        for index, leaf in enumerate(leaves):
            check_proof(root, leaf, merkle_proof(leaves, index))
