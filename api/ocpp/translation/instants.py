"""Read and write instants as OCPP does: RFC 3339."""

from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.units import UnixSeconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant_text(instant_s: UnixSeconds) -> str:
    """Return an instant as OCPP wants it: RFC 3339, UTC, ``Z``."""
    return (_EPOCH + timedelta(seconds=instant_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_instant(text: object) -> UnixSeconds | None:
    """
    Return the instant that a station wrote, or None if it wrote none.

    A time without an offset counts as UTC; fractions of a second are dropped.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return UnixSeconds((aware - _EPOCH) // timedelta(seconds=1))
    except (ValueError, OverflowError):
        return None
