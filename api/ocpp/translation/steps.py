"""What a station's request asks of the service, said without a version of OCPP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.ocpp.frames import Payload
from api.ocpp.translation.instants import instant_text
from api.ocpp.translation.limits import Limits
from ledger.errors import InvalidRequest, VoisinError
from ledger.units import UnixSeconds
from settlement.charging.reports import Admission, Answer, TransactionReport


class UnreadableReportError(InvalidRequest):
    """A field of a station's message cannot be read; the rest of the message counts."""

    def __init__(self, field: str, told: object) -> None:
        super().__init__("unreadable_report", f"{field} is {told!r:.64}")


@dataclass(frozen=True, slots=True)
class Received:
    """A request of a station, whose payload fits its schema."""

    station_id: str
    """Who sent it."""
    payload: Payload
    """What it says."""
    text: str
    """The frame, as it came."""
    at_s: UnixSeconds
    """When it came, by the service's clock, in Unix seconds."""
    limits: Limits
    """What transactions may cost, where the station has not been told yet."""


@dataclass(frozen=True, slots=True)
class Said:
    """The answer needs nothing of the service."""

    payload: Payload
    """The answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The station asks whether somebody may charge."""

    id_tag: str
    """Who."""
    say: Callable[[Admission], Payload]
    """Puts the answer in words."""


@dataclass(frozen=True, slots=True)
class Told:
    """The station tells something of a transaction."""

    report: TransactionReport
    """What."""
    say: Callable[[Answer | None], Payload]
    """Puts the answer in words; None if the report is refused, or is judged afterwards."""
    first: bool
    """Whether the answer depends on the judgement."""
    faults: tuple[VoisinError, ...]
    """What of the message could not be read."""


@dataclass(frozen=True, slots=True)
class Freed:
    """The station says that a connector is free, whatever it has said of transactions before."""

    station_id: str
    """Who says it."""
    evse_id: int
    """EVSE, or connector in OCPP 1.6."""
    at_s: UnixSeconds
    """When, by the station's clock, in Unix seconds."""


Step = Said | Asked | Told | Freed
Reader = Callable[[Received], Step]
HEARTBEAT_S: Final = 300
"""How often a station is asked to say that it is there."""


def boot(received: Received) -> Step:
    """Accept the station and tell it the domain time."""
    now = instant_text(received.at_s)
    return Said({"currentTime": now, "interval": HEARTBEAT_S, "status": "Accepted"})


def heartbeat(received: Received) -> Step:
    """Tell the domain time."""
    return Said({"currentTime": instant_text(received.at_s)})


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Return a payload in one fixed form, so that a repeat is recognized."""
    return orjson.dumps(payload, default=str, option=orjson.OPT_SORT_KEYS)


def fixed(payload: Payload) -> Reader:
    """Return a reader for requests that are always answered the same."""
    said = Said(payload)
    return lambda _received: said
