"""Answer the service on one connection, in OCPP 2.0.1 and 2.1, which differ in little here."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from ocpp.routing import after, on
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call_result
from ocpp.v21.enums import (
    DataTransferStatusEnumType,
    RequestStartStopStatusEnumType,
    TriggerMessageStatusEnumType,
)
from ocpp.v201 import ChargePoint as ChargePoint201
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from devnet.field.stations.links import Line, Link


class Answers2(Protocol):
    """What a station says to requests of the service; none of it may send a call."""

    def accepts_remote_stop(self, transaction_id: str) -> bool:
        """Return whether the station stops that transaction."""
        ...

    def accepts_remote_start(self, id_tag: str, remote_start_id: int | None = None) -> bool:
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

    def take_cost(self, transaction_id: str, total_cost: object) -> None:
        """Keep what a transaction has cost so far."""
        ...

    def take_settlement(self, settlement: Mapping[str, Any]) -> None:
        """Keep what was settled."""
        ...

    def is_running(self, transaction_id: str) -> bool:
        """Return whether that transaction runs."""
        ...

    def has_queued(self, transaction_id: str | None) -> bool:
        """Return whether anything, of that transaction if one is named, waits to be sent."""
        ...


class _Answering(Line):
    """The requests that 2.0.1 and 2.1 share; their answers have the same shape in both."""

    def __init__(
        self, station: str, connection: ClientConnection, timeout_s: float, answers: Answers2
    ) -> None:
        super().__init__(station, connection, timeout_s)
        self._answers: Final = answers

    @on("RequestStartTransaction")  # type: ignore[untyped-decorator]
    def on_request_start(
        self, id_token: Mapping[str, str], remote_start_id: int, **_wanted: object
    ) -> call_result.RequestStartTransaction:
        """Accept if the outlet is free."""
        accepted = self._answers.accepts_remote_start(id_token["id_token"], remote_start_id)
        return call_result.RequestStartTransaction(status=_status(accepted=accepted))

    @on("RequestStopTransaction")  # type: ignore[untyped-decorator]
    def on_request_stop(
        self, transaction_id: str, **_more: object
    ) -> call_result.RequestStopTransaction:
        """Accept if that transaction runs."""
        accepted = self._answers.accepts_remote_stop(transaction_id)
        return call_result.RequestStopTransaction(status=_status(accepted=accepted))

    @on("GetTransactionStatus")  # type: ignore[untyped-decorator]
    def on_get_status(
        self, transaction_id: str | None = None, **_more: object
    ) -> call_result.GetTransactionStatus:
        """Say whether it runs, if one is named, and whether anything waits to be sent (E14)."""
        running = None if transaction_id is None else self._answers.is_running(transaction_id)
        return call_result.GetTransactionStatus(
            messages_in_queue=self._answers.has_queued(transaction_id), ongoing_indicator=running
        )

    @on("CostUpdated")  # type: ignore[untyped-decorator]
    def on_cost(
        self, total_cost: object, transaction_id: str, **_more: object
    ) -> call_result.CostUpdated:
        """Keep the cost."""
        self._answers.take_cost(transaction_id, total_cost)
        return call_result.CostUpdated()

    @on("TriggerMessage")  # type: ignore[untyped-decorator]
    def on_trigger2(self, requested_message: str, **_where: object) -> call_result.TriggerMessage:
        """Accept what this station can say on demand."""
        known = self._answers.accepts_trigger(requested_message)
        kinds = TriggerMessageStatusEnumType
        return call_result.TriggerMessage(status=kinds.accepted if known else kinds.not_implemented)

    @after("TriggerMessage")  # type: ignore[untyped-decorator]
    def after_trigger2(self, requested_message: str, **_where: object) -> None:
        """Send what was asked for, once the request is answered."""
        if self._answers.accepts_trigger(requested_message):
            self._answers.send_on_demand(requested_message)

    @on("DataTransfer")  # type: ignore[untyped-decorator]
    def on_data2(
        self, vendor_id: str, data: object = "", **_more: object
    ) -> call_result.DataTransfer:
        """Keep what came."""
        self._answers.take_data(vendor_id, str(data))
        return call_result.DataTransfer(status=DataTransferStatusEnumType.accepted)


class Link201(_Answering, ChargePoint201):  # type: ignore[misc]  # the library is untyped
    """One connection of a station that speaks OCPP 2.0.1."""


class Link21(_Answering, ChargePoint21):  # type: ignore[misc]
    """One connection of a station that speaks OCPP 2.1."""

    @on("NotifySettlement")  # type: ignore[untyped-decorator]
    def on_settlement(self, **settlement: object) -> call_result.NotifySettlement:
        """Keep what was settled."""
        self._answers.take_settlement(settlement)
        return call_result.NotifySettlement()


def ocpp201(answers: Answers2) -> Link:
    """Return OCPP 2.0.1 for a station that answers so."""
    return Link(
        Subprotocol("ocpp2.0.1"),
        lambda station, connection, timeout_s: Link201(station, connection, timeout_s, answers),
    )


def ocpp21(answers: Answers2) -> Link:
    """Return OCPP 2.1 for a station that answers so."""
    return Link(
        Subprotocol("ocpp2.1"),
        lambda station, connection, timeout_s: Link21(station, connection, timeout_s, answers),
    )


def _status(*, accepted: bool) -> RequestStartStopStatusEnumType:
    kinds = RequestStartStopStatusEnumType
    return kinds.accepted if accepted else kinds.rejected
