"""
Say what a station says of a charging transaction, whatever version of OCPP it speaks.

A note is what the station knows; a message is that note in the words of one version; a reply is
what the service's answer comes to. The versions differ in who numbers a transaction: the service
in 1.6, the station in 2.x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Protocol

from devnet.field.stations.links import Link
from ledger.units import Micros, UnixSeconds, WattHours, Watts

EVSE: Final = 1
"""The one outlet of a station, and its connector."""

UNKNOWN_NUMBER: Final = -1
"""What a 1.6 station writes for a transaction whose number never arrived (errata 3.18)."""

_MICROS_PER_EURO: Final = 1_000_000


class Version(StrEnum):
    """Versions of OCPP."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


class Phase(StrEnum):
    """Where in its life a note finds a transaction, as OCPP 2.x writes it."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True)
class SignedValue:
    """A signed record and what it is about."""

    record: str
    """The OCMF text."""
    context: str
    """``Transaction.Begin``, ``Sample.Clock`` or ``Transaction.End``."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a station has to say of a transaction at one instant."""

    phase: Phase
    """Begin, course or end."""
    at_s: UnixSeconds
    """When, by the station's clock."""
    register_wh: WattHours
    """Import register of the meter, in Wh."""
    power_w: Watts
    """Power, in W."""
    trigger: str
    """Why it is said, in the words of OCPP 2.1."""
    state: str = "Charging"
    """Charging state, in the words of OCPP 2.1."""
    reason: str | None = None
    """Why the transaction ended; None unless it did."""
    signed: tuple[SignedValue, ...] = ()
    """Signed records, in order."""
    offline: bool = False
    """Whether the service was out of reach at that instant; 1.6 has no word for it."""
    seq_no: int = 0
    """Number of the note within its transaction, from 0."""
    limit_micros: Micros | None = None
    """Limit of cost that the station has set and says so, if it does."""


@dataclass(slots=True)
class Transaction:
    """A transaction as its station remembers it."""

    name: str
    """Id of the transaction in OCPP 2.x, chosen by the station."""
    id_tag: str
    """The one-time idTag."""
    begin_s: UnixSeconds
    """When it began, by the station's clock."""
    begin_wh: WattHours
    """Import register at the begin, in Wh."""
    number: int | None = None
    """Id of the transaction in OCPP 1.6, once the service has said it."""
    next_seq_no: int = 0
    """Number of the next note."""
    remote_start_id: int | None = None
    """Number of the request by which the service started it, if it did (2.x)."""
    limit_micros: Micros | None = None
    """Most that it may cost, if the service said so (2.1)."""
    cost_micros: Micros | None = None
    """What it has cost, as the service said last."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered to a note."""

    status: str | None = None
    """Standing of the idTag, if the answer says it."""
    number: int | None = None
    """Id of the transaction, in 1.6."""
    max_cost_micros: Micros | None = None
    """Limit of cost, in 2.1."""
    total_cost_micros: Micros | None = None
    """Cost so far, in 2.x."""

    @property
    def accepted(self) -> bool:
        """Whether the idTag may go on charging."""
        return self.status in {None, "Accepted"}


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it stands in a frame: what is sent, fitting or not."""

    action: str
    """Name of the request."""
    payload: Mapping[str, Any]
    """Its content, with the keys of the wire."""


class Speech(Protocol):
    """How one version of OCPP says things; what is returned is a payload of the library."""

    version: Version
    """The version."""
    link: Link
    """What a wire needs to know of it."""

    def boot(self, station: str) -> Any:  # noqa: ANN401 - the library is untyped
        """Return that the station is there."""
        ...

    def heartbeat(self) -> Any:  # noqa: ANN401
        """Return the question for the time."""
        ...

    def word_for(self, status: str) -> str:
        """Return how this version names ``status``, a word of 1.6."""
        ...

    def status(self, status: str, at_s: UnixSeconds) -> Any:  # noqa: ANN401
        """Return that the outlet is in ``status``, in the words of 1.6."""
        ...

    def authorize(self, id_tag: str) -> Any:  # noqa: ANN401
        """Return the question whether ``id_tag`` may charge."""
        ...

    def data(self, vendor: str, data: str) -> Any:  # noqa: ANN401
        """Return something that only ``vendor`` understands."""
        ...

    def note(self, transaction: Transaction, note: Note) -> Any:  # noqa: ANN401
        """Return the message that says ``note``."""
        ...

    def standing(self, answer: Mapping[str, Any]) -> str:
        """Return the standing of the idTag that an answer to ``authorize`` says."""
        ...

    def reply(self, answer: Mapping[str, Any]) -> Reply:
        """Return what an answer to a note comes to; ``answer`` is as it stood in the frame."""
        ...


def instant(at_s: UnixSeconds) -> str:
    """Return an instant as OCPP writes it: RFC 3339, UTC, ``Z``."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cost_micros(value: object) -> Micros | None:
    """
    Return a cost in micro-euros, or None if ``value`` is none; 2.x writes a number of euros.

    A cost that is left out is not a cost of nothing (OCPP 2.1, I03.FR.04), and neither is one that
    nobody can read.
    """
    try:
        # The text of a JSON number is exact where the number itself is not.
        return Micros(int(Decimal(str(value)) * _MICROS_PER_EURO))
    except (InvalidOperation, ValueError, OverflowError):
        return None


@dataclass(slots=True)
class Heap:
    """What the service has said unasked, in order."""

    remote_starts: list[tuple[str, int | None]] = field(default_factory=list)
    """idTags that are to start, each with the number of the request in 2.x."""
    remote_stops: list[str] = field(default_factory=list)
    """Names of transactions that are to stop."""
    costs: list[tuple[str, Micros]] = field(default_factory=list)
    """Costs of transactions (2.x CostUpdated)."""
    settlements: list[Mapping[str, Any]] = field(default_factory=list)
    """Settlements of transactions (2.1 NotifySettlement), as they came."""
    data: list[tuple[str, str]] = field(default_factory=list)
    """Vendor and data of what only a vendor understands."""
