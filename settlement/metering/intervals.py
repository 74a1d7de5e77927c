"""Cut time into half-open intervals, numbered from 1970-01-01T00:00:00Z on (decision 0002)."""

from typing import Final, NewType

from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds

IntervalIndex = NewType("IntervalIndex", int)
"""Number of an interval: its start in Unix seconds divided by its length."""

_HOUR_S: Final = 3_600


class BadIntervalLengthError(InvalidRequest):
    """A length that does not divide the hour."""

    def __init__(self, length_s: int) -> None:
        super().__init__("bad_interval_length", f"intervals of {length_s} s do not divide an hour")
        self.length_s: Final = length_s


def interval_of(instant_s: UnixSeconds, length_s: int) -> IntervalIndex:
    """
    Return the interval that holds an instant; its own start belongs to it, its end to the next.

    Raises
    ------
    BadIntervalLengthError
        If ``length_s`` does not divide an hour.
    """
    return IntervalIndex(instant_s // _checked(length_s))


def start_s(interval: IntervalIndex, length_s: int) -> UnixSeconds:
    """
    Return the first instant of an interval, in Unix seconds.

    Raises
    ------
    BadIntervalLengthError
        If ``length_s`` does not divide an hour.
    """
    return UnixSeconds(interval * _checked(length_s))


def end_s(interval: IntervalIndex, length_s: int) -> UnixSeconds:
    """
    Return the first instant after an interval, in Unix seconds.

    Raises
    ------
    BadIntervalLengthError
        If ``length_s`` does not divide an hour.
    """
    return start_s(IntervalIndex(interval + 1), length_s)


def _checked(length_s: int) -> int:
    if length_s <= 0 or _HOUR_S % length_s:
        raise BadIntervalLengthError(length_s)
    return length_s
