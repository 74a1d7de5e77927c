"""Speak OCPP 2.0.1 and 2.1: transaction events, named and numbered by the station."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from ocpp.v21 import call
from ocpp.v21.datatypes import (
    ChargingStationType,
    EVSEType,
    IdTokenType,
    MeterValueType,
    SampledValueType,
    SignedMeterValueType,
    TransactionLimitType,
    TransactionType,
    UnitOfMeasureType,
)
from ocpp.v21.enums import (
    BootReasonEnumType,
    ChargingStateEnumType,
    ConnectorStatusEnumType,
    MeasurandEnumType,
    ReadingContextEnumType,
    ReasonEnumType,
    TransactionEventEnumType,
    TriggerReasonEnumType,
)

from devnet.field.stations.links2 import Answers2, ocpp21, ocpp201
from devnet.field.stations.notes import (
    EVSE,
    Note,
    Phase,
    Reply,
    SignedValue,
    Transaction,
    Version,
    cost_micros,
    instant,
)
from ledger.units import UnixSeconds, WattHours

_MICROS_PER_EURO: Final = 1_000_000
_CENTRAL: Final = "Central"
"""Kind of an idToken that the service made."""
_CONTEXTS: Final = {
    Phase.STARTED: ReadingContextEnumType.transaction_begin,
    Phase.UPDATED: ReadingContextEnumType.sample_periodic,
    Phase.ENDED: ReadingContextEnumType.transaction_end,
}
_NOT_OCCUPIED: Final = frozenset({"Available", "Unavailable", "Faulted"})


class Speech2:
    """How OCPP 2.0.1 and 2.1 say things; 2.0.1 has no limit of cost."""

    def __init__(self, version: Version, answers: Answers2) -> None:
        self.version = version
        self.link = ocpp21(answers) if version is Version.V21 else ocpp201(answers)

    def boot(self, station: str) -> call.BootNotification:
        """Return that the station is there."""
        return call.BootNotification(
            charging_station=ChargingStationType(
                model="Field station", vendor_name="Voisin", serial_number=station
            ),
            reason=BootReasonEnumType.power_up,
        )

    def heartbeat(self) -> call.Heartbeat:
        """Return the question for the time."""
        return call.Heartbeat()

    def word_for(self, status: str) -> str:
        """Return ``status`` if the outlet is free, unavailable or faulted, or else occupied."""
        return status if status in _NOT_OCCUPIED else "Occupied"

    def status(self, status: str, at_s: UnixSeconds) -> call.StatusNotification:
        """Return that the connector is in ``status``."""
        return call.StatusNotification(
            connector_id=EVSE,
            connector_status=ConnectorStatusEnumType(self.word_for(status)),
            evse_id=EVSE,
            timestamp=instant(at_s),
        )

    def authorize(self, id_tag: str) -> call.Authorize:
        """Return the question whether ``id_tag`` may charge."""
        return call.Authorize(id_token=IdTokenType(id_token=id_tag, type=_CENTRAL))

    def data(self, vendor: str, data: str) -> call.DataTransfer:
        """Return something that only ``vendor`` understands."""
        return call.DataTransfer(vendor_id=vendor, data=data)

    def note(self, transaction: Transaction, note: Note) -> call.TransactionEvent:
        """Return the transaction event that says ``note``."""
        is_updated = note.phase is Phase.UPDATED
        return call.TransactionEvent(
            event_type=TransactionEventEnumType(note.phase),
            seq_no=note.seq_no,
            timestamp=instant(note.at_s),
            transaction_info=_info(transaction, note),
            trigger_reason=TriggerReasonEnumType(note.trigger),
            evse=EVSEType(id=EVSE, connector_id=EVSE),
            id_token=None if is_updated else IdTokenType(transaction.id_tag, _CENTRAL),
            meter_value=_values(note),
            offline=note.offline,
        )

    def standing(self, answer: Mapping[str, Any]) -> str:
        """Return the standing of the idToken that an answer to Authorize says."""
        return str(answer["idTokenInfo"]["status"])

    def reply(self, answer: Mapping[str, Any]) -> Reply:
        """Return what an answer to a transaction event comes to."""
        limit = answer.get("transactionLimit") or {}
        return Reply(
            status=(answer.get("idTokenInfo") or {}).get("status"),
            max_cost_micros=cost_micros(limit.get("maxCost")),
            total_cost_micros=cost_micros(answer.get("totalCost")),
        )


def _info(transaction: Transaction, note: Note) -> TransactionType:
    limit = note.limit_micros
    return TransactionType(
        transaction_id=transaction.name,
        charging_state=ChargingStateEnumType(note.state),
        remote_start_id=transaction.remote_start_id,
        stopped_reason=None if note.reason is None else ReasonEnumType(note.reason),
        transaction_limit=None
        if limit is None
        else TransactionLimitType(max_cost=limit / _MICROS_PER_EURO),
    )


def _values(note: Note) -> list[MeterValueType]:
    """Return register and power, then each signed record beside the register."""
    context, at = _CONTEXTS[note.phase], instant(note.at_s)
    plain = [
        _register(note.register_wh, context),
        SampledValueType(
            value=note.power_w,
            context=context,
            measurand=MeasurandEnumType.power_active_import,
            unit_of_measure=UnitOfMeasureType(unit="W"),
        ),
    ]
    return [
        MeterValueType(sampled_value=plain, timestamp=at),
        *(
            MeterValueType(sampled_value=[_signed(one, note.register_wh)], timestamp=at)
            for one in note.signed
        ),
    ]


def _register(
    register_wh: WattHours,
    context: ReadingContextEnumType,
    signed: SignedMeterValueType | None = None,
) -> SampledValueType:
    return SampledValueType(
        value=register_wh,
        context=context,
        measurand=MeasurandEnumType.energy_active_import_register,
        signed_meter_value=signed,
        unit_of_measure=UnitOfMeasureType(unit="Wh"),
    )


def signed_type(value: SignedValue) -> dict[str, str]:
    """Return a signed record as 2.x carries it; 2.0.1 wants method and key even if empty."""
    return {
        "encodingMethod": "OCMF",
        "signedMeterData": base64.b64encode(value.record.encode()).decode(),
        "publicKey": "",
        "signingMethod": "",
    }


def _signed(value: SignedValue, register_wh: WattHours) -> SampledValueType:
    told = signed_type(value)
    signed = SignedMeterValueType(
        encoding_method=told["encodingMethod"],
        signed_meter_data=told["signedMeterData"],
        public_key=told["publicKey"],
        signing_method=told["signingMethod"],
    )
    return _register(register_wh, ReadingContextEnumType(value.context), signed)
