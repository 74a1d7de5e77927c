"""What a correction posts is what is right now, less what was posted before, line by line."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions, Kind, Line, Rail, deltas
from settlement.trading.orders.applying import Limits
from settlement.trading.runs import Posted, corrected_leaves, differences, payable
from settlement.trading.runs.differences import INVOICED, taker_of
from settlement.trading.settle import IntervalInputs, Member, settle
from settlement.trading.zones import ZoneTree

PEOPLE = ("0xaa", "0xbb", "0xcc")
AMPLE = dict.fromkeys(PEOPLE, 10**15)


def line(payer="0xbb", payee="0xaa", amount=100, **other):
    """What a buyer owes a seller for energy, unless said otherwise."""
    given_line = Line(payer, payee, Kind.ENERGY, Rail.CHAIN, 1_000, 100_000, amount)
    return replace(given_line, **other)


def posted(lines):
    return [Posted(one, taker_of(one)) for one in lines]


def kept(found):
    """The lines of a correction as a later one meets them."""
    return [Posted(one.line, one.taker) for one in found]


def owed(lines):
    """What each taker owes each giver, and for how many Wh, by kind; rails together."""
    sums = Counter()
    for one in lines:
        ends = {one.line.payer, one.line.payee}
        [giver] = ends - {one.taker}
        sign = 1 if one.taker == one.line.payer else -1
        sums[one.line.kind, one.taker, giver, "micros"] += sign * one.line.amount_micros
        sums[one.line.kind, one.taker, giver, "Wh"] += one.line.energy_wh
    return {key: value for key, value in sums.items() if value}


def a_line(kind, ends, energy_wh, price, amount):
    payer, payee = ends
    rail = Rail.INVOICE if kind in INVOICED else Rail.CHAIN
    return Line(payer, payee, kind, rail, energy_wh, price, amount)


def settled():
    """A seller and a buyer, settled."""

    def member(number, taken_wh, given_wh):
        return Member(
            account=f"0x{number:040x}",
            import_wh=taken_wh,
            export_wh=given_wh,
            limits=Limits(90_000, 180_000),
            spendable_micros=10**9,
            order_hash=bytes(32),
            digests=(),
            estimated=False,
            zone="feeder",
        )

    inputs = IntervalInputs(
        run=7,
        interval=1_730_112,
        members=(member(1, 0, 2_000), member(2, 1_500, 0)),
        fees=Fees(levy=5_000, vat_bp=2_000),
        institutions=Institutions("0x" + "f1" * 20, "0x" + "f2" * 20, "supplier"),
        residual=(60_000, 300_000),
        salt_key=b"k" * 32,
        tree=ZoneTree.single("feeder", local_toll=30_000),
        mechanism=Auction(),
    )
    return inputs, settle(inputs)


lines = st.lists(
    st.builds(
        a_line,
        st.sampled_from(list(Kind)),
        st.permutations(PEOPLE).map(lambda people: people[:2]),
        st.integers(0, 5_000),
        st.sampled_from([-50_000, 0, 100_000, 200_000]),
        st.integers(0, 1_000),
    ),
    max_size=8,
)


class TestDifferences:
    @given(st.lists(lines, min_size=2, max_size=5))
    def test_of_all_runs_come_to_what_the_last_one_knew(self, knowledge):
        so_far = posted(knowledge[0])
        for known in knowledge[1:]:
            so_far += kept(differences(so_far, known))
        assert owed(so_far) == owed(posted(knowledge[-1]))

    @given(st.lists(lines, min_size=2, max_size=5), st.integers(0, 400))
    def test_come_to_the_same_if_nobody_can_pay_much(self, knowledge, funds):
        so_far = posted(knowledge[0])
        for known in knowledge[1:]:
            made = payable(differences(so_far, known), dict.fromkeys(PEOPLE, funds))
            paid = Counter()
            for one in made:
                if one.line.rail is Rail.CHAIN:
                    paid[one.line.payer] += one.line.amount_micros
            assert all(amount <= funds for amount in paid.values())
            so_far += kept(made)
        assert owed(so_far) == owed(posted(knowledge[-1]))

    @given(lines, lines)
    def test_move_a_sum_of_zero_and_no_amount_below_it(self, before, now):
        made = differences(posted(before), now)
        assert all(one.line.amount_micros >= 0 for one in made)
        assert sum(micros for _, micros in deltas(one.line for one in made)) == 0

    @given(lines)
    def test_of_what_was_right_already_are_none(self, before):
        assert differences(posted(before), before) == ()

    @given(lines, lines)
    def test_do_not_depend_on_the_order_of_lines(self, before, now):
        backwards = differences(posted(before[::-1]), now[::-1])
        prices = [replace(one, line=replace(one.line, price=0)) for one in backwards]
        assert prices == [
            replace(one, line=replace(one.line, price=0))
            for one in differences(posted(before), now)
        ]

    def test_say_who_takes_energy_although_money_goes_the_other_way(self):
        """More energy at a lower price: the seller gives money back, and the buyer takes more."""
        [one] = differences(
            posted([line()]), [line(energy_wh=1_200, price=60_000, amount_micros=72)]
        )
        assert (one.line.payer, one.line.payee, one.line.amount_micros) == ("0xaa", "0xbb", 28)
        assert (one.taker, one.line.energy_wh) == ("0xbb", 200)

    def test_give_everything_back_if_nothing_is_right_any_more(self):
        [one] = differences(posted([line()]), [])
        assert (one.line.payer, one.line.amount_micros, one.line.energy_wh) == ("0xaa", 100, -1_000)
        assert one.taker == "0xbb"

    def test_take_back_what_is_owed_before_what_was_paid(self):
        paid, debt = line(amount_micros=60), line(amount_micros=40, rail=Rail.INVOICE, energy_wh=0)
        made = differences(posted([paid, debt]), [line(amount_micros=30, energy_wh=1_000)])
        assert {(one.line.rail, one.line.payer, one.line.amount_micros) for one in made} == {
            (Rail.INVOICE, "0xaa", 40),
            (Rail.CHAIN, "0xaa", 30),
        }

    def test_of_the_residual_supplier_stay_on_the_invoice(self):
        residual = line(kind=Kind.RESIDUAL, rail=Rail.INVOICE)
        [one] = differences(posted([residual]), [])
        assert one.line.rail is Rail.INVOICE


class TestPayable:
    def test_splits_the_line_at_what_the_payer_has(self):
        wanted = differences([], [line()])
        paid, debt = payable(wanted, {"0xbb": 30})
        assert (paid.line.rail, paid.line.amount_micros, paid.line.energy_wh) == (
            Rail.CHAIN, 30, 1_000,
        )  # fmt: skip
        assert (debt.line.rail, debt.line.amount_micros, debt.line.energy_wh) == (
            Rail.INVOICE, 70, 0,
        )  # fmt: skip
        assert debt.line.payee == paid.line.payee

    def test_pays_neighbors_before_institutions(self):
        toll = line(payee="0xcc", kind=Kind.TOLL, amount_micros=50)
        made = payable(differences([], [toll, line(amount_micros=50)]), {"0xbb": 50})
        assert {(one.line.kind, one.line.rail) for one in made} == {
            (Kind.ENERGY, Rail.CHAIN),
            (Kind.TOLL, Rail.INVOICE),
        }

    def test_counts_on_nothing_that_comes_in_with_the_run(self):
        made = payable(differences([], [line(), line("0xaa", "0xcc")]), {"0xbb": 100, "0xaa": 0})
        assert {(one.line.payer, one.line.rail) for one in made} == {
            ("0xbb", Rail.CHAIN),
            ("0xaa", Rail.INVOICE),
        }

    def test_leaves_whole_what_can_be_paid(self):
        wanted = differences([], [line()])
        assert payable(wanted, AMPLE) == wanted


class TestCorrectedLeaves:
    def test_say_what_this_run_moves_and_what_the_interval_is_now(self):
        inputs, now = settled()
        moved = tuple((account, micros - 1) for account, micros in now.deltas)
        leaves = corrected_leaves(inputs, now.leaves, moved)
        assert [replace(leaf, net_micros=0) for leaf in leaves] == [
            replace(leaf, net_micros=0) for leaf in now.leaves
        ]
        assert {leaf.account: leaf.net_micros for leaf in leaves} == {
            leaf.account: dict(moved).get(leaf.account, 0) for leaf in now.leaves
        }

    def test_have_one_for_an_account_that_only_gives_something_back(self):
        inputs, now = settled()
        stranger = "0x" + "77" * 20
        leaves = corrected_leaves(inputs, now.leaves, ((stranger, -5),))
        [found] = [leaf for leaf in leaves if leaf.account == stranger]
        assert (found.net_micros, found.wh_in, found.wh_out) == (-5, 0, 0)
        assert [leaf.account for leaf in leaves] == sorted(leaf.account for leaf in leaves)
