"""Read a fiscal record: the energy of a session in one interval."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours
from settlement.charging.records import ForeignRecordError
from settlement.metering.ocmf import MalformedRecordError, OcmfReading, OcmfRecord, energy_between

_READINGS: Final = 2


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
        If it is no fiscal record, or does not lie in one interval.
    ForeignRecordError
        If it is of another idTag.
    RecordBackwardsError
        If the register runs backwards.
    """
    if record.pagination_kind != "F" or len(record.readings) != _READINGS:
        raise NotASliceError("not a fiscal record of two readings")
    if record.id_tag != id_tag:
        raise ForeignRecordError(record.id_tag, id_tag)
    begin, end = record.readings
    begin_s, end_s = instant_s(begin), instant_s(end)
    interval = begin_s // interval_s
    if not begin_s <= end_s <= (interval + 1) * interval_s:
        raise NotASliceError(f"from {begin.time} to {end.time} is not within one interval")
    return FiscalSlice(
        page=record.pagination_number,
        interval=interval,
        begin_s=begin_s,
        end_s=end_s,
        energy_wh=energy_between(begin, end),
    )


def instant_s(reading: OcmfReading) -> UnixSeconds:
    """
    Return the instant of a reading (OCMF 1.4.1, table 7): ``2018-07-24T13:22:04,000+0200 S``.

    Raises
    ------
    MalformedRecordError
        If ``TM`` is no instant.
    """
    stamp = reading.time.split(" ")[0].replace(",", ".")
    try:
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError as fault:
        raise MalformedRecordError(f"{reading.time!r} is no instant") from fault
    return UnixSeconds(int(moment.timestamp()))
