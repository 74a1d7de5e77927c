"""
Read the times of OCMF readings, and say what they are good for (OCMF 1.4.1, table 7, ``TM``).

``2018-07-24T13:22:04,000+0200 S``: an instant and how the meter came to it. ``S`` is synchronized;
``R`` counts exactly from an instant that is for information; ``I`` is for information; ``U`` is
unknown.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from ledger.units import UnixSeconds
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import register_pair
from settlement.metering.ocmf_json import MalformedRecordError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED: Final = 256
_COUNTED: Final = frozenset({"S", "R"})
_SYNCHRONIZED: Final = "S"
_TIME_UNUSABLE: Final = "t"
_POWER_FAILED: Final = "P"


def instant_s(reading: OcmfReading) -> UnixSeconds:
    """
    Return the instant of a reading; fractions of a second are dropped.

    Raises
    ------
    MalformedRecordError
        If ``TM`` is no instant.
    """
    return _instant_s(reading.time)


@lru_cache(_REMEMBERED)
def _instant_s(time: str) -> UnixSeconds:
    """Return the instant of a ``TM``; the same reading is looked at by one rule after the other."""
    stamp = time.split(" ", maxsplit=1)[0].replace(",", ".")
    try:
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError as fault:
        raise MalformedRecordError(f"{time!r} is no instant") from fault
    return UnixSeconds((moment - _EPOCH) // timedelta(seconds=1))


def clock_status(reading: OcmfReading) -> str:
    """Return how the meter came to the time of a reading; ``U`` if it does not say."""
    stated = reading.time.rpartition(" ")[2]
    return stated if stated in {"S", "R", "I"} else "U"


def is_synchronized(reading: OcmfReading) -> bool:
    """Return whether a reading's instant may be compared with those of other clocks."""
    return clock_status(reading) == _SYNCHRONIZED and _TIME_UNUSABLE not in reading.error_flags


def time_is_billable(record: OcmfRecord) -> bool:
    """
    Return whether the time between a record's begin and end may be billed.

    Just if the meter counted it: both ends are synchronized or relative, neither is flagged as
    unusable for time, and the power never failed in between. Energy may be billed all the same, at
    the tariff of the start.

    Raises
    ------
    UnverifiedReading
        If the record has no begin and end that energy could be billed by.
    """
    begin, end = register_pair(record)
    counted = all(
        clock_status(one) in _COUNTED and _TIME_UNUSABLE not in one.error_flags
        for one in (begin, end)
    )
    return counted and all(one.reason != _POWER_FAILED for one in record.readings)
