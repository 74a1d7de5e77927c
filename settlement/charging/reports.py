"""What a station says of a transaction, in one form for every version of OCPP."""

from dataclasses import dataclass
from enum import StrEnum

from ledger.units import Micros, UnixSeconds, WattHours, Watts


class Phase(StrEnum):
    """Where in its life a transaction is."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class MeterValue:
    """What a meter showed at an instant, unsigned; good for the screen and to stop in time."""

    at_s: UnixSeconds
    """When, by the station's clock, in Unix seconds."""
    register_wh: WattHours | None
    """Register of imported energy, in Wh, if it was told."""
    power_w: Watts | None
    """Power that flows, in W, if it was told."""
    context: str
    """Reading context as OCPP names it: ``Sample.Periodic``, ``Transaction.Begin`` and so on."""


@dataclass(frozen=True, slots=True)
class TransactionReport:
    """One message of a station about a transaction."""

    station_id: str
    """Who says it."""
    phase: Phase
    """Whether the transaction starts, goes on or has ended."""
    transaction: str | None
    """The transaction's id; None if the station was never told one."""
    at_s: UnixSeconds
    """When it happened, by the station's clock, in Unix seconds."""
    seq_no: int | None
    """Place among the transaction's messages; None in OCPP 1.6, which counts none."""
    offline: bool
    """Whether the station says that it was offline then."""
    trigger: str
    """Why it is told, as OCPP 2.x names it, or the empty string."""
    reason: str | None
    """Why the transaction ended."""
    id_tag: str | None
    """Who charges."""
    evse_id: int
    """EVSE, or connector in OCPP 1.6."""
    register_wh: WattHours | None
    """``meterStart`` or ``meterStop`` of OCPP 1.6, in Wh, as told; may be nonsense."""
    values: tuple[MeterValue, ...]
    """Unsigned values, in the order told."""
    records: tuple[str, ...]
    """Signed OCMF records, in the order told."""
    key: str
    """What the message is about: business key within the station."""
    body: bytes
    """The payload in one fixed form, for its hash."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an idTag may charge."""

    accepted: bool
    """Whether a confirmed deposit stands behind it here."""
    max_cost_micros: Micros | None
    """The most that it may cost, if it may charge."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a station is told after a report."""

    accepted: bool
    """Whether energy may flow, or go on flowing."""
    transaction: str
    """The transaction's id; the empty string if none is known."""
    max_cost_micros: Micros | None = None
    """The most that the transaction may cost now."""
    total_cost_micros: Micros | None = None
    """What it costs so far, or did in the end; None if nobody can say yet."""
