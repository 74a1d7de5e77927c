"""Rating splits sessions at every change of price, exactly, and adds up."""

import dataclasses
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.pricing.ocpi import (
    BadChargingError,
    Charging,
    LineKind,
    Period,
    Reservation,
    display_cents,
    loads_tariff,
    rate,
)
from tests.unit.settlement.pricing.ocpi.sessions import (
    MONDAY_NOON,
    at,
    charged,
    component,
    element,
    tariff,
)

EURO = 1_000_000


class Changing(tzinfo):
    """A zone an hour ahead of UTC, and two in the summer of 2019, which needs no zone files."""

    BEGINS, ENDS = datetime(2019, 3, 31, 1), datetime(2019, 10, 27, 1)  # noqa: DTZ001 - bare UTC
    HOUR = timedelta(hours=1)

    def utcoffset(self, local):
        told = local.replace(tzinfo=None, fold=0)
        summer_ends = self.ENDS + (self.HOUR if local.fold else 2 * self.HOUR)
        return self.HOUR + self.HOUR * (self.BEGINS + 2 * self.HOUR <= told < summer_ends)

    def fromutc(self, moment):
        utc = moment.replace(tzinfo=None)
        local = moment + self.HOUR + self.HOUR * (self.BEGINS <= utc < self.ENDS)
        return local.replace(fold=int(self.ENDS <= utc < self.ENDS + self.HOUR))


ENERGY = component("ENERGY", "0.30")
NIGHT_AND_DAY = tariff(
    element(component("ENERGY", "0.20"), start_time="22:00", end_time="06:00"),
    element(component("ENERGY", "0.40")),
)
MANY_PARTS = tariff(
    element(component("FLAT", "0.35", 10), component("ENERGY", "0.29"), max_kwh="7.5"),
    element(component("ENERGY", "0.41", 10), start_time="17:00", end_time="20:00"),
    element(component("TIME", "1.20"), min_duration=5_400),
    element(component("ENERGY", "0.37"), component("PARKING_TIME", "2.40", None)),
)


def net(made, *parts, **where):
    return rate(made, charged(*parts, **where)).net_exact


def volumes(rated, kind):
    return [line.volume for line in rated.lines if line.kind is kind]


class TestTimeOfDay:
    def test_splits_energy_evenly_at_the_second(self):
        begun = at("2019-01-07T21:59:00")
        assert net(NIGHT_AND_DAY, (180, 100), start=begun) == (
            Fraction(100, 3) * 400 + Fraction(200, 3) * 200
        )

    def test_goes_on_over_midnight(self):
        begun = at("2019-01-07T23:30:00")
        rated = rate(NIGHT_AND_DAY, charged((3_600, 7_000), start=begun))
        assert [line.volume for line in rated.lines] == [7_000]
        assert len(rated.segments) == 1

    def test_counts_the_place_s_own_clock(self):
        begun = at("2019-01-07T18:00:00")
        there = [
            net(NIGHT_AND_DAY, (60, 1_000), start=begun, offset=hours * 60)
            for hours in (-12, -5, 3, 4, 11, 12)
        ]
        day, night = 400_000, 200_000
        assert there == [day, day, day, night, night, day]

    def test_until_midnight_is_until_the_end_of_the_day(self):
        made = tariff(element(ENERGY, start_time="20:00", end_time="00:00"))
        begun = at("2019-01-07T23:00:00")
        assert net(made, (7_200, 2_000), start=begun) == 300_000

    def test_that_ends_where_it_begins_never_counts_unless_it_is_midnight(self):
        never = tariff(element(ENERGY, start_time="10:00", end_time="10:00"))
        always = tariff(element(ENERGY, start_time="00:00", end_time="00:00"))
        assert net(never, (86_400, 1_000)) == 0
        assert net(always, (86_400, 1_000)) == 300_000

    def test_of_one_end_only_reaches_to_midnight(self):
        evening = tariff(element(ENERGY, start_time="12:00"))
        morning = tariff(element(ENERGY, end_time="12:00"))
        for made in (evening, morning):
            assert net(made, (86_400, 2_000)) == 300_000

    def test_follows_the_clock_changes_of_a_zone(self):
        made = tariff(element(component("TIME", "3.60"), start_time="01:00", end_time="04:00"))
        spring, autumn = at("2019-03-30T23:00:00"), at("2019-10-26T22:00:00")
        hours = [
            sum(
                volumes(
                    rate(made, charged((12 * 3_600, 0), start=day, zone=Changing())), LineKind.TIME
                )
            )
            for day in (spring, autumn)
        ]
        assert hours == [2 * 3_600, 4 * 3_600]


class TestDays:
    @pytest.mark.parametrize(("offset", "billed"), [(0, 1_800), (60, 3_600), (-60, 0)])
    def test_begin_at_local_midnight(self, offset, billed):
        made = tariff(element(component("TIME", "3.60"), day_of_week=["TUESDAY"]))
        begun = at("2019-01-07T23:30:00")
        rated = rate(made, charged((3_600, 0), start=begun, offset=offset))
        assert sum(volumes(rated, LineKind.TIME)) == billed

    def test_of_a_wrapped_time_are_the_days_of_the_clock(self):
        made = tariff(element(ENERGY, start_time="22:00", end_time="06:00", day_of_week=["MONDAY"]))
        begun = at("2019-01-07T23:00:00")
        assert net(made, (7_200, 2_000), start=begun) == 300_000

    def test_of_the_calendar_take_the_first_and_not_the_last(self):
        made = tariff(element(ENERGY, start_date="2019-01-08", end_date="2019-01-09"))
        begun = at("2019-01-07T00:00:00")
        assert net(made, (3 * 86_400, 3_000), start=begun) == 300_000


class TestEnergy:
    def test_changes_price_at_the_very_wh(self):
        made = tariff(
            element(component("ENERGY", "0.10"), max_kwh="1.234"),
            element(component("ENERGY", "0.50"), min_kwh="1.234"),
        )
        rated = rate(made, charged((3_600, 2_000)))
        assert [line.volume for line in rated.lines] == [1_234, 766]

    def test_crosses_a_threshold_at_the_instant_at_which_it_is_reached(self):
        made = tariff(element(component("TIME", "1"), min_kwh=1))
        rated = rate(made, charged((3_600, 3_000)))
        assert rated.segments[1].begin_s == MONDAY_NOON + 1_200
        assert volumes(rated, LineKind.TIME) == [2_400]

    def test_that_ends_on_a_threshold_is_all_below_it(self):
        made = tariff(
            element(component("ENERGY", "0.10"), max_kwh=1), element(component("ENERGY", "9"))
        )
        assert net(made, (600, 1_000)) == 100_000

    def test_of_a_finer_meter_is_rounded_up_by_its_step_alone(self):
        exact = tariff(element(component("ENERGY", "0.25", step=0)))
        stepped = tariff(element(component("ENERGY", "0.25", step=1)))
        session = Charging(MONDAY_NOON, (Period(MONDAY_NOON, MONDAY_NOON, Fraction("115.2")),))
        assert rate(exact, session).net_exact == 28_800
        assert rate(stepped, session).net_exact == 29_000


class TestDuration:
    def test_begins_in_and_ends_out(self):
        made = tariff(element(component("TIME", "3.6"), min_duration=100, max_duration=160))
        assert volumes(rate(made, charged((3_600, 0))), LineKind.TIME) == [60]

    def test_counts_from_the_start_of_the_session_and_not_of_the_parking(self):
        made = tariff(element(component("PARKING_TIME", "3.6"), min_duration=1_000))
        assert volumes(rate(made, charged((900, 500), (300,))), LineKind.PARKING_TIME) == [200]


class TestPowerAndCurrent:
    LADDER = tariff(
        element(component("ENERGY", "1"), max_power=16),
        element(component("ENERGY", "2"), min_power=16, max_power="32.5"),
        element(component("ENERGY", "3")),
    )

    @pytest.mark.parametrize(
        ("power", "price"), [(0, 1), (15_999, 1), (16_000, 2), (32_499, 2), (32_500, 3)]
    )
    def test_of_a_period_meet_the_lower_end_and_not_the_upper(self, power, price):
        period = Period(MONDAY_NOON, MONDAY_NOON, 1_000, power_w=power)
        assert rate(self.LADDER, Charging(MONDAY_NOON, (period,))).net_exact == price * EURO

    def test_are_the_average_where_nothing_was_measured(self):
        assert net(self.LADDER, (225, 1_000)) == 2 * EURO
        assert net(self.LADDER, (226, 1_000)) == EURO

    def test_that_nobody_knows_meet_no_restriction(self):
        period = Period(MONDAY_NOON, MONDAY_NOON, 1_000)
        assert rate(self.LADDER, Charging(MONDAY_NOON, (period,))).net_exact == 3 * EURO
        made = tariff(element(ENERGY, max_current=32), element(component("ENERGY", "1")))
        assert net(made, (600, 1_000)) == EURO

    def test_change_the_price_each_time_they_change(self):
        powers = [6_000, 48_000, 4_000, 20_000]
        periods = tuple(
            Period(MONDAY_NOON + n * 60, MONDAY_NOON + n * 60 + 60, 1_000, power_w=power)
            for n, power in enumerate(powers)
        )
        rated = rate(self.LADDER, Charging(MONDAY_NOON, periods))
        assert rated.net_exact == (1 + 3 + 1 + 2) * EURO
        assert len(rated.segments) == 4

    def test_current_is_none_while_parking(self):
        made = tariff(element(component("PARKING_TIME", "3.6"), max_current=1))
        assert volumes(rate(made, charged((600,))), LineKind.PARKING_TIME) == [600]

    @pytest.mark.parametrize(("milliamperes", "costs"), [(31_999, 1), (32_000, 2)])
    def test_current_is_held_against_the_sum_of_the_phases(self, milliamperes, costs):
        made = tariff(
            element(component("ENERGY", "1"), max_current=32),
            element(component("ENERGY", "2"), min_current=32),
        )
        period = Period(MONDAY_NOON, MONDAY_NOON, 1_000, current_ma=milliamperes)
        assert rate(made, Charging(MONDAY_NOON, (period,))).net_exact == costs * EURO


class TestElements:
    def test_the_first_that_applies_counts_for_each_dimension_by_itself(self):
        made = tariff(
            element(component("TIME", "1"), max_kwh=100),
            element(component("TIME", "7"), component("ENERGY", "0.5")),
            element(component("ENERGY", "9"), component("FLAT", "2")),
        )
        assert net(made, (3_600, 1_000)) == EURO + 500_000 + 2 * EURO

    def test_where_none_applies_nothing_is_owed(self):
        made = tariff(element(ENERGY, min_kwh=5))
        rated = rate(made, charged((3_600, 4_999)))
        assert (rated.gross_micros, rated.lines) == (0, ())

    def test_a_flat_fee_is_owed_once_and_the_first_that_counts(self):
        made = tariff(
            element(component("FLAT", "1"), end_time="13:00"), element(component("FLAT", "5"))
        )
        assert net(made, (7_200, 1_000), (60,), (60, 1)) == EURO

    def test_a_flat_fee_waits_for_its_threshold_and_is_owed_on_reaching_it(self):
        made = tariff(element(component("FLAT", "1"), min_kwh="0.001"))
        assert net(made, (600, 0)) == 0
        assert net(made, (600, 1)) == EURO
        late = tariff(element(component("FLAT", "1"), min_duration=600))
        assert (net(late, (599, 0)), net(late, (600, 0))) == (0, EURO)

    def test_a_session_without_anything_costs_nothing(self):
        made = tariff(element(component("FLAT", "1")), min_price={"excl_vat": 5})
        assert rate(made, Charging(MONDAY_NOON, ())).gross_micros == 0
        still = Period(MONDAY_NOON, MONDAY_NOON, 0)
        assert rate(made, Charging(MONDAY_NOON, (still,))).gross_micros == 0


class TestSteps:
    HOURLY = tariff(
        element(component("TIME", "6", None, 600), component("PARKING_TIME", "12", None, 300))
    )

    def test_round_charging_only_where_no_parking_costs(self):
        assert net(self.HOURLY, (601, 0)) == 2 * EURO
        assert net(self.HOURLY, (601, 0), (1,)) == 601 * Fraction(EURO, 600) + EURO

    def test_round_parking_in_total_even_if_charging_goes_on(self):
        rated = rate(self.HOURLY, charged((60, 0), (200,), (60, 0), (200,), (7, 0)))
        assert volumes(rated, LineKind.PARKING_TIME) == [600]
        assert volumes(rated, LineKind.TIME) == [127]

    def test_leave_free_parking_out(self):
        made = tariff(element(component("TIME", "6", None, 600)))
        assert volumes(rate(made, charged((601, 0), (10_000,))), LineKind.TIME) == [1_200]

    def test_are_charged_at_the_last_component(self):
        made = tariff(
            element(component("ENERGY", "1", None, 7), end_time="12:30"),
            element(component("ENERGY", "2", None, 500)),
        )
        rated = rate(made, charged((3_600, 2_100)))
        assert [(line.volume, line.step_extra) for line in rated.lines] == [
            (1_050, 0),
            (1_450, 400),
        ]

    def test_round_a_reservation_by_itself(self):
        made = tariff(
            element(component("TIME", "6", None, 600), reservation="RESERVATION"),
            element(component("TIME", "6", None, 60)),
        )
        before = Period(MONDAY_NOON - 61, MONDAY_NOON, 0, reservation=Reservation.RESERVATION)
        after = Period(MONDAY_NOON, MONDAY_NOON + 61, 0)
        rated = rate(made, Charging(MONDAY_NOON, (before, after)))
        assert [(line.kind, line.volume) for line in rated.lines] == [
            (LineKind.RESERVATION, 600),
            (LineKind.TIME, 120),
        ]

    def test_of_a_missing_step_are_of_one(self):
        lacking = tariff({"price_components": [{"type": "ENERGY", "price": "0.3", "vat": 20}]})
        assert lacking == tariff(element(ENERGY))


class TestReservations:
    TARIFF = tariff(
        element(component("FLAT", "4"), reservation="RESERVATION_EXPIRES"),
        element(component("FLAT", "1"), component("TIME", "2"), reservation="RESERVATION"),
        element(component("FLAT", "0.5"), ENERGY),
    )

    def reserved(self, kind):
        return Period(MONDAY_NOON - 3_600, MONDAY_NOON, 0, reservation=Reservation(kind))

    def test_that_expire_fall_back_on_what_any_reservation_costs(self):
        session = Charging(MONDAY_NOON - 3_600, (self.reserved("RESERVATION_EXPIRES"),))
        assert rate(self.TARIFF, session).net_exact == 6 * EURO

    def test_that_are_used_have_a_fee_of_their_own(self):
        after = Period(MONDAY_NOON, MONDAY_NOON + 60, 1_000)
        session = Charging(MONDAY_NOON, (self.reserved("RESERVATION"), after))
        assert rate(self.TARIFF, session).net_exact == 3 * EURO + 500_000 + 300_000

    def test_have_a_duration_and_a_time_of_day_of_their_own(self):
        made = tariff(
            element(component("TIME", "3.6"), max_duration=600, reservation="RESERVATION"),
            element(component("TIME", "7.2"), start_time="11:50", reservation="RESERVATION"),
        )
        after = Period(MONDAY_NOON, MONDAY_NOON + 60, 1_000)
        session = Charging(MONDAY_NOON, (self.reserved("RESERVATION"), after))
        assert volumes(rate(made, session), LineKind.RESERVATION) == [600, 600]

    def test_owe_no_least_price_unless_charging_followed(self):
        made = dataclasses.replace(
            self.TARIFF,
            min_price=tariff(element(ENERGY), min_price={"excl_vat": 50}).min_price,
        )
        session = Charging(MONDAY_NOON - 3_600, (self.reserved("RESERVATION_EXPIRES"),))
        assert rate(made, session).net_exact == 6 * EURO


class TestVat:
    def test_has_one_line_for_each_rate(self):
        made = tariff(
            element(component("FLAT", "1", 10), component("ENERGY", "0.5", "20.0")),
            element(component("TIME", "6", 20), component("PARKING_TIME", "3", None)),
        )
        rated = rate(made, charged((600, 1_000), (600,)))
        assert [(one.vat_percent, one.net_micros, one.vat_micros) for one in rated.vat_lines] == [
            (10, 1_000_000, 100_000),
            (20, 1_500_000, 300_000),
            (None, 500_000, 0),
        ]
        assert not rated.vat_known
        assert rated.cost_of(LineKind.FLAT, LineKind.TIME) == (2 * EURO, 300_000)

    def test_of_no_rate_is_not_that_of_nought_percent(self):
        made = tariff(element(component("ENERGY", "1", 0), component("FLAT", "1", None)))
        rated = rate(made, charged((60, 1_000)))
        assert [one.vat_bp for one in rated.vat_lines] == [None, 0]

    def test_inside_prices_is_taken_out(self):
        made = tariff(element(component("ENERGY", "0.12", 20)), tax_included="YES")
        rated = rate(made, charged((60, 10_000)))
        assert (rated.net_micros, rated.vat_micros, rated.gross_micros) == (
            1_000_000,
            200_000,
            1_200_000,
        )

    def test_that_does_not_apply_is_left_out(self):
        made = tariff(element(component("ENERGY", "0.12", 20)), tax_included="N/A")
        rated = rate(made, charged((60, 10_000)))
        assert (rated.net_micros, rated.vat_micros) == (1_200_000, 0)


class TestLimits:
    def limited(self, parts, **limits):
        made = tariff(element(component("FLAT", "1", 10), component("ENERGY", "0.5", 20)), **limits)
        return rate(made, charged(*parts))

    def test_move_both_amounts_each_to_its_own(self):
        rated = self.limited([(60, 10_000)], max_price={"excl_vat": 3, "incl_vat": "3.5"})
        assert (rated.net_micros, rated.vat_micros, rated.gross_micros) == (
            3_000_000,
            500_000,
            3_500_000,
        )
        assert {line.kind for line in rated.lines[2:]} == {LineKind.MAX_PRICE}

    def test_without_tax_alone_move_the_other_in_proportion(self):
        rated = self.limited([(60, 10_000)], max_price={"before_taxes": 3})
        free = self.limited([(60, 10_000)])
        assert rated.gross_exact == 3 * EURO * free.gross_exact / free.net_exact

    def test_may_bind_on_the_taxed_amount_alone(self):
        rated = self.limited([(60, 10_000)], max_price={"excl_vat": "6.2", "incl_vat": "6.5"})
        assert (rated.net_micros, rated.gross_micros) == (6_000_000, 6_500_000)

    def test_share_out_what_they_change_in_proportion(self):
        rated = self.limited([(60, 10_000)], max_price={"excl_vat": 3, "incl_vat": "3.6"})
        assert [(one.net_micros, one.vat_micros) for one in rated.vat_lines] == [
            (500_000, 600_000 * 100 // 1_100),
            (2_500_000, 600_000 - 600_000 * 100 // 1_100),
        ]

    def test_lift_a_free_session_that_took_place(self):
        made = tariff(element(ENERGY, min_kwh=9), min_price={"excl_vat": 1, "incl_vat": "1.2"})
        rated = rate(made, charged((60, 100)))
        assert (rated.net_micros, rated.gross_micros) == (EURO, 1_200_000)
        assert [line.kind for line in rated.lines] == [LineKind.MIN_PRICE]


class TestCharging:
    @pytest.mark.parametrize(
        ("periods", "where"),
        [
            ((Period(100, 99, 0),), "periods[0]"),
            ((Period(99, 120, 0),), "periods[0]"),
            ((Period(100, 120, 0), Period(119, 130, 0)), "periods[1]"),
            ((Period(100, 120, -1),), "periods[0].energy_wh"),
            (
                (Period(90, 95, 1, reservation=Reservation.RESERVATION),),
                "periods[0].energy_wh",
            ),
        ],
    )
    def test_refuses_periods_that_no_session_has(self, periods, where):
        with pytest.raises(BadChargingError) as fault:
            Charging(100, periods)
        assert fault.value.where == where

    def test_refuses_an_offset_of_more_than_a_day(self):
        with pytest.raises(BadChargingError):
            Charging(0, (), 24 * 60)

    def test_costs_nothing_in_a_gap(self):
        made = tariff(element(component("TIME", "3.6")))
        periods = (Period(0, 60, 0), Period(600, 660, 0))
        assert volumes(rate(made, Charging(0, periods)), LineKind.TIME) == [120]


parts = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 7_200), st.integers(0, 20_000)),
        st.tuples(st.integers(1, 7_200)),
    ),
    min_size=1,
    max_size=6,
)
starts = st.integers(MONDAY_NOON, MONDAY_NOON + 7 * 86_400)


class TestLaws:
    @given(parts, starts, st.integers(-720, 720))
    @settings(max_examples=200, deadline=None)
    def test_lines_and_rates_add_up_to_the_total(self, session, start, offset):
        rated = rate(MANY_PARTS, charged(*session, start=start, offset=offset))
        net_exact = sum(line.net_exact for line in rated.lines)
        vat_exact = sum(line.vat_exact for line in rated.lines)
        assert (net_exact, net_exact + vat_exact) == (rated.net_exact, rated.gross_exact)
        assert sum(one.net_micros for one in rated.vat_lines) == rated.net_micros
        assert sum(one.vat_micros for one in rated.vat_lines) == rated.vat_micros
        assert rated.net_micros + rated.vat_micros == rated.gross_micros
        assert rated.cost_of(*LineKind) == (net_exact, vat_exact)
        assert rated.gross_micros == rated.gross_exact // 1

    @given(parts, starts)
    @settings(max_examples=100, deadline=None)
    def test_vat_of_each_rate_is_that_rate_of_its_net(self, session, start):
        for one in rate(MANY_PARTS, charged(*session, start=start)).vat_lines:
            assert one.vat_exact == one.net_exact * Fraction(one.vat_percent or 0) / 100

    @given(parts, starts)
    @settings(max_examples=200, deadline=None)
    def test_segments_hold_all_energy_and_all_time(self, session, start):
        rated = rate(MANY_PARTS, charged(*session, start=start))
        assert sum(one.energy_wh for one in rated.segments) == sum(sum(p[1:]) for p in session)
        assert sum(one.end_s - one.begin_s for one in rated.segments) == sum(p[0] for p in session)

    @given(parts, starts, st.data())
    @settings(max_examples=200, deadline=None)
    def test_a_period_in_two_costs_what_it_cost_in_one(self, session, start, data):
        whole = charged(*session, start=start)
        index = data.draw(st.integers(0, len(session) - 1))
        one = whole.periods[index]
        middle = data.draw(st.integers(one.begin_s, one.end_s))
        first_wh = Fraction(one.energy_wh) * (middle - one.begin_s) / (one.end_s - one.begin_s)
        halves = (
            dataclasses.replace(one, end_s=middle, energy_wh=first_wh),
            dataclasses.replace(one, begin_s=middle, energy_wh=one.energy_wh - first_wh),
        )
        periods = (*whole.periods[:index], *halves, *whole.periods[index + 1 :])
        assert rate(MANY_PARTS, dataclasses.replace(whole, periods=periods)) == rate(
            MANY_PARTS, whole
        )

    @given(parts, starts, st.integers(0, 5))
    @settings(max_examples=200, deadline=None)
    def test_going_on_never_costs_less(self, session, start, count):
        part = charged(*session[: count + 1], start=start)
        whole = charged(*session, start=start)
        assert rate(MANY_PARTS, part).gross_exact <= rate(MANY_PARTS, whole).gross_exact

    @given(parts, starts)
    @settings(max_examples=100, deadline=None)
    def test_no_float_is_anywhere(self, session, start):
        rated = rate(MANY_PARTS, charged(*session, start=start))
        assert "float" not in {type(value).__name__ for value in leaves(rated)}

    def test_the_same_session_costs_the_same_in_every_zone_that_agrees(self):
        behind = timezone(timedelta(hours=-5))
        session = [(40_000, 30_000), (20_000,)]
        assert rate(MANY_PARTS, charged(*session, offset=-300)) == rate(
            MANY_PARTS, charged(*session, zone=behind)
        )


def leaves(value):
    """Yield every value inside a dataclass or a tuple."""
    if dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from leaves(getattr(value, one.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


@pytest.mark.parametrize(
    ("amount", "cents"),
    [(0, 0), (4_999, 0), (5_000, 1), (14_999, 1), (15_000, 2), (Fraction(10_001, 2), 1)],
)
def test_half_a_cent_is_shown_as_one(amount, cents):
    assert display_cents(amount) == cents


def test_prices_are_read_as_they_are_written():
    made = loads_tariff(
        '{"id":"x","currency":"EUR","elements":[{"price_components":'
        '[{"type":"ENERGY","price":0.1,"vat":19}]}]}'
    )
    assert made.elements[0].components[0].price == Decimal("0.1")
    assert rate(made, charged((60, 3))).net_exact == 300
