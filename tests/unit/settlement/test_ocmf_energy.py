"""The energy of a record is one register's end less its begin, exact, floored to Wh once."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import (
    IncompleteRecordError,
    RecordBackwardsError,
    UnusableEnergyError,
    check_usable,
    energy_between,
    energy_wh,
    is_billed,
    register_pair,
    register_wh,
)
from settlement.metering.ocmf_json import MalformedRecordError

OBIS, OTHER = "1-b:1.8.0", "1-b:2.8.0"


def mark(reason, digits, decimals=0, unit="Wh", **more):
    fields = {"time": "", "obis": OBIS, "error_flags": "", "status": "G", **more}
    return OcmfReading(reason=reason, digits=digits, decimals=decimals, unit=unit, **fields)


def record(*readings):
    return OcmfRecord(b"{}", "T", 1, "tag", readings, "ECDSA-secp256r1-SHA256", b"")


def exact_wh(reading):
    factor = {"kWh": 1_000, "Wh": 1}[reading.unit]
    return Fraction(reading.digits * factor, 10**reading.decimals)


registers = st.builds(
    mark,
    st.just("B"),
    st.integers(0, 10**18),
    st.integers(0, 12),
    st.sampled_from(["kWh", "Wh"]),
)


class TestEnergyBetween:
    @given(registers, registers)
    @settings(max_examples=200, deadline=None)
    def test_is_the_floor_of_the_exact_difference(self, begin, end):
        difference = exact_wh(end) - exact_wh(begin)
        if difference < 0:
            with pytest.raises(RecordBackwardsError):
                energy_between(begin, end)
        else:
            assert energy_between(begin, end) == difference.numerator // difference.denominator

    def test_floors_once_and_not_each_register(self):
        assert energy_between(mark("B", 9, 1), mark("E", 21, 1)) == 1
        assert energy_between(mark("B", 1, 1), mark("E", 11, 1)) == 1
        assert energy_between(mark("B", 9, 1), mark("E", 10, 1)) == 0

    def test_takes_the_finest_decimals_of_the_format(self):
        almost = mark("E", 10**12 - 1, 12, "kWh")
        assert energy_between(mark("B", 0, 0, "kWh"), almost) == 999
        assert energy_between(mark("B", 0, 12), mark("E", 10**12, 12)) == 1

    def test_compares_registers_of_two_units(self):
        assert energy_between(mark("B", 1_000, 0, "Wh"), mark("E", 2, 0, "kWh")) == 1_000

    def test_refuses_the_smallest_step_back(self):
        with pytest.raises(RecordBackwardsError, match=r"0\.000000000002 Wh to 0\.000000000001 Wh"):
            energy_between(mark("B", 2, 12), mark("E", 1, 12))


class TestRegisterWh:
    @given(registers)
    @settings(deadline=None)
    def test_is_the_floor_of_what_the_register_shows(self, reading):
        shown = exact_wh(reading)
        assert register_wh(reading) == shown.numerator // shown.denominator


class TestRegisterPair:
    def test_is_the_first_begin_and_the_last_end(self):
        begin, end = mark("B", 10), mark("R", 90)
        made = record(mark("C", 5), begin, mark("B", 20), mark("E", 50), mark("C", 60), end)
        assert register_pair(made) == (begin, end)
        assert energy_wh(made) == 80

    @pytest.mark.parametrize("reason", ["E", "L", "R", "A"])
    def test_takes_every_reason_that_ends_a_transaction(self, reason):
        assert energy_wh(record(mark("B", 1), mark(reason, 4))) == 3

    @pytest.mark.parametrize("reason", ["C", "X", "S", "T", "P", "B", "", "EE", "e"])
    def test_takes_no_other_reason_for_an_end(self, reason):
        with pytest.raises(IncompleteRecordError) as caught:
            register_pair(record(mark("B", 1), mark(reason, 4)))
        assert caught.value.missing == "end"

    def test_needs_a_begin(self):
        with pytest.raises(IncompleteRecordError) as caught:
            register_pair(record(mark("C", 1), mark("E", 4)))
        assert caught.value.missing == "begin"
        assert caught.value.code == "incomplete_record"

    def test_looks_for_the_end_only_after_the_begin(self):
        with pytest.raises(IncompleteRecordError, match="end"):
            register_pair(record(mark("E", 1), mark("B", 4)))

    def test_leaves_out_other_registers_and_what_is_no_energy(self):
        begin, end = mark("B", 10), mark("E", 30)
        made = record(
            mark("B", 7, unit="W"),
            begin,
            mark("E", 99, obis=OTHER),
            end,
            mark("E", 11_000, unit="W"),
            mark("E", 99, obis=OTHER),
        )
        assert register_pair(made) == (begin, end)

    def test_finds_no_end_on_another_register(self):
        with pytest.raises(IncompleteRecordError, match="end"):
            register_pair(record(mark("B", 1), mark("E", 4, obis=OTHER)))

    @pytest.mark.parametrize("which", [0, 1])
    @pytest.mark.parametrize(
        "flaw",
        [{"status": "N"}, {"status": ""}, {"error_flags": "E"}, {"error_flags": "tE"}],
        ids=str,
    )
    def test_refuses_what_the_meter_does_not_stand_by(self, which, flaw):
        flaws = [{}, {}]
        flaws[which] = flaw
        with pytest.raises(UnusableEnergyError) as caught:
            register_pair(record(mark("B", 1, **flaws[0]), mark("E", 4, **flaws[1])))
        assert caught.value.code == "unusable_energy"

    def test_does_not_mind_a_flaw_of_a_reading_in_between(self):
        flawed = mark("C", 2, status="N", error_flags="E")
        assert energy_wh(record(mark("B", 1), flawed, mark("E", 4))) == 3

    def test_does_not_mind_that_the_time_is_unusable(self):
        check_usable(mark("B", 1, error_flags="t"))

    def test_refuses_a_record_that_runs_backwards(self):
        with pytest.raises(RecordBackwardsError) as caught:
            energy_wh(record(mark("B", 4), mark("E", 1)))
        assert (caught.value.begin.digits, caught.value.end.digits) == (4, 1)

    @pytest.mark.parametrize("which", [0, 1])
    def test_refuses_a_value_that_is_no_plain_number_only_where_it_counts(self, which):
        marks = [mark("B", 1), mark("E", 4)]
        marks.insert(1, mark("E", None))
        assert energy_wh(record(*marks)) == 3
        marks[2 * which] = mark("BE"[which], None)
        with pytest.raises(MalformedRecordError, match="no plain decimal number"):
            energy_wh(record(*marks))


class TestIsBilled:
    @pytest.mark.parametrize(
        "obis",
        [
            "",
            "1-b:1.8.0",
            "1-b:1.8.e",
            "1-0:1.8.1",
            "1-0:1.8.0*198",
            "01-00:01.08.00.FF",
            "01-00:B0.08.00*FF",
            "01-00:B1.08.00*FF",
            "01-00:B2.08.00*FF",
            "1-b:b3.8.0",
            "1.8.0",
            "1.8",
            "1.8*255",
            ":1.8",
            "é☃:1.8",
            "1-b:1.8." + "0" * 22,
        ],
    )
    def test_takes_imports_of_active_energy(self, obis):
        assert is_billed(obis)

    @pytest.mark.parametrize(
        "obis",
        [
            "1-b:1.9.0",
            "1-b:2.8.0",
            "01-00:02.08.00.FF",
            "01-00:C0.08.00*FF",
            "01-00:C3.08.00*FF",
            "01-00:B4.08.00*FF",
            "01-00:B.08.00*FF",
            "01-00:00.08.06.FF",
            "1-0:11.8.0",
            "1-0:21.8.0",
            "1-0:1.80.0",
            "1-0:1.008.0",
            "1-0:001.8.0",
            "1-0:1.8-0",
            "1-0:1.8 ",
            " 1.8.0",
            "1:1:1.8.0",
            "1-0:1,8,0",
            "1-0:1.7.0",
            "1-0:",
            ":",
            "?",
            "power",
            "1-b:1.8." + "0" * 23,
            "1-b:1.8.0\n" + "0" * 30,
        ],
    )
    def test_takes_nothing_else(self, obis):
        assert not is_billed(obis)
