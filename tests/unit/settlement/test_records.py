"""A record closes the session that it names, once, with the energy that it proves."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import UnverifiedReading
from settlement.charging.plausibility import BrokenRegisterError
from settlement.charging.records import (
    ForeignRecordError,
    NotATransactionRecordError,
    OldPageError,
    PageTooHighError,
    RecordContext,
    SlicesDisagreeError,
    UnbindableRecordError,
    judge_record,
)
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import (
    IncompleteRecordError,
    RecordBackwardsError,
    UnusableEnergyError,
)
from settlement.metering.ocmf_json import MalformedRecordError
from settlement.metering.validation import ImplausiblePowerError

TAG = "0123456789ABCDEF0123"
CONTEXT = RecordContext(
    id_tag=TAG,
    page_at_open=8,
    previous_end_wh=100_000,
    rated_power_w=22_000,
    opened_s=1_000,
    now_s=4_600,
    slices_wh=7_250,
)


def mark(reason, digits, **more):
    """A register in units of 10 Wh, as a meter with two decimals of a kWh writes it."""
    fields = {"decimals": 2, "unit": "kWh", "obis": "1-b:1.8.0", **more}
    return OcmfReading(reason=reason, time="", digits=digits, error_flags="", status="G", **fields)


def record(*readings, **changes):
    whole = OcmfRecord(
        payload=b"{}",
        pagination_kind="T",
        pagination_number=9,
        id_tag=TAG,
        readings=readings or (mark("B", 10_000), mark("E", 10_725)),
        algorithm="ECDSA-secp256r1-SHA256",
        signature=b"",
    )
    return dataclasses.replace(whole, **changes)


def context(**changes):
    return dataclasses.replace(CONTEXT, **changes)


class TestJudgeRecord:
    def test_returns_the_energy_and_the_registers_of_a_good_record(self):
        made = judge_record(record(), CONTEXT)
        assert (made.energy_wh, made.page) == (7_250, 9)
        assert (str(made.begin), str(made.end)) == ("100.00 kWh", "107.25 kWh")

    @given(st.integers(0, 10**9), st.integers(0, 2_310), st.integers(0, 10**6))
    @settings(max_examples=100, deadline=None)
    def test_returns_what_the_registers_say_for_any_plausible_session(self, begin, drawn, page):
        made = judge_record(
            record(mark("B", begin), mark("E", begin + drawn), pagination_number=page + 1),
            context(page_at_open=page, previous_end_wh=begin * 10, slices_wh=drawn * 10),
        )
        assert (made.energy_wh, made.page) == (drawn * 10, page + 1)

    def test_takes_a_session_without_energy(self):
        made = judge_record(record(mark("B", 10_000), mark("E", 10_000)), context(slices_wh=0))
        assert made.energy_wh == 0

    def test_takes_the_first_session_of_a_meter(self):
        assert judge_record(record(), context(previous_end_wh=None)).energy_wh == 7_250

    def test_refuses_a_fiscal_record(self):
        with pytest.raises(NotATransactionRecordError, match="F9") as caught:
            judge_record(record(pagination_kind="F"), CONTEXT)
        assert caught.value.code == "not_a_transaction_record"

    def test_refuses_a_record_that_names_nobody(self):
        with pytest.raises(UnbindableRecordError) as caught:
            judge_record(record(id_tag=""), CONTEXT)
        assert caught.value.code == "unbindable_record"

    def test_refuses_a_record_that_names_nobody_even_if_nobody_is_expected(self):
        with pytest.raises(UnbindableRecordError):
            judge_record(record(id_tag=""), context(id_tag=""))

    @pytest.mark.parametrize("tag", [TAG.lower(), TAG + " ", TAG[:-1], "somebody else"])
    def test_refuses_the_record_of_another_session(self, tag):
        with pytest.raises(ForeignRecordError) as caught:
            judge_record(record(id_tag=tag), CONTEXT)
        assert caught.value.code == "foreign_record"
        assert tag in str(caught.value)

    @pytest.mark.parametrize("page", [8, 7, 0])
    def test_refuses_a_page_that_the_vault_had_seen_at_open(self, page):
        with pytest.raises(OldPageError) as caught:
            judge_record(record(pagination_number=page), CONTEXT)
        assert caught.value.code == "old_page"

    def test_refuses_a_register_that_lost_its_past(self):
        with pytest.raises(BrokenRegisterError) as caught:
            judge_record(record(), context(previous_end_wh=100_001))
        assert caught.value.code == "broken_register"

    def test_refuses_the_zero_begin_of_a_station_that_was_offline(self):
        """A lost start value must not bill the meter's whole life."""
        offline = record(mark("B", 0), mark("E", 10_725))
        with pytest.raises(BrokenRegisterError, match="begins at 0 Wh"):
            judge_record(offline, CONTEXT)
        with pytest.raises(ImplausiblePowerError):
            judge_record(offline, context(previous_end_wh=None, slices_wh=107_250))

    def test_takes_as_much_as_the_meter_can_carry_since_open_and_no_more(self):
        full = record(mark("B", 10_000), mark("E", 12_310))
        assert judge_record(full, context(slices_wh=23_100)).energy_wh == 23_100
        with pytest.raises(ImplausiblePowerError):
            judge_record(full, context(slices_wh=23_100, now_s=4_599))
        with pytest.raises(ImplausiblePowerError):
            judge_record(full, context(slices_wh=23_100, opened_s=1_001))

    @pytest.mark.parametrize("slices_wh", [0, 7_249, 7_251])
    def test_refuses_slices_that_sum_to_something_else(self, slices_wh):
        with pytest.raises(SlicesDisagreeError) as caught:
            judge_record(record(), context(slices_wh=slices_wh))
        assert caught.value.code == "slices_disagree"
        assert str(slices_wh) in str(caught.value)

    @pytest.mark.parametrize(
        ("readings", "fault"),
        [
            ((mark("B", 10_000), mark("C", 10_725)), IncompleteRecordError),
            ((mark("E", 10_725), mark("E", 10_725)), IncompleteRecordError),
            ((mark("B", 10_725), mark("E", 10_000)), RecordBackwardsError),
            ((mark("B", 10_000), mark("E", 10_725, obis="1-b:1.8.1")), IncompleteRecordError),
            ((mark("B", 10_000, obis="1-b:2.8.0"), mark("E", 10_725)), IncompleteRecordError),
            ((mark("B", 10_000), mark("E", None)), MalformedRecordError),
        ],
        ids=lambda value: getattr(value, "__name__", "readings"),
    )
    def test_refuses_what_proves_no_energy(self, readings, fault):
        with pytest.raises(fault):
            judge_record(record(*readings), CONTEXT)

    def test_leaves_out_what_another_register_says(self):
        made = judge_record(
            record(
                mark("B", 1, obis="1-b:2.8.0"),
                mark("B", 10_000),
                mark("E", 1, obis="power", unit="W"),
                mark("E", 10_725),
                mark("E", 0, obis="1-b:1.9.0"),
                mark("E", None, obis="1-b:2.8.0"),
            ),
            CONTEXT,
        )
        assert made.energy_wh == 7_250

    def test_refuses_what_the_meter_flags(self):
        flagged = dataclasses.replace(mark("E", 10_725), error_flags="E")
        with pytest.raises(UnusableEnergyError):
            judge_record(record(mark("B", 10_000), flagged), CONTEXT)

    def test_names_the_first_fault_of_a_record_with_all_of_them(self):
        """One by one the faults are mended; each time the next in the order is named."""
        everything = record(
            mark("B", 10_725),
            mark("E", 9_000),
            pagination_kind="F",
            pagination_number=1,
            id_tag="",
        )
        mended = [
            (NotATransactionRecordError, {"pagination_kind": "T"}),
            (UnbindableRecordError, {"id_tag": "x"}),
            (ForeignRecordError, {"id_tag": TAG}),
            (OldPageError, {"pagination_number": 2**32}),
            (PageTooHighError, {"pagination_number": 2**32 - 1}),
            (RecordBackwardsError, {"readings": (mark("B", 9_000), mark("E", 99_000))}),
            (BrokenRegisterError, {"readings": (mark("B", 10_000), mark("E", 99_000))}),
            (ImplausiblePowerError, {"readings": (mark("B", 10_000), mark("E", 10_001))}),
            (SlicesDisagreeError, {}),
        ]
        for fault, change in mended:
            with pytest.raises(fault) as caught:
                judge_record(everything, CONTEXT)
            assert isinstance(caught.value, UnverifiedReading)
            everything = dataclasses.replace(everything, **change)
