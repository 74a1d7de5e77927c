"""
OCPP 1.6-J: what stations send, read as reports, and the answers.

A station does not number its transactions; the service does. One that never got the number says
-1 (errata 3.18), and one that was told nothing says 0.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.ocpp.frames import Payload
from api.ocpp.translation.instants import read_instant
from api.ocpp.translation.samples import (
    DEFAULT_UNITS,
    PERIODIC,
    REGISTER,
    Sample,
    UnreadableValueError,
    read_meter_values,
    read_whole,
)
from api.ocpp.translation.steps import (
    Asked,
    Freed,
    Reader,
    Received,
    Said,
    Step,
    Told,
    UnreadableReportError,
    boot,
    canonical,
    fixed,
    heartbeat,
)
from ledger.errors import VoisinError
from ledger.units import WattHours
from settlement.charging.reports import Admission, Answer, Phase, TransactionReport

_DEFAULT_REASON: Final = "Local"
_SIGNED: Final = "SignedData"
_AVAILABLE: Final = "Available"


def _authorize(received: Received) -> Step:
    return Asked(received.payload["idTag"], _say_admission)


def _say_admission(admission: Admission) -> Payload:
    return {"idTagInfo": _tag_info(accepted=admission.accepted)}


def _start(received: Received) -> Step:
    told = received.payload
    at_s = read_instant(told["timestamp"])
    faults: list[VoisinError] = []
    if at_s is None:
        faults.append(UnreadableReportError("timestamp", told["timestamp"]))
    register_wh = _register(told, "meterStart", faults)
    report = TransactionReport(
        station_id=received.station_id,
        phase=Phase.STARTED,
        transaction=None,
        at_s=received.at_s if at_s is None else at_s,
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=told["idTag"],
        evse_id=_connector(told),
        register_wh=register_wh,
        values=(),
        records=(),
        key=f"start/{told['idTag']}/{told['timestamp']}",
        body=canonical(told),
    )
    return Told(report, _say_start, first=True, faults=tuple(faults))


def _say_start(answer: Answer | None) -> Payload:
    if answer is None or not answer.accepted:
        return {"transactionId": 0, "idTagInfo": _tag_info(accepted=False)}
    return {"transactionId": int(answer.transaction), "idTagInfo": _tag_info(accepted=True)}


def _meter_values(received: Received) -> Step:
    told = received.payload
    number = _number(told)
    if number is None and _SIGNED not in received.text:
        # Values of no transaction say nothing of money; the frame is kept.
        return Said({})
    readings = read_meter_values(told["meterValue"], _sample)
    last = told["meterValue"][-1]
    at_s = read_instant(last["timestamp"])
    context = last["sampledValue"][0].get("context", PERIODIC)
    report = TransactionReport(
        station_id=received.station_id,
        phase=Phase.UPDATED,
        transaction=number,
        at_s=received.at_s if at_s is None else at_s,
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=None,
        evse_id=_connector(told),
        register_wh=None,
        values=readings.values,
        records=readings.records,
        key=f"values/{number or _connector(told)}/{last['timestamp']}/{context}",
        body=canonical(told),
    )
    return Told(report, _say_nothing, first=False, faults=readings.faults)


def _stop(received: Received) -> Step:
    told = received.payload
    at_s = read_instant(told["timestamp"])
    readings = read_meter_values(told.get("transactionData") or (), _sample)
    faults = list(readings.faults)
    if at_s is None:
        faults.append(UnreadableReportError("timestamp", told["timestamp"]))
    register_wh = _register(told, "meterStop", faults)
    number, tag = _number(told), told.get("idTag")
    report = TransactionReport(
        station_id=received.station_id,
        phase=Phase.ENDED,
        transaction=number,
        at_s=received.at_s if at_s is None else at_s,
        seq_no=None,
        offline=False,
        trigger="",
        reason=told.get("reason", _DEFAULT_REASON),
        id_tag=tag,
        evse_id=0,
        register_wh=register_wh,
        values=readings.values,
        records=readings.records,
        key=f"stop/{number}" if number else f"stop/{tag or ''}/{told['timestamp']}",
        body=canonical(told),
    )
    return Told(report, _say_nothing, first=False, faults=tuple(faults))


def _status(received: Received) -> Step:
    told = received.payload
    if told["status"] != _AVAILABLE or _connector(told) == 0:
        # Connector 0 is the station as a whole.
        return Said({})
    at_s = read_instant(told.get("timestamp"))
    return Freed(received.station_id, _connector(told), received.at_s if at_s is None else at_s)


def _say_nothing(_answer: Answer | None) -> Payload:
    return {}


def _sample(raw: Mapping[str, Any]) -> Sample:
    """Read a sampled value of 1.6: its number is text, a signed one is JSON in that text."""
    measurand = raw.get("measurand", REGISTER)
    signed = None
    if raw.get("format") == _SIGNED:
        signed = _signed(raw["value"])
    return Sample(
        number=raw["value"],
        measurand=measurand,
        context=raw.get("context", PERIODIC),
        unit=raw.get("unit", DEFAULT_UNITS.get(measurand, "")),
        multiplier=0,
        whole="phase" not in raw and raw.get("location", "Outlet") == "Outlet",
        signed=signed,
        plain=signed is None,
    )


def _signed(text: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise UnreadableValueError(f"a signed value is no JSON: {fault}") from fault
    if not isinstance(document, dict):
        raise UnreadableValueError("a signed value is no JSON object")
    return document


def _register(told: Mapping[str, Any], name: str, faults: list[VoisinError]) -> WattHours | None:
    register = read_whole(told[name])
    if register is None:
        faults.append(UnreadableReportError(name, told[name]))
        return None
    return WattHours(register)


def _number(told: Mapping[str, Any]) -> str | None:
    """Return the transaction that a station names, if it knows one."""
    number = read_whole(told.get("transactionId", -1))
    return str(number) if number is not None and number > 0 else None


def _connector(told: Mapping[str, Any]) -> int:
    return read_whole(told["connectorId"]) or 0


def _tag_info(*, accepted: bool) -> Payload:
    return {"status": "Accepted" if accepted else "Invalid"}


READERS: Final[Mapping[str, Reader]] = {
    "Authorize": _authorize,
    "BootNotification": boot,
    "DataTransfer": fixed({"status": "UnknownVendorId"}),
    "DiagnosticsStatusNotification": fixed({}),
    "FirmwareStatusNotification": fixed({}),
    "Heartbeat": heartbeat,
    "LogStatusNotification": fixed({}),
    "MeterValues": _meter_values,
    "SecurityEventNotification": fixed({}),
    "SignCertificate": fixed({"status": "Rejected"}),
    "SignedFirmwareStatusNotification": fixed({}),
    "StartTransaction": _start,
    "StatusNotification": _status,
    "StopTransaction": _stop,
}
"""What reads each action that a station may send."""
