"""Everything that happens: complete, in order, the same for a seed, and true to the data."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.field.dataset import ChargingStay, load_dataset
from devnet.field.events import (
    DriverArrives,
    FeederReading,
    HomeReadings,
    IntervalOver,
    Priority,
    SessionStops,
    SliceBoundary,
    canonical_order,
)
from devnet.field.parameters import load_parameters
from devnet.field.schedule import (
    DaysError,
    Draw,
    IntervalLengthError,
    build_schedule,
    draw_of,
    feeder_losses_wh,
    initial_register_wh,
)

WEEK, PARAMETERS = load_dataset(), load_parameters()
SCHEDULE = build_schedule(WEEK, PARAMETERS, seed=1, days=7)


def of(kind, schedule=SCHEDULE):
    return [event for event in schedule.events if isinstance(event, kind)]


def slices_by_session(schedule=SCHEDULE):
    slices = defaultdict(list)
    for event in schedule.events:
        if isinstance(event, (SliceBoundary, SessionStops)):
            slices[event.session].append(event.slice)
    return slices


def energy_by_hour(schedule=SCHEDULE):
    """Return imports of homes, of stations, exports of homes, by hour, from the events alone."""
    homes_in, stations_in, homes_out = defaultdict(int), defaultdict(int), defaultdict(int)
    last = {}
    for event in of(HomeReadings, schedule):
        before = last.get(event.home)
        if before is not None:
            homes_in[before.at_s] += event.import_wh - before.import_wh
            homes_out[before.at_s] += event.export_wh - before.export_wh
        last[event.home] = event
    for slices in slices_by_session(schedule).values():
        for part in slices:
            stations_in[part.begin_s // 3600 * 3600] += part.energy_wh
    return homes_in, stations_in, homes_out


class TestTheWholeWeek:
    def test_plays_every_session_to_the_watt_hour(self):
        assert len(SCHEDULE.stays) == 233
        assert (SCHEDULE.requested_wh, SCHEDULE.delivered_wh) == (3_565_910, 1_917_881)
        assert sum(stop.energy_wh for stop in of(SessionStops)) == 1_917_881
        assert sum(arrival.requested_wh for arrival in of(DriverArrives)) == 3_565_910

    def test_plays_every_hour(self):
        assert len(of(IntervalOver)) == 168
        assert len(of(HomeReadings)) == 17 * 169
        assert len(of(FeederReading)) == 169
        assert [over.interval for over in of(IntervalOver)] == list(range(415_063, 415_231))

    def test_lets_neighbors_trade_402_151_wh_without_stations_and_1_186_169_wh_with_them(self):
        homes_in, stations_in, homes_out = energy_by_hour()
        alone = sum(min(homes_out[hour], homes_in[hour]) for hour in homes_in)
        together = sum(
            min(homes_out[hour], homes_in[hour] + stations_in[hour]) for hour in homes_in
        )
        assert (alone, together) == (402_151, 1_186_169)

    def test_draws_all_energy_before_the_last_hour_is_over(self):
        late = [
            s for parts in slices_by_session().values() for s in parts if s.end_s > SCHEDULE.end_s
        ]
        assert late
        assert sum(part.energy_wh for part in late) == 0

    def test_begins_with_the_readings_of_every_meter_and_ends_with_the_last_departure(self):
        first = SCHEDULE.events[:18]
        assert [event.at_s for event in first] == [SCHEDULE.first_s] * 18
        assert [event.actor for event in first] == [*WEEK.homes, "feeder-head"]
        assert isinstance(SCHEDULE.events[-1], SessionStops)

    def test_starts_no_register_at_zero(self):
        starts = [event for event in SCHEDULE.events if event.at_s == SCHEDULE.first_s]
        for event in starts:
            assert min(event.import_wh, event.export_wh) >= 100_000
        assert min(arrival.begin_wh for arrival in of(DriverArrives)) >= 100_000


class TestOrder:
    def test_is_canonical_and_total(self):
        keys = [canonical_order(event) for event in SCHEDULE.events]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)

    def test_at_one_instant_is_stops_arrivals_slices_homes_feeder_over(self):
        kinds = (
            SessionStops,
            DriverArrives,
            SliceBoundary,
            HomeReadings,
            FeederReading,
            IntervalOver,
        )
        assert [priority.name for priority in sorted(Priority)] == [
            "STOP", "ARRIVE", "SLICE", "HOME", "FEEDER", "OVER",
        ]  # fmt: skip
        for priority, kind in zip(Priority, kinds, strict=True):
            assert {event.priority for event in of(kind)} == {priority}

    def test_brings_every_slice_of_an_interval_before_it_is_over(self):
        over_at = {
            event.interval: n
            for n, event in enumerate(SCHEDULE.events)
            if isinstance(event, IntervalOver)
        }
        for n, event in enumerate(SCHEDULE.events):
            if isinstance(event, (SliceBoundary, SessionStops)):
                interval = event.slice.begin_s // 3600
                assert n < over_at.get(interval, len(SCHEDULE.events))


class TestASession:
    def test_is_cut_into_slices_that_sum_to_end_minus_begin(self):
        slices = slices_by_session()
        assert len(slices) == 233
        for stop in of(SessionStops):
            parts = slices[stop.session]
            assert sum(part.energy_wh for part in parts) == stop.end_wh - stop.begin_wh
            assert (parts[0].begin_wh, parts[-1].end_wh) == (stop.begin_wh, stop.end_wh)
            assert (parts[0].begin_s, parts[-1].end_s) == (stop.begin_s, stop.at_s)
            assert parts[-1] == stop.slice

    def test_has_slices_that_touch_and_lie_in_one_hour_each(self):
        for parts in slices_by_session().values():
            for before, part in pairwise(parts):
                assert (part.begin_s, part.begin_wh) == (before.end_s, before.end_wh)
                assert part.page == before.page + 1
            for part in parts:
                assert part.begin_s < part.end_s
                assert part.begin_s // 3600 == (part.end_s - 1) // 3600
                assert part.energy_wh >= 0

    def test_stays_within_the_rated_power_of_its_station(self):
        rated_w = PARAMETERS.station.rated_w
        for parts in slices_by_session().values():
            for part in parts:
                assert part.energy_wh * 3600 <= rated_w * (part.end_s - part.begin_s) + 3600
        for stop in of(SessionStops):
            assert stop.energy_wh * 3600 <= rated_w * (stop.at_s - stop.begin_s)

    def test_takes_what_the_data_says(self):
        delivered = {stay.session: stay.delivered_wh for stay in WEEK.stays}
        assert {stop.session: stop.energy_wh for stop in of(SessionStops)} == delivered

    def test_has_a_driver_of_its_own(self):
        drivers = [arrival.driver for arrival in of(DriverArrives)]
        assert drivers == [f"driver-{n:03d}" for n in range(1, 234)]


class TestAStationMeter:
    def test_goes_on_from_session_to_session(self):
        by_station = defaultdict(list)
        for stop in of(SessionStops):
            by_station[stop.station].append(stop)
        assert len(by_station) == 42
        for station, stops in by_station.items():
            assert stops[0].begin_wh == initial_register_wh(1, station, "import")
            assert [stop.page for stop in stops] == list(range(1, len(stops) + 1))
            for before, stop in pairwise(stops):
                assert stop.begin_wh == before.end_wh

    def test_numbers_its_fiscal_records_without_gap(self):
        pages = defaultdict(list)
        for event in SCHEDULE.events:
            if isinstance(event, (SliceBoundary, SessionStops)):
                pages[event.station].append(event.slice.page)
        assert all(found == list(range(1, len(found) + 1)) for found in pages.values())


class TestTheFeederHead:
    def test_balances_with_every_meter_behind_it_and_two_percent_of_losses(self):
        homes_in, stations_in, homes_out = energy_by_hour()
        for before, reading in pairwise(of(FeederReading)):
            hour = before.at_s
            imports_wh = homes_in[hour] + stations_in[hour]
            losses_wh = max(imports_wh, homes_out[hour]) * 2 // 100
            head_in = reading.import_wh - before.import_wh
            head_out = reading.export_wh - before.export_wh
            assert homes_out[hour] + head_in == imports_wh + head_out + losses_wh
            assert min(head_in, head_out) == 0

    def test_sees_energy_flow_both_ways(self):
        first, *_, last = of(FeederReading)
        assert last.import_wh > first.import_wh
        assert last.export_wh > first.export_wh

    @given(
        st.integers(min_value=0, max_value=10**9),
        st.integers(min_value=0, max_value=10**9),
        st.integers(min_value=0, max_value=10_000),
    )
    def test_never_loses_more_than_the_declared_share(self, imports_wh, exports_wh, losses_bp):
        losses_wh = feeder_losses_wh(imports_wh, exports_wh, losses_bp)
        assert 0 <= losses_wh * 10_000 <= max(imports_wh, exports_wh) * losses_bp


class TestAHome:
    def test_counts_load_less_sun_in_and_sun_less_load_out(self):
        hours = {(hour.home, hour.start_s): hour for hour in WEEK.home_hours}
        last = {}
        for event in of(HomeReadings):
            before = last.get(event.home)
            last[event.home] = event
            if before is None:
                assert event.sequence == 1
                continue
            hour = hours[event.home, before.at_s]
            assert event.sequence == before.sequence + 1
            taken, given_ = event.import_wh - before.import_wh, event.export_wh - before.export_wh
            assert taken - given_ == hour.load_wh - hour.pv_wh
            assert min(taken, given_) == 0
            assert event.generation_wh - before.generation_wh == hour.pv_wh


class TestBuildSchedule:
    def test_gives_the_same_events_for_the_same_seed(self):
        assert build_schedule(WEEK, PARAMETERS, seed=1, days=7) == SCHEDULE

    def test_gives_other_registers_and_the_same_energies_for_another_seed(self):
        other = build_schedule(WEEK, PARAMETERS, seed=2, days=7)
        assert other.events != SCHEDULE.events
        assert energy_by_hour(other) == energy_by_hour()
        assert [canonical_order(e) for e in other.events] == [
            canonical_order(e) for e in SCHEDULE.events
        ]

    @pytest.mark.parametrize(("days", "sessions"), [(1, 38), (2, 86), (6, 223), (7, 233)])
    def test_plays_fewer_days_with_the_sessions_that_are_done_by_then(self, days, sessions):
        short = build_schedule(WEEK, PARAMETERS, seed=1, days=days)
        assert len(of(IntervalOver, short)) == 24 * days
        assert len(short.stays) == sessions
        assert sum(energy_by_hour(short)[1].values()) == short.delivered_wh
        late = [
            s for ps in slices_by_session(short).values() for s in ps if s.begin_s >= short.end_s
        ]
        assert sum(part.energy_wh for part in late) == 0

    def test_plays_the_same_sessions_however_many_days_follow(self):
        short = build_schedule(WEEK, PARAMETERS, seed=1, days=1)
        done = {arrival.session: arrival for arrival in of(DriverArrives)}
        for arrival in of(DriverArrives, short):
            assert done[arrival.session].driver == arrival.driver

    @pytest.mark.parametrize("days", [0, -1, 8])
    def test_refuses_days_that_the_data_does_not_hold(self, days):
        with pytest.raises(DaysError, match="1 to 7") as caught:
            build_schedule(WEEK, PARAMETERS, seed=1, days=days)
        assert caught.value.held == 7

    def test_refuses_intervals_that_are_no_hours(self):
        community = replace(PARAMETERS.community, interval_s=900)
        with pytest.raises(IntervalLengthError, match="900"):
            build_schedule(WEEK, replace(PARAMETERS, community=community), seed=1, days=7)


STAYS = st.builds(
    lambda arrival_s, length_s, delivered_wh: ChargingStay(
        session="s",
        station="CA-1",
        arrival_s=arrival_s,
        departure_s=arrival_s + length_s,
        declared_departure_s=arrival_s,
        requested_wh=delivered_wh,
        delivered_wh=delivered_wh,
        declared_by_driver=True,
    ),
    st.integers(min_value=0, max_value=10**9),
    st.integers(min_value=1, max_value=90_000),
    st.integers(min_value=0, max_value=200_000),
)


class TestDraw:
    @given(STAYS)
    def test_reaches_the_energy_by_the_departure_and_never_passes_it(self, stay):
        draw = draw_of(stay, 6_656)
        length_s = stay.departure_s - stay.arrival_s
        assert draw.energy_wh(0) == 0
        assert draw.energy_wh(length_s) == stay.delivered_wh
        assert draw.energy_wh(10 * length_s) == stay.delivered_wh
        assert draw.done_after_s <= length_s

    @given(STAYS)
    def test_is_done_exactly_when_it_says(self, stay):
        draw = draw_of(stay, 6_656)
        assert draw.energy_wh(draw.done_after_s) == stay.delivered_wh
        if draw.done_after_s:
            assert draw.energy_wh(draw.done_after_s - 1) < stay.delivered_wh

    @given(STAYS, st.integers(min_value=0, max_value=90_000))
    def test_never_runs_backwards(self, stay, elapsed_s):
        draw = draw_of(stay, 6_656)
        assert draw.energy_wh(elapsed_s) <= draw.energy_wh(elapsed_s + 1)

    @given(STAYS)
    def test_draws_no_more_power_than_it_needs_to(self, stay):
        power_w = draw_of(stay, 6_656).power_w
        needed = stay.delivered_wh * 3600
        length_s = stay.departure_s - stay.arrival_s
        assert power_w >= 6_656
        assert power_w == 6_656 or (power_w - 1) * length_s < needed

    def test_is_faster_for_four_sessions_of_the_week(self):
        powers = [draw_of(stay, 6_656).power_w for stay in WEEK.stays]
        assert sorted(powers)[-5] == 6_656
        assert sum(1 for power_w in powers if power_w > 6_656) == 4
        assert max(powers) <= PARAMETERS.station.rated_w

    def test_floors_to_whole_watt_hours(self):
        assert Draw(delivered_wh=10, power_w=6_656).energy_wh(1) == 1
        assert Draw(delivered_wh=10, power_w=3_599).energy_wh(1) == 0
