"""Ask connected stations to do something, whatever version of OCPP they speak."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from api.ocpp.frames import Version
from api.ocpp.translation import requests
from api.ocpp.translation.limits import Limits
from api.ocpp.translation.requests import Request
from ledger.errors import Conflict, Unavailable
from ledger.units import Micros, UnixSeconds

_CONSENT: Final = frozenset({"Accepted"})


class StationNotConnectedError(Unavailable):
    """The station has no connection to the service now."""

    def __init__(self, station_id: str) -> None:
        super().__init__("station_not_connected", f"{station_id} is not connected", transient=True)


class StationSilentError(Unavailable):
    """The station does not answer."""

    def __init__(self, station_id: str, action: str) -> None:
        super().__init__("station_silent", f"{station_id} does not answer {action}", transient=True)


class StationRefusedError(Conflict):
    """The station does not do what it is asked."""

    def __init__(self, station_id: str, action: str, said: str) -> None:
        super().__init__("station_refused", f"{station_id} answers {action} with {said}")


class Line(Protocol):
    """A connection to a station."""

    @property
    def version(self) -> Version:
        """What it speaks."""
        ...

    async def ask(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the station's answer to a request."""
        ...

    def hang_up(self) -> None:
        """Close the connection soon."""
        ...


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """What a station says of a transaction when it is asked."""

    ongoing: bool | None
    """Whether it goes on; None if the station does not know it, or cannot say."""
    queued: bool | None
    """Whether messages of it wait to be sent; None if the station cannot say."""


class Switchboard:
    """
    Every connected station, by its id.

    All methods that ask raise StationNotConnectedError, StationSilentError or StationRefusedError.
    """

    def __init__(self) -> None:
        self.limits: Final = Limits()
        self._lines: Final[dict[str, Line]] = {}

    @property
    def connected(self) -> frozenset[str]:
        """Ids of the stations that are connected."""
        return frozenset(self._lines)

    def plug(self, station_id: str, line: Line) -> None:
        """Take a station's new connection; an older one of the same station is closed."""
        older = self._lines.get(station_id)
        self._lines[station_id] = line
        if older is not None:
            older.hang_up()

    def unplug(self, station_id: str, line: Line) -> None:
        """Forget a connection that has ended, unless a newer one stands in its place."""
        if self._lines.get(station_id) is line:
            del self._lines[station_id]

    async def remote_start(self, station_id: str, *, id_tag: str, evse_id: int) -> None:
        """Let the driver with ``id_tag`` charge at an EVSE."""
        version = self._line(station_id).version
        await self._consent(station_id, requests.start(version, id_tag, evse_id))

    async def remote_stop(self, station_id: str, transaction: str) -> None:
        """End a transaction."""
        version = self._line(station_id).version
        await self._consent(station_id, requests.stop(version, transaction))

    async def trigger(self, station_id: str, message: str) -> None:
        """Let the station send a message now: ``MeterValues``, ``StatusNotification`` and so on."""
        await self._consent(station_id, requests.trigger(message))

    async def transfer(self, station_id: str, *, vendor_id: str, message_id: str, text: str) -> str:
        """Send a vendor's own message, and return what the station answers to it."""
        answer = await self._consent(station_id, requests.data(vendor_id, message_id, text))
        return str(answer.get("data", ""))

    async def transaction_status(self, station_id: str, transaction: str) -> TransactionStatus:
        """
        Ask whether a transaction goes on and whether messages of it wait.

        OCPP 1.6 cannot say; such a station is asked for its meter values instead.
        """
        if self._line(station_id).version is Version.V16:
            await self.trigger(station_id, "MeterValues")
            return TransactionStatus(ongoing=None, queued=None)
        answer = await self._ask(station_id, requests.status(transaction))
        return TransactionStatus(answer.get("ongoingIndicator"), answer["messagesInQueue"])

    async def cost_updated(self, station_id: str, transaction: str, cost_micros: Micros) -> None:
        """Show what a transaction costs so far; OCPP 1.6 has no display for it."""
        if self._line(station_id).version is not Version.V16:
            await self._ask(station_id, requests.cost(transaction, cost_micros))

    def set_limit(self, station_id: str, transaction: str, max_cost_micros: Micros) -> bool:
        """
        Let the station keep to a cost, from its next message on; return whether it can.

        Only OCPP 2.1 knows limits. Whoever speaks an older one, or is not connected, is stopped by
        the service in time.
        """
        line = self._lines.get(station_id)
        if line is None or line.version is not Version.V21:
            return False
        self.limits.put(station_id, transaction, max_cost_micros)
        return True

    def limit_repeated(self, station_id: str, transaction: str) -> Micros | None:
        """Return the limit that the station says it keeps, if it says so (E16.FR.13)."""
        return self.limits.repeated(station_id, transaction)

    async def notify_settlement(
        self,
        station_id: str,
        transaction: str,
        settled_micros: Micros,
        *,
        at_s: UnixSeconds,
        receipt_url: str = "",
    ) -> bool:
        """Tell the station what was settled; return whether it speaks of such (OCPP 2.1)."""
        if self._line(station_id).version is not Version.V21:
            return False
        asked = requests.settlement(transaction, transaction, settled_micros, at_s, receipt_url)
        await self._ask(station_id, asked)
        return True

    def _line(self, station_id: str) -> Line:
        line = self._lines.get(station_id)
        if line is None:
            raise StationNotConnectedError(station_id)
        return line

    async def _ask(self, station_id: str, request: Request) -> Mapping[str, Any]:
        return await self._line(station_id).ask(*request)

    async def _consent(self, station_id: str, request: Request) -> Mapping[str, Any]:
        """Ask for something that the station may decline."""
        answer = await self._ask(station_id, request)
        if answer["status"] not in _CONSENT:
            raise StationRefusedError(station_id, request[0], str(answer["status"]))
        return answer
