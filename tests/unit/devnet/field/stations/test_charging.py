"""A car draws the same however the time is cut, and never more than it is let through."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from devnet.field.stations.charging import Charge, Curve, MeterState, Plate
from ledger.units import (
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    WattHours,
    Watts,
    cost_floor,
)

BEGIN_S = UnixSeconds(1_494_244_803)
METER = MeterState(WattHours(5_000), fiscal_page=3, transaction_page=2)
CURVE = Curve(Watts(7_200), WattHours(10_000))
cuts = st.lists(st.integers(1, 3_000), min_size=1, max_size=12)


def charge(curve=CURVE):
    return Charge(curve, METER, BEGIN_S)


def after(seconds, curve=CURVE):
    one = charge(curve)
    one.advance(UnixSeconds(BEGIN_S + seconds))
    return one


class TestCurve:
    def test_is_full_power_up_to_the_knee(self):
        assert [CURVE.power_at(WattHours(wh)) for wh in (0, 5_000, 8_000)] == [7_200] * 3

    def test_fades_after_it_and_never_rises(self):
        powers = [CURVE.power_at(WattHours(wh)) for wh in range(8_000, 10_001, 50)]
        assert all(later <= earlier for earlier, later in pairwise(powers))
        assert CURVE.power_at(WattHours(9_000)) == 3_600

    def test_is_at_least_a_tenth_until_the_car_is_full(self):
        assert CURVE.power_at(WattHours(9_999)) == 720
        assert CURVE.power_at(WattHours(10_000)) == 0
        assert CURVE.power_at(WattHours(10_001)) == 0

    def test_is_full_to_the_end_with_its_knee_there(self):
        square = Curve(Watts(1_000), WattHours(100), BasisPoints(10_000))
        assert [square.power_at(WattHours(wh)) for wh in (0, 99, 100)] == [1_000, 1_000, 0]

    def test_of_a_car_that_wants_nothing_is_nothing(self):
        assert Curve(Watts(7_200), WattHours(0)).power_at(WattHours(0)) == 0


class TestPlate:
    @given(
        limit=st.integers(0, 10**8),
        price=st.integers(1, 10**6),
        flat=st.integers(0, 10**6),
    )
    def test_affords_the_most_energy_that_the_limit_pays_for(self, limit, price, flat):
        plate = Plate(MicrosPerKilowattHour(price), Micros(flat))
        most_wh = plate.affordable_wh(Micros(limit))
        if limit < flat:
            assert most_wh == 0
            return
        cost = [cost_floor(WattHours(most_wh + more), price) + flat for more in (0, 1)]
        assert cost[0] <= limit < cost[1]


class TestCharge:
    def test_draws_its_power_for_its_time(self):
        assert after(600).register_wh == 5_000 + 1_200
        assert after(600).power_w == 7_200

    @example([*[1] * 8, 2_020, 3_000, 4, 402])
    @given(cuts)
    def test_draws_the_same_however_the_time_is_cut(self, parts):
        one = charge()
        for part in parts:
            one.advance(UnixSeconds(one.at_s + part))
        assert one.register_wh == after(sum(parts)).register_wh

    @given(cuts)
    def test_its_slices_are_its_whole_without_gap_or_overlap(self, parts):
        one = charge()
        slices = []
        for part in parts:
            one.advance(UnixSeconds(one.at_s + part))
            slices.append(one.cut())
        whole = one.close()
        assert sum(part.energy_wh for part in slices) == whole.energy_wh
        assert (slices[0].begin_s, slices[-1].end_s) == (whole.begin_s, whole.end_s)
        assert all(
            (earlier.end_s, earlier.end_wh, earlier.page + 1)
            == (later.begin_s, later.begin_wh, later.page)
            for earlier, later in pairwise(slices)
        )
        assert slices[0].page == METER.fiscal_page + 1

    def test_cuts_no_slice_without_time(self):
        one = after(60)
        assert one.cut() is not None
        assert one.cut() is None
        assert one.meter.fiscal_page == METER.fiscal_page + 1

    def test_stops_at_what_the_car_wants(self):
        one = after(100_000)
        assert one.taken_wh == 10_000
        assert one.is_full
        assert one.power_w == 0

    @given(allowed=st.integers(0, 12_000), seconds=st.integers(0, 20_000))
    def test_never_draws_more_than_it_is_let_through(self, allowed, seconds):
        one = charge()
        one.allowed_wh = WattHours(allowed)
        one.advance(UnixSeconds(BEGIN_S + seconds))
        assert one.taken_wh <= allowed
        assert one.is_spent == (one.taken_wh == allowed)

    def test_goes_on_where_it_stood_when_more_is_let_through(self):
        one = charge()
        one.allowed_wh = WattHours(100)
        one.advance(UnixSeconds(BEGIN_S + 1_000))
        assert (one.taken_wh, one.power_w) == (100, 0)
        one.allowed_wh = WattHours(200)
        assert one.power_w == 7_200
        one.advance(UnixSeconds(BEGIN_S + 2_000))
        assert one.taken_wh == 200

    def test_keeps_its_energy_when_less_is_let_through_than_it_has(self):
        one = after(600)
        one.allowed_wh = WattHours(10)
        one.advance(UnixSeconds(BEGIN_S + 1_200))
        assert one.taken_wh == 1_200

    def test_draws_nothing_while_it_is_closed(self):
        one = after(600)
        one.closed = True
        one.advance(UnixSeconds(BEGIN_S + 1_200))
        assert (one.taken_wh, one.power_w) == (1_200, 0)

    def test_never_goes_back_in_time(self):
        one = after(600)
        one.advance(BEGIN_S)
        assert one.at_s == BEGIN_S + 600

    def test_leaves_the_meter_for_the_next_car(self):
        one = after(600)
        one.cut()
        whole = one.close()
        assert one.meter == MeterState(WattHours(6_200), fiscal_page=4, transaction_page=3)
        assert (whole.page, whole.begin_wh, whole.end_wh) == (3, 5_000, 6_200)
        assert one.closed
