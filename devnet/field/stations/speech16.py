"""Speak OCPP 1.6: a start, meter values and a stop, numbered by the service."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from ocpp.v16 import call
from ocpp.v16.datatypes import MeterValue, SampledValue
from ocpp.v16.enums import (
    ChargePointErrorCode,
    ChargePointStatus,
    Measurand,
    ReadingContext,
    Reason,
    UnitOfMeasure,
    ValueFormat,
)

from devnet.field.stations.links import Answers, ocpp16
from devnet.field.stations.notes import (
    EVSE,
    UNKNOWN_NUMBER,
    Note,
    Phase,
    Reply,
    SignedValue,
    Transaction,
    Version,
    instant,
)
from ledger.units import UnixSeconds

_CONTEXTS: Final = {
    Phase.STARTED: ReadingContext.transaction_begin,
    Phase.UPDATED: ReadingContext.sample_periodic,
    Phase.ENDED: ReadingContext.transaction_end,
}


class Speech16:
    """How OCPP 1.6 says things."""

    version = Version.V16

    def __init__(self, answers: Answers) -> None:
        self.link = ocpp16(answers)

    def boot(self, station: str) -> call.BootNotification:
        """Return that the station is there."""
        return call.BootNotification(
            charge_point_vendor="Voisin",
            charge_point_model="Field station",
            charge_point_serial_number=station,
        )

    def heartbeat(self) -> call.Heartbeat:
        """Return the question for the time."""
        return call.Heartbeat()

    def word_for(self, status: str) -> str:
        """Return ``status``: the words are those of 1.6."""
        return status

    def status(self, status: str, at_s: UnixSeconds) -> call.StatusNotification:
        """Return that the connector is in ``status``."""
        return call.StatusNotification(
            connector_id=EVSE,
            error_code=ChargePointErrorCode.no_error,
            status=ChargePointStatus(status),
            timestamp=instant(at_s),
        )

    def authorize(self, id_tag: str) -> call.Authorize:
        """Return the question whether ``id_tag`` may charge."""
        return call.Authorize(id_tag=id_tag)

    def data(self, vendor: str, data: str) -> call.DataTransfer:
        """Return something that only ``vendor`` understands."""
        return call.DataTransfer(vendor_id=vendor, data=data)

    def note(self, transaction: Transaction, note: Note) -> Any:  # noqa: ANN401
        """Return StartTransaction, MeterValues or StopTransaction, by the note's phase."""
        number = UNKNOWN_NUMBER if transaction.number is None else transaction.number
        if note.phase is Phase.STARTED:
            return call.StartTransaction(
                connector_id=EVSE,
                id_tag=transaction.id_tag,
                meter_start=note.register_wh,
                timestamp=instant(note.at_s),
            )
        if note.phase is Phase.UPDATED:
            return call.MeterValues(
                connector_id=EVSE, transaction_id=number, meter_value=_values(note)
            )
        return call.StopTransaction(
            meter_stop=note.register_wh,
            timestamp=instant(note.at_s),
            transaction_id=number,
            reason=Reason(note.reason) if note.reason in set(Reason) else Reason.other,
            id_tag=transaction.id_tag,
            transaction_data=_values(note),
        )

    def standing(self, answer: Mapping[str, Any]) -> str:
        """Return the standing of the idTag that an answer to Authorize says."""
        return str(answer["idTagInfo"]["status"])

    def reply(self, answer: Mapping[str, Any]) -> Reply:
        """Return what an answer to a note comes to."""
        status = (answer.get("idTagInfo") or {}).get("status")
        return Reply(status=status, number=answer.get("transactionId"))


def _values(note: Note) -> list[MeterValue]:
    """Return register and power, then each signed record for itself (OCA application note)."""
    context = _CONTEXTS[note.phase]
    plain = [
        SampledValue(
            value=str(note.register_wh),
            context=context,
            measurand=Measurand.energy_active_import_register,
            unit=UnitOfMeasure.wh,
        ),
        SampledValue(
            value=str(note.power_w),
            context=context,
            measurand=Measurand.power_active_import,
            unit=UnitOfMeasure.w,
        ),
    ]
    at = instant(note.at_s)
    return [MeterValue(at, plain), *(MeterValue(at, [_signed(one)]) for one in note.signed)]


def signed_document(value: SignedValue) -> str:
    """Return a signed record as 1.6 carries it: JSON within JSON (OCA application note)."""
    document = {
        "signedMeterData": base64.b64encode(value.record.encode()).decode(),
        "signingMethod": "",
        "encodingMethod": "OCMF",
        "publicKey": "",
    }
    return json.dumps(document, separators=(",", ":"))


def _signed(value: SignedValue) -> SampledValue:
    return SampledValue(
        value=signed_document(value),
        context=ReadingContext(value.context),
        format=ValueFormat.signed_data,
        measurand=Measurand.energy_active_import_register,
    )
