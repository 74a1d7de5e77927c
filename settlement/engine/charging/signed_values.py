"""
Find the signed meter records in OCPP 1.6 meter values.

A signed value is a sampled value of format ``SignedData`` whose ``value`` is the JSON of a
``SignedMeterValueType`` (OCA application note "Signed Meter Values" 1.0).
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ledger.errors import InvalidRequest, UnverifiedReading
from ledger.units import UnixSeconds

_ENCODING: Final = "OCMF"
_PAGE_FIELD: Final = '"PG"'


class BadSignedValueError(UnverifiedReading):
    """A value that says it is signed is not a signed OCMF value."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_signed_value", detail)


class BadTimestampError(InvalidRequest):
    """A time that is no RFC 3339 instant."""

    def __init__(self, text: str) -> None:
        super().__init__("bad_timestamp", f"{text!r} is no RFC 3339 instant")


def instant_of(text: str) -> UnixSeconds:
    """
    Return the instant that a station wrote.

    Raises
    ------
    BadTimestampError
        If it is no RFC 3339 instant.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise BadTimestampError(text) from fault
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return UnixSeconds(int(aware.timestamp()))


def signed_records(meter_values: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """
    Return the OCMF records that ``meter_values`` carry, in their order.

    Raises
    ------
    BadSignedValueError
        If a signed value cannot be opened.
    """
    for meter_value in meter_values:
        for sampled in meter_value["sampled_value"]:
            if sampled.get("format") == "SignedData":
                yield _open(str(sampled["value"]))


def _open(value: str) -> str:
    try:
        document = json.loads(value)
        encoded, encoding = document["signedMeterData"], document["encodingMethod"]
        text = base64.b64decode(encoded, validate=True).decode()
    except (ValueError, KeyError, TypeError, binascii.Error) as fault:
        raise BadSignedValueError(f"not a signed meter value: {fault}") from fault
    if encoding != _ENCODING:
        raise BadSignedValueError(f"encoding {encoding!r} is not {_ENCODING}")
    return text
