"""Both rails together are what the tariff asks, and the chain's is what the contract took."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import cost_floor
from settlement.pricing.billing import bill
from settlement.pricing.ocpi import (
    Charging,
    Dimension,
    Element,
    OcpiTariff,
    Period,
    PriceComponent,
    PriceLimit,
    Restrictions,
    TaxIncluded,
    of_simple,
    rate,
    simple_parts,
)
from settlement.pricing.statements import COSIGNED, CREDIT, OVERRUN, Rail, statement
from settlement.pricing.tariffs import Tariff

START_S = 1_700_000_000
VATS = st.sampled_from([None, Decimal(0), Decimal("5.5"), Decimal(20), Decimal("19.99")])
PRICES = st.decimals(0, 3, places=4)
ENERGIES = st.integers(0, 100_000)


@st.composite
def tariffs(draw):
    """A tariff of every dimension, perhaps dearer after a while, perhaps with limits."""

    def component(dimension):
        return PriceComponent(dimension, draw(PRICES), draw(VATS), draw(st.integers(0, 600)))

    elements = [
        Element(
            tuple(component(one) for one in draw(st.sets(st.sampled_from(Dimension), min_size=1))),
            Restrictions(min_kwh=draw(st.sampled_from([None, Decimal(10)]))),
        ),
        Element((component(Dimension.ENERGY),)),
    ]
    least, most = sorted(draw(st.tuples(PRICES, PRICES)))
    return OcpiTariff(
        tariff_id="any",
        currency="EUR",
        elements=tuple(elements),
        tax_included=draw(st.sampled_from(TaxIncluded)),
        min_price=draw(st.sampled_from([None, PriceLimit(least, None)])),
        max_price=draw(st.sampled_from([None, PriceLimit(most, None)])),
    )


@st.composite
def sessions(draw):
    """What a tariff asks of a session, and what the contract's part of that comes to."""
    tariff, energy = draw(tariffs()), draw(ENERGIES)
    periods = (Period(START_S, START_S + draw(st.integers(0, 20_000)), energy),) if energy else ()
    price, flat = simple_parts(tariff)
    owed = cost_floor(energy, price) + (flat if energy else 0)
    return rate(tariff, Charging(START_S, periods)), owed


def gross(lines):
    return sum(one.net_micros + one.vat_micros for one in lines)


class TestTheRails:
    @given(sessions(), st.integers(1, 10**8))
    def test_the_chains_lines_are_what_the_contract_took(self, session, deposit):
        rated, owed = session
        charge = min(owed, deposit)
        found = statement(rated, owed_micros=owed, charge_micros=charge)
        assert found.gross_micros(Rail.CHAIN) == charge

    @given(sessions(), st.integers(1, 10**8))
    def test_together_they_are_what_the_tariff_asks_less_what_the_operator_bears(
        self, session, deposit
    ):
        rated, owed = session
        found = statement(rated, owed_micros=owed, charge_micros=min(owed, deposit))
        borne = [one for one in found.lines if one.dimension == OVERRUN]
        assert found.total_micros == rated.gross_micros + gross(borne)
        assert gross(borne) <= 0
        assert gross(borne) == -max(0, min(owed, rated.gross_micros) - deposit)

    @given(sessions(), st.integers(1, 10**8))
    def test_a_cosigned_total_leaves_nothing_to_invoice(self, session, deposit):
        rated, owed = session
        if not owed < min(rated.gross_micros, deposit):
            return
        charge = min(rated.gross_micros, deposit)
        found = statement(rated, owed_micros=owed, charge_micros=charge)
        assert found.gross_micros(Rail.INVOICE) == 0
        assert found.total_micros == charge

    @given(sessions())
    def test_net_and_vat_are_those_of_the_tariff(self, session):
        rated, owed = session
        if owed > rated.gross_micros:
            return
        found = statement(rated, owed_micros=owed, charge_micros=owed)
        assert sum(one.net_micros for one in found.lines) == rated.net_micros
        assert sum(one.vat_micros for one in found.lines) == rated.vat_micros

    @given(sessions())
    def test_a_volume_is_counted_once(self, session):
        rated, owed = session
        charge = min(owed, rated.gross_micros)
        found = statement(rated, owed_micros=owed, charge_micros=charge)
        counted = [one for one in found.lines if one.dimension not in {OVERRUN, COSIGNED, CREDIT}]
        assert sum(Fraction(one.volume) for one in counted) == sum(
            Fraction(one.volume) for one in rated.lines
        )


class TestAPriceAndAFee:
    @given(
        ENERGIES,
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from([0, 550, 2_000]),
        st.integers(1, 10**8),
    )
    def test_come_to_the_same_bill_as_ever(self, energy, price, flat, vat_bp, deposit):
        tariff = Tariff("any", "EUR", price, flat, vat_bp)
        money = bill(energy, tariff, deposit)
        periods = (Period(START_S, START_S, energy),) if energy else ()
        rated = rate(of_simple(tariff), Charging(START_S, periods))
        owed = money.charge_micros + money.overrun_micros
        found = statement(rated, owed_micros=owed, charge_micros=money.charge_micros)
        assert found.gross_micros(Rail.CHAIN) == money.charge_micros
        assert found.vat_micros(Rail.CHAIN) == money.vat_micros
        assert found.gross_micros(Rail.INVOICE) == 0


class TestALine:
    @pytest.fixture
    def dear(self):
        """2 kWh at 0.30, half of which the contract takes."""
        energy = PriceComponent(Dimension.ENERGY, Decimal("0.30"), Decimal(20), 1)
        tariff = OcpiTariff("dear", "EUR", (Element((energy,)),), TaxIncluded.YES)
        return rate(tariff, Charging(START_S, (Period(START_S, START_S, 2_000),)))

    def test_on_both_rails_is_cut(self, dear):
        found = statement(dear, owed_micros=300_000, charge_micros=300_000)
        assert [(one.volume, one.net_micros, one.vat_micros, one.rail) for one in found.lines] == [
            ("2000", 250_000, 50_000, Rail.CHAIN),
            ("0", 250_000, 50_000, Rail.INVOICE),
        ]

    def test_says_what_the_operator_bears(self, dear):
        found = statement(dear, owed_micros=600_000, charge_micros=120_000)
        assert [(one.dimension, one.net_micros, one.vat_micros) for one in found.lines] == [
            ("ENERGY", 500_000, 100_000),
            (OVERRUN, -400_000, -80_000),
        ]

    def test_says_what_was_signed_beyond_the_tariff(self, dear):
        found = statement(dear, owed_micros=600_000, charge_micros=720_000)
        assert [(one.dimension, one.net_micros, one.vat_micros) for one in found.lines] == [
            ("ENERGY", 500_000, 100_000),
            (COSIGNED, 100_000, 20_000),
        ]

    def test_gives_back_what_the_contract_took_beyond_the_tariff(self, dear):
        found = statement(dear, owed_micros=720_000, charge_micros=720_000)
        assert [(one.dimension, one.net_micros, one.rail) for one in found.lines] == [
            ("ENERGY", 500_000, Rail.CHAIN),
            (CREDIT, 100_000, Rail.CHAIN),
            (CREDIT, -100_000, Rail.INVOICE),
        ]
        assert found.total_micros == 600_000
