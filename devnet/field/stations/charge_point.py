"""
Be a charging station: an OCPP 1.6-J charge point with a signing meter.

Messages carry the domain time they are given. What only the service knows, the idTag and the
transaction id, is given to each step, so a replay may begin anywhere.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from ocpp.v16 import call
from ocpp.v16.datatypes import MeterValue, SampledValue
from ocpp.v16.enums import (
    AuthorizationStatus,
    ChargePointErrorCode,
    ChargePointStatus,
    Measurand,
    MessageTrigger,
    ReadingContext,
    Reason,
    RegistrationStatus,
    ValueFormat,
)

from devnet.field.events import DriverArrives, SessionStops, SliceBoundary
from devnet.field.keys import MeterKey
from devnet.field.ocmf import OcmfMeter
from devnet.field.stations.links import ocpp16
from devnet.field.stations.wire import Address, Patience, StationNotAdmittedError, Wire
from ledger.errors import NotPermitted, VoisinError
from ledger.units import UnixSeconds

CONNECTOR: Final = 1
_PATIENT: Final = Patience()


class TagRefusedError(NotPermitted):
    """The service does not accept the idTag: no energy."""

    def __init__(self, station: str, id_tag: str, status: str) -> None:
        super().__init__("tag_refused", f"{station}: idTag {id_tag!r} is {status}")
        self.status: Final = status


def ocpp_instant(at_s: UnixSeconds) -> str:
    """Return an instant as OCPP writes it: RFC 3339, UTC, ``Z``."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_value(record: str, context: ReadingContext) -> SampledValue:
    """Return ``record`` as a sampled value (OCA "Signed Meter Values" 1.0, OCPP 1.6)."""
    value = {
        "signedMeterData": base64.b64encode(record.encode()).decode(),
        "signingMethod": "",
        "encodingMethod": "OCMF",
        "publicKey": "",
    }
    return SampledValue(
        value=json.dumps(value, separators=(",", ":")),
        context=context,
        format=ValueFormat.signed_data,
        measurand=Measurand.energy_active_import_register,
    )


class Station:
    """
    A charging station with one connector.

    It calls ``url``, the service's ``ws://127.0.0.1:8000/ocpp``, under its own name and password.
    Close it with ``close``, or use it as ``async with``. Sending anything again at the same domain
    instant sends the same bytes and changes nothing on the other side (law L6).
    """

    def __init__(
        self, name: str, key: MeterKey, password: str, url: str, patience: Patience = _PATIENT
    ) -> None:
        self.name: Final = name
        self.meter: Final = OcmfMeter(key, name)
        self.running: Final[set[int]] = set()
        """OCPP ids of running transactions."""
        self.remote_stops: Final[list[int]] = []
        """Transactions that the service asked to stop and the driver has not yet, in order."""
        self.remote_starts: Final[list[str]] = []
        """idTags that the service asked to start and the driver has not yet, in order."""
        self.data: Final[list[tuple[str, str]]] = []
        """What the service transferred, vendor and data, in order."""
        self._wire: Final = Wire(Address(name, password, url), ocpp16(self), patience)
        self._on_demand: Final[Mapping[str, Callable[[], Awaitable[object]]]] = {
            MessageTrigger.boot_notification: self._boot,
            MessageTrigger.heartbeat: lambda: self.heartbeat(self._now_s),
            MessageTrigger.status_notification: self._tell_status,
        }
        self._soon: Final[set[asyncio.Task[None]]] = set()
        self._now_s = UnixSeconds(0)
        self._status = ChargePointStatus.available

    async def __aenter__(self) -> Self:
        """Return the station, not yet connected."""
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Close the station."""
        await self.close()

    async def connect(self, at_s: UnixSeconds) -> None:
        """
        Connect, say who is there (BootNotification) and that the connector is free.

        Raises
        ------
        StationNotAdmittedError
            If the service refuses the password, the subprotocol or the station.
        StationUnreachableError
            If the service does not answer.
        """
        self._now_s = at_s
        await self._boot()
        await self._tell_status()

    async def start(self, event: DriverArrives, id_tag: str) -> int:
        """
        Authorize ``id_tag`` and start its transaction; return the transaction's id.

        Raises
        ------
        TagRefusedError
            If the service accepts the idTag not at all or not for this transaction.
        StationUnreachableError
            If the service does not answer.
        """
        await self.authorize(event.at_s, id_tag)
        await self._become(ChargePointStatus.preparing)
        transaction_id = await self.start_unauthorized(event, id_tag)
        await self._become(ChargePointStatus.charging)
        return transaction_id

    async def authorize(self, at_s: UnixSeconds, id_tag: str) -> None:
        """
        Ask whether ``id_tag`` may charge here.

        Raises
        ------
        TagRefusedError
            If it may not.
        """
        self._now_s = at_s
        answer = await self._wire.call(call.Authorize(id_tag=id_tag), at_s)
        self._check_tag(id_tag, answer.id_tag_info)

    async def start_unauthorized(self, event: DriverArrives, id_tag: str) -> int:
        """
        Send StartTransaction without asking first; return the transaction's id.

        Raises
        ------
        TagRefusedError
            If the service does not accept the idTag; the connector is free again.
        """
        self._now_s = event.at_s
        start = call.StartTransaction(
            connector_id=CONNECTOR,
            id_tag=id_tag,
            meter_start=event.begin_wh,
            timestamp=ocpp_instant(event.at_s),
        )
        answer = await self._wire.call(start, event.at_s, self._note_start)
        try:
            self._check_tag(id_tag, answer.id_tag_info)
        except TagRefusedError:
            await self._become(ChargePointStatus.available)
            raise
        return int(answer.transaction_id)

    async def send_slice(self, event: SliceBoundary, id_tag: str, transaction_id: int) -> None:
        """
        Send the signed fiscal record of the interval that ends (MeterValues).

        Raises
        ------
        StationUnreachableError
            If the service does not answer.
        """
        self._now_s = event.at_s
        self.running.add(transaction_id)
        record = self.meter.fiscal_record(event.slice, id_tag)
        value = signed_value(record, ReadingContext.sample_clock)
        values = call.MeterValues(
            connector_id=CONNECTOR,
            transaction_id=transaction_id,
            meter_value=[MeterValue(ocpp_instant(event.at_s), [value])],
        )
        await self._wire.call(values, event.at_s)

    async def stop(
        self,
        event: SessionStops,
        id_tag: str,
        transaction_id: int,
        reason: Reason = Reason.ev_disconnected,
    ) -> None:
        """
        End the transaction: the last fiscal record, then the record of the whole session.

        ``id_tag`` is what the meter signs, right or wrong.

        Raises
        ------
        StationUnreachableError
            If the service does not answer.
        """
        self._now_s = event.at_s
        at = ocpp_instant(event.at_s)
        fiscal = self.meter.fiscal_record(event.slice, id_tag)
        whole = self.meter.transaction_record(event, id_tag)
        stop = call.StopTransaction(
            meter_stop=event.end_wh,
            timestamp=at,
            transaction_id=transaction_id,
            reason=reason,
            id_tag=id_tag,
            transaction_data=[
                MeterValue(at, [signed_value(fiscal, ReadingContext.sample_clock)]),
                MeterValue(at, [signed_value(whole, ReadingContext.transaction_end)]),
            ],
        )
        await self._wire.call(stop, event.at_s)
        self.running.discard(transaction_id)
        await self._become(ChargePointStatus.finishing)
        await self._become(ChargePointStatus.available)

    async def heartbeat(self, at_s: UnixSeconds) -> str:
        """Ask for the time and return it as the service writes it; nothing else sends one."""
        self._now_s = at_s
        answer = await self._wire.call(call.Heartbeat(), at_s)
        return str(answer.current_time)

    async def send_frame(self, text: str) -> str:
        """
        Send ``text`` as it is, OCPP or not, and return the next message from the service.

        Raises
        ------
        StationUnreachableError
            If nothing comes back in time.
        """
        return await self._wire.send_frame(text)

    async def close(self) -> None:
        """Finish what was to be sent on demand, then close the connection."""
        await asyncio.gather(*self._soon)
        await self._wire.close()

    def accepts_remote_stop(self, transaction_id: int) -> bool:
        """Accept a running transaction; whoever plays the driver then calls ``stop``."""
        if transaction_id not in self.running:
            return False
        self.remote_stops.append(transaction_id)
        return True

    def accepts_remote_start(self, id_tag: str) -> bool:
        """Accept if the connector is free; whoever plays the driver then calls ``start``."""
        if self.running:
            return False
        self.remote_starts.append(id_tag)
        return True

    def accepts_trigger(self, message: str) -> bool:
        """Accept what this station can say on demand."""
        return message in self._on_demand

    def take_data(self, vendor: str, data: str) -> None:
        """Keep what the service transferred; it means nothing to this station."""
        self.data.append((vendor, data))

    def send_on_demand(self, message: str) -> None:
        """Send ``message`` in a task of its own; a lost one is asked for again."""

        async def send() -> None:
            try:
                await self._on_demand[message]()
            except VoisinError:
                return

        task = asyncio.create_task(send())
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _boot(self) -> None:
        boot = call.BootNotification(
            charge_point_vendor="Voisin",
            charge_point_model="Field station",
            charge_point_serial_number=self.name,
        )
        answer = await self._wire.call(boot, self._now_s)
        if answer.status != RegistrationStatus.accepted:
            raise StationNotAdmittedError(self.name, f"BootNotification is {answer.status}")

    async def _become(self, status: ChargePointStatus) -> None:
        self._status = status
        await self._tell_status()

    async def _tell_status(self) -> None:
        status = call.StatusNotification(
            connector_id=CONNECTOR,
            error_code=ChargePointErrorCode.no_error,
            status=self._status,
            timestamp=ocpp_instant(self._now_s),
        )
        await self._wire.call(status, self._now_s)

    def _note_start(self, answer: Mapping[str, Any]) -> None:
        """Know the transaction at once: the service may ask to stop it in its next message."""
        info, number = answer.get("idTagInfo"), answer.get("transactionId")
        accepted = isinstance(info, dict) and info.get("status") == AuthorizationStatus.accepted
        if accepted and isinstance(number, int):
            self.running.add(number)

    def _check_tag(self, id_tag: str, info: Mapping[str, object]) -> None:
        if info["status"] != AuthorizationStatus.accepted:
            raise TagRefusedError(self.name, id_tag, str(info["status"]))
