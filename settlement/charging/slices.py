"""Read a fiscal record: the energy of a session in one interval."""

from dataclasses import dataclass
from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours
from settlement.charging.records import ForeignRecordError, UnbindableRecordError
from settlement.metering.intervals import end_s, interval_of
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import check_usable, energy_between
from settlement.metering.ocmf_time import instant_s

_READINGS: Final = 2
_CLOCK_UNKNOWN: Final = "U"
_TIME_UNUSABLE: Final = "t"
_ENERGY_UNITS: Final = frozenset({"kWh", "Wh"})


class NotASliceError(UnverifiedReading):
    """The record is no fiscal record of one interval."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_a_slice", detail)


@dataclass(frozen=True, slots=True)
class FiscalSlice:
    """The part of a session that lies in one interval."""

    page: int
    """Fiscal page."""
    interval: int
    """Interval it lies in."""
    begin_s: UnixSeconds
    """First instant, in Unix seconds."""
    end_s: UnixSeconds
    """First instant after it, in Unix seconds."""
    energy_wh: WattHours
    """Energy, in Wh."""


def slice_of(record: OcmfRecord, *, interval_s: int, id_tag: str) -> FiscalSlice:
    """
    Return what a fiscal record says; its signature is checked elsewhere.

    Raises
    ------
    NotASliceError
        If it is no fiscal record, not of one energy register, does not lie in one interval, or
        its meter does not know the time.
    UnbindableRecordError
        If it carries no idTag.
    ForeignRecordError
        If it is of another idTag.
    UnusableEnergyError
        If the meter flags its energy.
    RecordBackwardsError
        If the register runs backwards.
    """
    if record.pagination_kind != "F" or len(record.readings) != _READINGS:
        raise NotASliceError("not a fiscal record of two readings")
    if not record.id_tag:
        raise UnbindableRecordError
    if record.id_tag != id_tag:
        raise ForeignRecordError(record.id_tag, id_tag)
    begin, end = record.readings
    if begin.obis != end.obis or not {begin.unit, end.unit} <= _ENERGY_UNITS:
        raise NotASliceError("its two readings are not of one energy register")
    for reading in record.readings:
        check_usable(reading)
        _check_time(reading)
    begin_s, until_s = instant_s(begin), instant_s(end)
    interval = interval_of(begin_s, interval_s)
    if not begin_s <= until_s <= end_s(interval, interval_s):
        raise NotASliceError(f"from {begin.time} to {end.time} is not within one interval")
    return FiscalSlice(
        page=record.pagination_number,
        interval=interval,
        begin_s=begin_s,
        end_s=until_s,
        energy_wh=energy_between(begin, end),
    )


def _check_time(reading: OcmfReading) -> None:
    """Refuse the time of a clock that was never set: the energy would fall into any interval."""
    if reading.time.endswith(f" {_CLOCK_UNKNOWN}") or _TIME_UNUSABLE in reading.error_flags:
        raise NotASliceError(f"the meter does not know the time: {reading.time}")
