"""
Answer the service on one connection, in OCPP 1.6.

No handler may wait for a call of its own: the loop that would bring the answer is waiting for the
handler. What has to be sent is therefore handed to the station, which sends it later.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ocpp.charge_point import ChargePoint
from ocpp.exceptions import NotSupportedError, OCPPError
from ocpp.messages import MessageType, unpack
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result
from ocpp.v16.enums import (
    Action,
    DataTransferStatus,
    RemoteStartStopStatus,
    TriggerMessageStatus,
)
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

_QUIET: Final = logging.getLogger("voisin.field.ocpp")
_QUIET.setLevel(logging.CRITICAL)

Heard = Callable[[Mapping[str, Any]], None]
"""Take note of an answer, as it came; a request of the service may follow on its heels."""


class Line(ChargePoint):  # type: ignore[misc]  # the library is untyped
    """One connection's charge point, of any version; what it answers is said by those below."""

    def __init__(self, station: str, connection: ClientConnection, timeout_s: float) -> None:
        super().__init__(station, connection, response_timeout=timeout_s, logger=_QUIET)
        self.raw_answer: asyncio.Future[str] | None = None
        self.heard: Final[dict[str, Heard]] = {}

    async def route_message(self, raw_msg: str) -> None:
        """Give the next message to whoever sent a raw frame, or else route it as OCPP."""
        if self.raw_answer is not None and not self.raw_answer.done():
            self.raw_answer.set_result(raw_msg)
            return
        self._hear(raw_msg)
        await super().route_message(raw_msg)

    async def ask(self, text: str, message_id: str) -> Any:  # noqa: ANN401 - the library is untyped
        """Send a request as it stands, unchecked, and return the message that answers it."""
        async with self._call_lock:
            await self._send(text)
            return await self._get_specific_response(message_id, self._response_timeout)

    async def _handle_call(self, msg: Any) -> None:  # noqa: ANN401 - the library is untyped
        """Refuse what is not known in 2.1 too, where the library would leave it unanswered."""
        if self._ocpp_version == "2.1" and msg.action not in self.route_map:
            raise NotSupportedError(details={"cause": f"{msg.action} is not for this station"})
        await super()._handle_call(msg)

    def _hear(self, raw_msg: str) -> None:
        """Tell whoever wants to know of an answer before the next message is looked at."""
        try:
            message = unpack(raw_msg)
        except OCPPError:
            return
        if message.message_type_id == MessageType.CallResult and message.unique_id in self.heard:
            self.heard.pop(message.unique_id)(message.payload)


@dataclass(frozen=True, slots=True)
class Link:
    """A version of OCPP as a wire needs it."""

    subprotocol: Subprotocol
    """Its name in the handshake."""
    make: Callable[[str, ClientConnection, float], Line]
    """Make the charge point of a connection: station, connection, wall seconds to wait."""


class Answers(Protocol):
    """What a station says to requests of the service; none of it may send a call."""

    def accepts_remote_stop(self, transaction_id: int) -> bool:
        """Return whether the station stops that transaction."""
        ...

    def accepts_remote_start(self, id_tag: str) -> bool:
        """Return whether the station starts for ``id_tag``."""
        ...

    def accepts_trigger(self, message: str) -> bool:
        """Return whether the station can send ``message`` on demand."""
        ...

    def send_on_demand(self, message: str) -> None:
        """Send ``message`` soon, in a task of its own."""
        ...

    def take_data(self, vendor: str, data: str) -> None:
        """Keep what the service transferred."""
        ...


class Link16(Line, ChargePoint16):  # type: ignore[misc]
    """One connection of a station that speaks OCPP 1.6."""

    def __init__(
        self, station: str, connection: ClientConnection, timeout_s: float, answers: Answers
    ) -> None:
        super().__init__(station, connection, timeout_s)
        self._answers: Final = answers

    @on(Action.remote_stop_transaction)  # type: ignore[untyped-decorator]
    def on_remote_stop(self, transaction_id: int) -> call_result.RemoteStopTransaction:
        """Accept if that transaction runs."""
        accepted = self._answers.accepts_remote_stop(transaction_id)
        return call_result.RemoteStopTransaction(status=_remote_status(accepted=accepted))

    @on(Action.remote_start_transaction)  # type: ignore[untyped-decorator]
    def on_remote_start(self, id_tag: str, **_wanted: object) -> call_result.RemoteStartTransaction:
        """Accept if the connector is free."""
        accepted = self._answers.accepts_remote_start(id_tag)
        return call_result.RemoteStartTransaction(status=_remote_status(accepted=accepted))

    @on(Action.trigger_message)  # type: ignore[untyped-decorator]
    def on_trigger(self, requested_message: str, **_where: object) -> call_result.TriggerMessage:
        """Accept what this station can say on demand."""
        known = self._answers.accepts_trigger(requested_message)
        status = TriggerMessageStatus.accepted if known else TriggerMessageStatus.not_implemented
        return call_result.TriggerMessage(status=status)

    @after(Action.trigger_message)  # type: ignore[untyped-decorator]
    def after_trigger(self, requested_message: str, **_where: object) -> None:
        """Send what was asked for, once the request is answered."""
        if self._answers.accepts_trigger(requested_message):
            self._answers.send_on_demand(requested_message)

    @on(Action.data_transfer)  # type: ignore[untyped-decorator]
    def on_data(self, vendor_id: str, data: str = "", **_more: object) -> call_result.DataTransfer:
        """Keep what came."""
        self._answers.take_data(vendor_id, data)
        return call_result.DataTransfer(status=DataTransferStatus.accepted)


def ocpp16(answers: Answers) -> Link:
    """Return OCPP 1.6-J for a station that answers so."""
    return Link(
        Subprotocol("ocpp1.6"),
        lambda station, connection, timeout_s: Link16(station, connection, timeout_s, answers),
    )


def _remote_status(*, accepted: bool) -> RemoteStartStopStatus:
    return RemoteStartStopStatus.accepted if accepted else RemoteStartStopStatus.rejected
