"""A batch settles as the service does: one run an interval, limits by local time, deposits kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ledger.units import UnixSeconds
from settlement.engine.batch.model import (
    MeterKind,
    Residual,
    ResidualPriceMissingError,
)
from settlement.engine.batch.running import NothingToSettleError, settle_batch, span_of
from settlement.engine.batch.totals import BatchNotZeroError, Totals
from settlement.trading.lines import Kind
from settlement.trading.mandates import Band, mandate_hash
from tests.unit.settlement.batch.villages import (
    ANA,
    BEGIN_S,
    BO,
    QUARTER_S,
    batch,
    community,
    member,
    meter,
    price,
    series,
)


def sunny(count=2):
    """Ana makes 1,000 Wh in each quarter, Bo uses 400."""
    roof = meter("roof", "ana", MeterKind.PV, series(*((q, q * 1_000) for q in range(count + 1))))
    load = meter("load", "bo", MeterKind.LOAD, series(*((q, q * 400) for q in range(count + 1))))
    return roof, load


def runs_of(village):
    return list(settle_batch(village, span_of(village)))


class TestSettleBatch:
    def test_settles_each_interval_once_in_the_order_of_time(self):
        runs = runs_of(batch(*sunny(3)))
        assert [one.inputs.run for one in runs] == [1, 2, 3]
        assert [one.begin_s for one in runs] == [
            BEGIN_S + quarter * QUARTER_S for quarter in range(3)
        ]
        assert all(one.end_s - one.begin_s == QUARTER_S for one in runs)

    def test_neighbors_trade_at_the_midpoint_and_the_supplier_takes_the_rest(self):
        run, _ = runs_of(batch(*sunny()))
        assert run.settlement.traded_wh == 400
        assert run.settlement.price == (80_000 + 80_000) // 2
        assert {one.kind for one in run.settlement.lines} == {
            *(Kind.ENERGY, Kind.TOLL, Kind.LEVY, Kind.VAT, Kind.RESIDUAL),
        }

    def test_the_order_hash_is_that_of_the_limits(self):
        run, _ = runs_of(batch(*sunny()))
        limits = {one.mandate.member: mandate_hash(one.mandate) for one in community().members}
        hashes = {leaf.account: leaf.order_hash for leaf in run.settlement.leaves}
        assert {account: hashes[account] for account in limits} == limits

    def test_a_member_without_a_meter_takes_no_part(self):
        village = batch(sunny()[0])
        assert all(not one.settlement.trades for one in runs_of(village))

    def test_a_deposit_is_spent_once(self):
        """Bo has enough for the first quarter hour, and not for the second."""
        cost = 400 * 80_000 // 1_000 + 400 * 20_000 // 1_000 + 400 * 10_000 // 1_000
        due = cost + cost * 2_000 // 10_000
        at_limit = 400 * 200_000 * 12_000 // 10_000 // 1_000
        members = (member("ana", ANA), member("bo", BO, deposit=at_limit))
        first, second = runs_of(batch(*sunny(), members=members))
        assert dict(first.settlement.deltas)[BO] == -due
        spendable = {one.account: one.spendable_micros for one in second.inputs.members}
        assert spendable[BO] == at_limit - due
        assert 0 < second.settlement.traded_wh < 400

    def test_a_cap_binds_in_every_interval_anew(self):
        members = (member("ana", ANA), member("bo", BO, cap=24_000))
        first, second = runs_of(batch(*sunny(), members=members))
        assert first.settlement.traded_wh == second.settlement.traded_wh == 100

    def test_permuted_members_and_meters_come_to_the_same_roots(self):
        roof, load = sunny()
        turned = batch(load, roof, members=(member("bo", BO), member("ana", ANA)))
        roots = [[one.settlement.root for one in runs_of(v)] for v in (batch(roof, load), turned)]
        assert roots[0] == roots[1]


class TestBands:
    @pytest.mark.parametrize(
        ("day", "quarters", "trading"),
        [
            # Bo buys from 02:00 to 04:00 local time: 8 quarter hours, 4 when the clock jumps over
            # 02:00 to 03:00, 12 when it does so twice.
            (datetime(2026, 3, 28, tzinfo=ZoneInfo("Europe/Paris")), 96, 8),
            (datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Paris")), 92, 4),
            (datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Paris")), 100, 12),
        ],
    )
    def test_follow_local_time_over_changes_of_the_clock(self, day, quarters, trading):
        next_day = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=day.tzinfo)
        begins_s, ends_s = int(day.timestamp()), int(next_day.timestamp())
        nothing, something = (price(8), price(-1)), (price(8), price(20))
        bands = (
            Band(0, 120, *nothing),
            Band(120, 240, *something),
            Band(240, 1_440, *nothing),
        )
        members = (member("ana", ANA), member("bo", BO, bands=bands))
        first = (begins_s - BEGIN_S) // QUARTER_S
        shown = [(first + quarter, quarter * 100) for quarter in range(quarters + 1)]
        village = batch(
            meter("roof", "ana", MeterKind.PV, series(*shown)),
            meter("load", "bo", MeterKind.LOAD, series(*shown)),
            members=members,
            time_zone=day.tzinfo,
        )
        span = span_of(village, UnixSeconds(begins_s), UnixSeconds(ends_s))
        assert len(span) == quarters
        runs = list(settle_batch(village, span))
        assert sum(bool(one.settlement.trades) for one in runs) == trading


class TestSpanOf:
    def test_holds_whole_intervals_only(self):
        roof = meter("roof", "ana", MeterKind.PV, series((0, 0), (1, 5), (3, 9)))
        assert len(span_of(batch(roof))) == 3
        inside = UnixSeconds(BEGIN_S + 1), UnixSeconds(BEGIN_S + 3 * QUARTER_S - 1)
        assert len(span_of(batch(roof), *inside)) == 1

    def test_of_no_readings_is_refused(self):
        with pytest.raises(NothingToSettleError):
            span_of(batch())


class TestResidual:
    def test_a_price_of_an_interval_goes_before_the_price_of_all(self):
        residual = Residual(price(5), price(25), {BEGIN_S: price(30)})
        assert residual.prices(UnixSeconds(BEGIN_S)) == (price(5), price(30))
        assert residual.prices(UnixSeconds(BEGIN_S + QUARTER_S)) == (price(5), price(25))

    def test_a_missing_price_says_when(self):
        with pytest.raises(ResidualPriceMissingError, match=r"2026-06-01T10:00:00\+00:00"):
            Residual(price(5), None).prices(
                UnixSeconds(int(datetime(2026, 6, 1, 10, tzinfo=UTC).timestamp()))
            )


class TestTotals:
    def test_sum_to_zero_over_all_roles(self):
        totals = Totals()
        for run in runs_of(batch(*sunny())):
            totals.add(run)
        assert totals.zero_sum
        assert totals.traded_wh + totals.residual_out_wh == totals.surplus_wh == 2_000
        assert totals.traded_wh + totals.residual_in_wh == totals.deficit_wh == 800
        assert totals.self_sufficiency_percent == 100

    def test_refuse_a_run_whose_energy_is_in_no_line(self):
        run, _ = runs_of(batch(*sunny()))
        settled = run.settlement
        lines = tuple(one for one in settled.lines if one.kind is not Kind.RESIDUAL)
        with pytest.raises(BatchNotZeroError, match="600 Wh were metered, 0 Wh are in lines"):
            Totals().add(_with(run, lines=lines))

    def test_refuse_a_run_whose_money_comes_from_nowhere(self):
        run, _ = runs_of(batch(*sunny()))
        with pytest.raises(BatchNotZeroError, match="does not sum to zero"):
            Totals().add(_with(run, deltas=run.settlement.deltas[:-1]))


def _with(run, **changes):
    return replace(run, settlement=replace(run.settlement, **changes))
