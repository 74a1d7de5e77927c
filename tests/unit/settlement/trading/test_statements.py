"""A statement adds up what the lines say, to the micro, and holds it against the supplier alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.exact import Language, energy, money
from settlement.trading.lines import Kind, Rail
from settlement.trading.orders.standing import Side, StandingOrder
from settlement.trading.settle import settle
from settlement.trading.statements import balances, of_settlement, render, statement
from settlement.trading.statements.rendering import WORDS
from settlement.trading.statements.statement import (
    Entry,
    MemberInterval,
    StatementNotBalancedError,
    UnknownAccountError,
)
from tests.unit.settlement.test_settle import INSTITUTIONS, inputs, member, members_of

SELLER, BUYER = member(1, exported=3_000), member(2, imported=2_500)
ROLES = (INSTITUTIONS.grid, INSTITUTIONS.state, INSTITUTIONS.supplier)


def of(account, *intervals):
    known = [(one, settle(one)) for one in intervals]
    return statement(account, [of_settlement(account, *pair) for pair in known])


class TestAStatement:
    def test_of_one_interval_by_hand(self):
        # Both limits support the price: 90,000 asked, 180,000 less 35,000 offered, all of 2,500 Wh
        # served with 500 Wh waiting, so the price is the seller's limit.
        bought = of(BUYER.account, inputs(SELLER, BUYER))
        chain = Rail.CHAIN
        assert bought.entries == (
            Entry(Kind.ENERGY, SELLER.account, chain, 0, 2_500, 0, 225_000),
            Entry(Kind.TOLL, INSTITUTIONS.grid, chain, 0, 2_500, 0, 75_000),
            Entry(Kind.LEVY, INSTITUTIONS.state, chain, 0, 2_500, 0, 12_500),
            Entry(Kind.VAT, INSTITUTIONS.state, chain, 0, 2_500, 0, 62_500),
        )
        assert (bought.net_micros, bought.alone_micros, bought.gain_micros) == (
            -375_000,
            -750_000,
            375_000,
        )
        sold = of(SELLER.account, inputs(SELLER, BUYER))
        assert sold.entries == (
            Entry(Kind.ENERGY, BUYER.account, chain, 2_500, 0, 225_000, 0),
            Entry(Kind.RESIDUAL, "supplier", Rail.INVOICE, 500, 0, 30_000, 0),
        )
        assert (sold.net_micros, sold.alone_micros, sold.gain_micros) == (255_000, 180_000, 75_000)

    def test_of_many_intervals_is_their_sum(self):
        first, second = inputs(SELLER, BUYER), replace(inputs(BUYER, SELLER), interval=415_064)
        once, twice = of(BUYER.account, first), of(BUYER.account, second, first)
        assert twice.intervals == (415_063, 415_064)
        assert twice.import_wh == 2 * once.import_wh
        assert twice.net_micros == 2 * once.net_micros
        assert twice.alone_micros == 2 * once.alone_micros
        assert [one.taken_wh for one in twice.entries] == [2 * one.taken_wh for one in once.entries]

    @given(members_of)
    def test_says_of_every_member_what_the_lines_and_the_meters_say(self, members):
        known = inputs(*members)
        settled = settle(known)
        net = balances(settled.lines, [*ROLES, *(one.account for one in members)])
        assert sum(net.values()) == 0
        for one in members:
            own = statement(one.account, [of_settlement(one.account, known, settled)])
            assert own.net_micros == net[one.account]
            moved = [own.of_kind(kind) for kind in (Kind.ENERGY, Kind.RESIDUAL, Kind.IMBALANCE)]
            given_wh = sum(part.given_wh for part in moved)
            taken_wh = sum(part.taken_wh for part in moved)
            assert given_wh - taken_wh == own.export_wh - own.import_wh
            assert taken_wh == max(0, own.import_wh - own.export_wh)

    @given(members_of, st.integers(-50_000, 50_000), st.integers(-50_000, 400_000))
    def test_says_of_who_trades_with_nobody_that_nothing_is_gained(self, members, takes, gives):
        alone = replace(inputs(members[0]), residual=(takes, gives))
        assert of(members[0].account, alone).gain_micros == 0

    def test_counts_what_firm_orders_promised_beyond_the_meter(self):
        firm = StandingOrder("aa", Side.SELL, firm=True, energy_wh=4_000, limit=90_000)
        own = of(SELLER.account, inputs(replace(SELLER, orders=(firm,)), member(2, imported=4_000)))
        assert own.of_kind(Kind.ENERGY).given_wh == 4_000
        assert own.of_kind(Kind.IMBALANCE).taken_wh == 1_000

    def test_of_who_was_no_member_is_none(self):
        known = inputs(SELLER)
        assert of_settlement(BUYER.account, known, settle(known)) is None

    def test_is_refused_if_a_line_is_missing(self):
        known = inputs(SELLER, BUYER)
        own = of_settlement(BUYER.account, known, settle(known))
        cut = replace(own, lines=own.lines[1:])
        with pytest.raises(StatementNotBalancedError, match="miss -2500 Wh"):
            statement(BUYER.account, [cut])


class TestBalances:
    def test_refuse_a_line_of_nobody(self):
        lines = settle(inputs(SELLER, BUYER)).lines
        with pytest.raises(UnknownAccountError, match="whom nobody knows"):
            balances(lines, [SELLER.account, BUYER.account])

    def test_are_there_for_who_has_no_line(self):
        assert balances((), ["a"]) == {"a": 0}


class TestAlone:
    def test_rounds_each_interval_down_on_its_own(self):
        one = MemberInterval(1, 7, 0, (60_001, 300_001), ())
        assert one.alone_micros == -2_100
        assert replace(one, import_wh=0, export_wh=7).alone_micros == 420


class TestRender:
    def test_in_english(self):
        text = render(of(BUYER.account, inputs(SELLER, BUYER)), name_of=lambda _: "Ada")
        assert text.split("\n") == [
            "Statement of Ada, intervals: 1",
            "Meters: 2.5 kWh taken, 0 kWh given",
            "",
            "what               given    taken  received        paid",
            "energy, neighbors         2.5 kWh             0.225 EUR",
            "grid tolls                2.5 kWh             0.075 EUR",
            "levy                      2.5 kWh            0.0125 EUR",
            "VAT                       2.5 kWh            0.0625 EUR",
            "total                              0.00 EUR   0.375 EUR",
            "",
            "With the community: -0.375 EUR",
            "Without it, the same meters at the supplier's prices: -0.75 EUR",
            "Gained by the community: 0.375 EUR",
        ]

    def test_in_french(self):
        text = render(of(SELLER.account, inputs(SELLER, BUYER)), Language.FR, "EUR", lambda _: "A")
        lines = text.split("\n")
        assert lines[0] == "Relevé de A, intervalles : 1"
        assert lines[1] == "Compteurs : 0 kWh prélevés, 3 kWh injectés"
        assert lines[-1] == "Gagné grâce à la communauté : 0,075 EUR"

    def test_has_a_word_for_every_kind_in_every_language(self):
        assert WORDS[Language.EN].keys() == WORDS[Language.FR].keys() >= set(Kind)


class TestExactAmounts:
    @pytest.mark.parametrize(
        ("micros", "said"),
        [
            (0, "0.00 EUR"),
            (1, "0.000001 EUR"),
            (-1_500_000, "-1.50 EUR"),
            (123_456_789, "123.456789 EUR"),
        ],
    )
    def test_lose_nothing(self, micros, said):
        assert money(micros, "EUR", Language.EN) == said
        assert money(micros, "EUR", Language.FR) == said.replace(".", ",")

    @pytest.mark.parametrize(("wh", "said"), [(0, "0 kWh"), (1, "0.001 kWh"), (2_500, "2.5 kWh")])
    def test_of_energy_too(self, wh, said):
        assert energy(wh, Language.EN) == said
