"""Registers become energies: what is silent is flagged, and nothing is counted twice."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import UnixSeconds
from scripts.benchmarks.market.weeks import sign_all
from settlement.engine.batch.measuring import Walk
from settlement.engine.batch.model import MeterKind, Series
from settlement.metering.readings import Quality, reading_digest
from settlement.metering.signatures import WrongSignerError
from tests.unit.settlement.batch.villages import BEGIN_S, QUARTER_S, batch, meter, series


def quarters(walk, count):
    """Walk over quarter hours; return what was measured in each, and all readings read."""
    measured, read = [], []
    for quarter in range(count):
        begin_s = UnixSeconds(BEGIN_S + quarter * QUARTER_S)
        found, fresh = walk.interval(begin_s, UnixSeconds(begin_s + QUARTER_S))
        measured.append(found)
        read += fresh
    return measured, read


class TestWalk:
    def test_takes_the_difference_of_registers(self):
        roof = meter("roof", "ana", MeterKind.PV, series((0, 100), (1, 350), (2, 350)))
        first, second = quarters(Walk(batch(roof)), 2)[0]
        assert (first["ana"].export_wh, first["ana"].import_wh) == (250, 0)
        assert second["ana"].export_wh == 0
        assert not first["ana"].estimated

    def test_adds_all_meters_of_a_member(self):
        roof = meter("roof", "ana", MeterKind.PV, series((0, 0), (1, 300)))
        load = meter("load", "ana", MeterKind.LOAD, series((0, 7), (1, 47)))
        pump = meter("pump", "ana", MeterKind.LOAD, series((0, 0), (1, 5)))
        (found,), _ = quarters(Walk(batch(roof, load, pump)), 1)
        assert (found["ana"].import_wh, found["ana"].export_wh) == (45, 300)

    def test_a_silent_register_counts_nothing_and_says_so(self):
        load = meter("load", "ana", MeterKind.LOAD, series((0, 0), (1, 10), (3, 70), (4, 80)))
        measured, _ = quarters(Walk(batch(load)), 4)
        assert [one["ana"].import_wh for one in measured] == [10, 0, 60, 10]
        assert [one["ana"].estimated for one in measured] == [False, True, False, False]

    def test_a_register_that_never_spoke_before_counts_nothing(self):
        load = meter("load", "ana", MeterKind.LOAD, series((1, 500), (2, 510)))
        measured, _ = quarters(Walk(batch(load)), 2)
        assert [one["ana"].import_wh for one in measured] == [0, 10]
        assert [one["ana"].estimated for one in measured] == [True, False]

    def test_one_silent_register_of_two_flags_the_member(self):
        both = meter("main", "ana", MeterKind.MAIN, series((0, 0), (1, 10)))
        (found,), _ = quarters(Walk(batch(both)), 1)
        assert found["ana"].estimated

    def test_an_estimated_reading_flags_the_member(self):
        load = meter("load", "ana", MeterKind.LOAD, series((0, 0), (1, 9), (2, 20), estimated=(1,)))
        measured, read = quarters(Walk(batch(load)), 2)
        assert [one["ana"].estimated for one in measured] == [True, False]
        assert [one.reading.quality for one in read][1] is Quality.ESTIMATED

    def test_readings_within_an_interval_are_passed_over(self):
        inside = Series(
            array("q", (BEGIN_S, BEGIN_S + 300, BEGIN_S + 900)), *[array("q", (0, 4, 9))] * 2
        )
        (found,), _ = quarters(Walk(batch(meter("load", "ana", MeterKind.LOAD, inside))), 1)
        assert found["ana"].import_wh == 9

    def test_every_reading_is_read_once_and_hashed_as_gateways_sign_it(self):
        village = batch(
            meter("main", "ana", MeterKind.MAIN, series((0, 0), (1, 1)), series((0, 0), (1, 0))),
            meter("roof", "bo", MeterKind.PV, series((0, 0), (1, 1), (2, 2))),
        )
        measured, read = quarters(Walk(village), 2)
        said = [(one.reading.meter_id, one.reading.register, one.reading.at_s) for one in read]
        assert len(said) == len(set(said)) == 7
        domain = village.community.domain
        assert all(one.digest == reading_digest(domain, one.reading) for one in read)
        of_main = [one.digest for one in read if one.reading.meter_id == village.meters[0].meter_id]
        assert measured[0]["ana"].digests == of_main

    @given(
        counted=st.lists(st.integers(0, 5_000), min_size=1, max_size=12),
        silent=st.sets(st.integers(1, 11)),
    )
    def test_what_is_counted_over_all_intervals_is_what_the_register_ran(self, counted, silent):
        shown = [sum(counted[:place]) for place in range(len(counted) + 1)]
        spoken = [
            (quarter, register)
            for quarter, register in enumerate(shown)
            if quarter not in silent or quarter == len(counted)
        ]
        load = meter("load", "ana", MeterKind.LOAD, series(*spoken))
        measured, _ = quarters(Walk(batch(load)), len(counted))
        assert sum(one["ana"].import_wh for one in measured) == sum(counted)


class TestSignedReadings:
    def test_are_verified(self):
        plain = batch(meter("roof", "ana", MeterKind.PV, series((0, 0), (1, 5))))
        _, read = quarters(Walk(sign_all(plain)), 1)
        assert [len(one.signature) for one in read] == [65, 65]

    @pytest.mark.parametrize("place", [0, 1])
    def test_a_register_that_was_changed_after_signing_is_refused(self, place):
        signed = sign_all(batch(meter("roof", "ana", MeterKind.PV, series((0, 10), (1, 15)))))
        (roof,) = signed.meters
        ((register, own),) = roof.series.items()
        changed = array("q", own.register_wh)
        changed[place] += 1
        forged = replace(roof, series={register: replace(own, register_wh=changed)})
        with pytest.raises(WrongSignerError):
            quarters(Walk(replace(signed, meters=(forged,))), 1)
