"""A contract takes no more than the tariff asks, and all of it where the tariff is simple."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.pricing.billing import bill, deposit_for
from settlement.pricing.ocpi import (
    deposit_for_tariff,
    is_simple,
    of_simple,
    parse_tariff,
    rate,
    simple_parts,
)
from settlement.pricing.tariffs import Tariff
from tests.unit.settlement.pricing.ocpi.sessions import (
    MONDAY_NOON,
    charged,
    component,
    document,
    element,
    tariff,
)

AMPLE = 10**12
simple_tariffs = st.builds(
    Tariff,
    st.just("any"),
    st.just("EUR"),
    st.integers(0, 2_000_000),
    st.integers(0, 5_000_000),
    st.integers(0, 10_000),
)
energies = st.integers(0, 500_000)


class TestOfSimple:
    @given(simple_tariffs, energies, st.integers(1, 100_000))
    @settings(max_examples=500, deadline=None)
    def test_costs_what_the_bill_says_to_the_micro(self, simple, energy, seconds):
        made = bill(energy, simple, AMPLE)
        rated = rate(of_simple(simple), charged((seconds, energy)))
        assert (rated.net_micros, rated.vat_micros, rated.gross_micros) == (
            made.net_micros,
            made.vat_micros,
            made.charge_micros,
        )

    @given(simple_tariffs)
    @settings(max_examples=200, deadline=None)
    def test_is_simple_and_gives_its_parts_back(self, simple):
        made = of_simple(simple)
        assert is_simple(made)
        assert simple_parts(made) == (simple.price_micros_per_kwh, simple.flat_micros)

    @given(simple_tariffs, energies, st.integers(0, 100_000))
    @settings(max_examples=200, deadline=None)
    def test_needs_the_deposit_that_billing_asks(self, simple, energy, seconds):
        asked = deposit_for_tariff(of_simple(simple), energy, seconds, MONDAY_NOON)
        assert asked == deposit_for(energy, simple)


ENERGY = component("ENERGY", "0.30")


class TestIsSimple:
    @pytest.mark.parametrize(
        "made",
        [
            document(element(ENERGY)),
            document(element(ENERGY, component("FLAT", 1, None, 0))),
            document(element(component("FLAT", 0), component("TIME", 0, step=900))),
            document(element(ENERGY), tax_included="YES"),
        ],
    )
    def test_says_yes_to_a_price_and_a_fee(self, made):
        assert is_simple(parse_tariff(made))

    @pytest.mark.parametrize(
        "made",
        [
            document(element(ENERGY, component("TIME", "0.01"))),
            document(element(ENERGY, component("PARKING_TIME", 1))),
            document(element(ENERGY, max_kwh=10)),
            document(element(ENERGY), element(component("FLAT", 1), min_kwh=1)),
            document(element(ENERGY), element(component("FLAT", 1), reservation="RESERVATION")),
            document(element(component("ENERGY", "0.30", step=2))),
            document(element(component("ENERGY", "0.3333333"))),
            document(element(component("ENERGY", "0.33", "5.55555"))),
            document(element(ENERGY), min_price={"excl_vat": 1}),
            document(element(ENERGY), max_price={"excl_vat": 1}),
        ],
    )
    def test_says_no_to_anything_else(self, made):
        assert not is_simple(parse_tariff(made))


def prices(*numbers):
    return [component("ENERGY", number, None) for number in numbers]


class TestSimpleParts:
    def test_are_the_least_of_what_may_count(self):
        cheap, dear, never = prices("0.2", "0.5", "0.1")
        made = tariff(element(cheap, max_kwh=5), element(dear), element(never))
        assert simple_parts(made) == (200_000, 0)

    def test_are_nothing_where_nothing_may_count(self):
        (price,) = prices("0.2")
        made = tariff(element(price, component("FLAT", 1, None), start_time="08:00"))
        assert simple_parts(made) == (0, 0)

    @pytest.mark.parametrize(
        "ways",
        [
            ({"max_kwh": 7}, {"min_kwh": 7}),
            (
                {"start_time": "06:00", "end_time": "22:00"},
                {"start_time": "22:00", "end_time": "06:00"},
            ),
            ({"max_duration": 60}, {"min_duration": 60}),
            (
                {"day_of_week": ["SATURDAY", "SUNDAY"]},
                {"day_of_week": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]},
            ),
        ],
    )
    def test_know_when_restrictions_together_leave_no_gap(self, ways):
        made = tariff(*(element(*prices("0.3"), **way) for way in ways))
        assert simple_parts(made) == (300_000, 0)
        assert simple_parts(dataclasses.replace(made, elements=made.elements[:1])) == (0, 0)

    @pytest.mark.parametrize(
        "ways", [({"max_power": 7}, {"min_power": 7}), ({"max_current": 7}, {"min_current": 7})]
    )
    def test_do_not_trust_what_may_go_unmeasured(self, ways):
        made = tariff(*(element(*prices("0.3"), **way) for way in ways))
        assert simple_parts(made) == (0, 0)

    def test_include_vat_and_round_down(self):
        made = tariff(element(component("ENERGY", "0.333333", "5.5"), component("FLAT", "0.5", 10)))
        assert simple_parts(made) == (351_666, 550_000)

    def test_of_a_fee_from_the_first_wh_are_the_fee(self):
        made = tariff(element(component("FLAT", 1, None), min_kwh="0.001"))
        assert simple_parts(made) == (0, 1_000_000)
        made = tariff(element(component("FLAT", 1, None), min_kwh="0.002"))
        assert simple_parts(made) == (0, 0)


restrictions = st.fixed_dictionaries(
    {},
    optional={
        "start_time": st.sampled_from(["00:00", "08:00", "12:30"]),
        "end_time": st.sampled_from(["00:00", "08:00", "13:00"]),
        "min_kwh": st.sampled_from(["0.001", "1", "5.5"]),
        "max_kwh": st.sampled_from(["1", "5.5"]),
        "min_duration": st.sampled_from([60, 1_800]),
        "max_duration": st.sampled_from([60, 1_800]),
        "min_power": st.sampled_from([5, 11]),
        "max_power": st.sampled_from([5, 11]),
        "max_current": st.just(16),
        "day_of_week": st.lists(st.sampled_from(["MONDAY", "TUESDAY"]), max_size=2),
        "end_date": st.just("2019-01-08"),
    },
)
components = st.builds(
    component,
    st.sampled_from(["ENERGY", "FLAT", "TIME", "PARKING_TIME"]),
    st.decimals(0, 3, places=3),
    st.sampled_from([None, 0, 10, "5.5"]),
    st.sampled_from([0, 1, 60, 700]),
)
elements = st.builds(
    lambda some, limits: element(*some, **limits),
    st.lists(components, min_size=1, max_size=3),
    restrictions | st.just({}),
)
tariffs = st.builds(
    lambda some, tax: tariff(*some, tax_included=tax),
    st.lists(elements, min_size=1, max_size=5),
    st.sampled_from(["YES", "NO", "N/A"]),
)
plain_tariffs = st.builds(
    lambda some, tax: tariff(*(element(one) for one in some), tax_included=tax),
    st.lists(
        st.builds(
            component,
            st.sampled_from(["ENERGY", "FLAT"]),
            st.decimals(0, 3, places=4),
            st.sampled_from([None, 0, 10, "5.5"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["NO", "N/A"]),
)
sessions = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 4_000), st.integers(0, 9_000)), st.tuples(st.integers(1, 4_000))
    ),
    min_size=1,
    max_size=4,
)
starts = st.integers(MONDAY_NOON - 3_600, MONDAY_NOON + 86_400)


class TestAnyTariff:
    @given(tariffs, sessions, starts)
    @settings(max_examples=600, deadline=None)
    def test_asks_at_least_what_the_contract_takes(self, made, session, start):
        price, flat = simple_parts(made)
        energy = sum(sum(part[1:]) for part in session)
        taken = energy * price // 1_000 + (flat if energy else 0)
        assert taken <= rate(made, charged(*session, start=start)).gross_micros

    @given(plain_tariffs.filter(is_simple), sessions, starts)
    @settings(max_examples=100, deadline=None)
    def test_that_is_simple_asks_no_more(self, made, session, start):
        price, flat = simple_parts(made)
        energy = sum(sum(part[1:]) for part in session)
        if energy:
            taken = energy * price // 1_000 + flat
            assert taken == rate(made, charged(*session, start=start)).gross_micros

    @given(tariffs, sessions, starts, st.integers(0, 5_000), st.integers(0, 5_000))
    @settings(max_examples=600, deadline=None)
    def test_never_overruns_its_deposit(self, made, session, start, spare_wh, spare_s):
        energy = sum(sum(part[1:]) for part in session) + spare_wh
        seconds = sum(part[0] for part in session) + spare_s
        deposit = deposit_for_tariff(made, energy, seconds, start)
        assert rate(made, charged(*session, start=start)).gross_micros <= deposit
        assert deposit % 10_000 == 0
