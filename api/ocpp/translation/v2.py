"""
OCPP 2.0.1 and 2.1: what stations send, read as reports, and the answers.

Stations number their transactions and the messages of each; all of a transaction comes in messages
of one kind, ``TransactionEvent``. OCPP 2.1 adds what a transaction may cost (use case E16).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.ocpp.frames import Payload, Version
from api.ocpp.translation.instants import instant_text, read_instant
from api.ocpp.translation.money import amount, read_amount
from api.ocpp.translation.samples import (
    DEFAULT_UNITS,
    PERIODIC,
    REGISTER,
    Readings,
    Sample,
    read_exactly,
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
from ledger.units import UnixSeconds
from settlement.charging.reports import Admission, Answer, Phase, TransactionReport

_PHASES: Final = {
    "Started": Phase.STARTED,
    "Updated": Phase.UPDATED,
    "Ended": Phase.ENDED,
}
_DEFAULT_REASON: Final = "Local"
_SIGNED: Final = "signedMeterValue"
_AVAILABLE: Final = "Available"
_PAYLOAD: Final = 3


def _authorize(received: Received) -> Step:
    at_s = received.at_s

    def say(admission: Admission) -> Payload:
        return {"idTokenInfo": _token_info(accepted=admission.accepted, at_s=at_s)}

    return Asked(received.payload["idToken"]["idToken"], say)


def _token_info(*, accepted: bool, at_s: UnixSeconds) -> Payload:
    """Return whether a token may charge; a prepaid one must not be kept (use case C17)."""
    status = "Accepted" if accepted else "NoCredit"
    return {"status": status, "cacheExpiryDateTime": instant_text(at_s)}


def _transaction_event(received: Received, version: Version) -> Step:
    told = _exactly(received)
    info, token = told["transactionInfo"], told.get("idToken")
    faults: list[VoisinError] = []
    readings = read_meter_values(told.get("meterValue") or (), _sample)
    phase = _PHASES[told["eventType"]]
    at_s, seq_no = read_instant(told["timestamp"]), read_whole(told["seqNo"])
    if at_s is None:
        faults.append(UnreadableReportError("timestamp", told["timestamp"]))
    if seq_no is None:
        faults.append(UnreadableReportError("seqNo", told["seqNo"]))
    report = TransactionReport(
        station_id=received.station_id,
        phase=phase,
        transaction=info["transactionId"],
        at_s=received.at_s if at_s is None else at_s,
        seq_no=seq_no,
        offline=bool(told.get("offline", False)),
        trigger=told["triggerReason"],
        reason=info.get("stoppedReason", _DEFAULT_REASON) if phase is Phase.ENDED else None,
        id_tag=token["idToken"] or None if token else None,
        evse_id=read_whole(told.get("evse", {}).get("id")) or 0,
        register_wh=None,
        values=readings.values,
        records=readings.records,
        key=f"event/{info['transactionId']}/{told['seqNo']}",
        body=canonical(received.payload),
    )
    _note_limit(received, info)
    say = _Words(received, report, version)
    first = phase is not Phase.UPDATED or token is not None
    return Told(report, say, first=first, faults=(*faults, *readings.faults))


def _note_limit(received: Received, info: Mapping[str, Any]) -> None:
    """Take note of a limit that the station says it keeps."""
    told = read_amount(info.get("transactionLimit", {}).get("maxCost"))
    if told is not None:
        received.limits.repeat(received.station_id, info["transactionId"], told)


class _Words:
    """Puts the answer to a transaction event in words."""

    def __init__(self, received: Received, report: TransactionReport, version: Version) -> None:
        self._received: Final = received
        self._report: Final = report
        self._version: Final = version

    def __call__(self, answer: Answer | None) -> Payload:
        report, limits = self._report, self._received.limits
        said: Payload = {}
        if report.id_tag is not None and report.phase is not Phase.ENDED:
            accepted = answer is not None and answer.accepted
            said["idTokenInfo"] = _token_info(accepted=accepted, at_s=self._received.at_s)
        if answer is not None and answer.total_cost_micros is not None:
            said["totalCost"] = amount(answer.total_cost_micros)
        transaction = report.transaction or ""
        if report.phase is Phase.ENDED:
            limits.forget(report.station_id, transaction)
            return said
        max_cost_micros = limits.take(report.station_id, transaction)
        if max_cost_micros is None and report.id_tag is not None and answer is not None:
            max_cost_micros = answer.max_cost_micros if answer.accepted else None
        if max_cost_micros is not None and self._version is Version.V21:
            said["transactionLimit"] = {"maxCost": amount(max_cost_micros)}
        return said


def _status(received: Received) -> Step:
    told = received.payload
    if told["connectorStatus"] != _AVAILABLE:
        return Said({})
    at_s, evse_id = read_instant(told["timestamp"]), read_whole(told["evseId"]) or 0
    return Freed(received.station_id, evse_id, received.at_s if at_s is None else at_s)


def _meter_values(received: Received) -> Step:
    if _SIGNED not in received.text:
        # Values of no transaction say nothing of money; the frame is kept.
        return Said({})
    told = _exactly(received)
    readings = read_meter_values(told["meterValue"], _sample)
    return Told(
        _values_report(received, told["meterValue"], readings),
        lambda _answer: {},
        first=False,
        faults=readings.faults,
    )


def _values_report(
    received: Received, meter_values: Sequence[Mapping[str, Any]], readings: Readings
) -> TransactionReport:
    """Return a report of signed values whose transaction only their records name."""
    last = meter_values[-1]
    at_s = read_instant(last["timestamp"])
    evse_id = read_whole(received.payload["evseId"]) or 0
    context = last["sampledValue"][0].get("context", PERIODIC)
    return TransactionReport(
        station_id=received.station_id,
        phase=Phase.UPDATED,
        transaction=None,
        at_s=received.at_s if at_s is None else at_s,
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=None,
        evse_id=evse_id,
        register_wh=None,
        values=readings.values,
        records=readings.records,
        key=f"values/{evse_id}/{last['timestamp']}/{context}",
        body=canonical(received.payload),
    )


def _sample(raw: Mapping[str, Any]) -> Sample:
    """Read a sampled value of 2.x: its number is a number, and a signed one stands beside it."""
    unit, measurand = raw.get("unitOfMeasure", {}), raw.get("measurand", REGISTER)
    return Sample(
        number=raw["value"],
        measurand=measurand,
        context=raw.get("context", PERIODIC),
        unit=unit.get("unit", DEFAULT_UNITS.get(measurand, "")),
        multiplier=unit.get("multiplier", 0),
        whole="phase" not in raw and raw.get("location", "Outlet") == "Outlet",
        signed=raw.get(_SIGNED),
        plain=True,
    )


def _exactly(received: Received) -> Payload:
    """Return the payload again, its numbers as decimals: no energy becomes a float."""
    payload: Payload = read_exactly(received.text)[_PAYLOAD]
    return payload


def readers(version: Version) -> Mapping[str, Reader]:
    """Return what reads each action that a station of ``version`` may send."""
    found: dict[str, Reader] = {
        "Authorize": _authorize,
        "BootNotification": boot,
        "DataTransfer": fixed({"status": "UnknownVendorId"}),
        "Get15118EVCertificate": fixed({"status": "Failed", "exiResponse": ""}),
        "GetCertificateStatus": fixed({"status": "Failed"}),
        "Heartbeat": heartbeat,
        "MeterValues": _meter_values,
        "NotifyEVChargingNeeds": fixed({"status": "Rejected"}),
        "NotifyEVChargingSchedule": fixed({"status": "Rejected"}),
        "StatusNotification": _status,
        "SignCertificate": fixed({"status": "Rejected"}),
        "TransactionEvent": lambda received: _transaction_event(received, version),
    }
    found |= dict.fromkeys(_NOTED, fixed({}))
    if version is Version.V21:
        found |= dict.fromkeys(_NOTED_21, fixed({}))
        found["OpenPeriodicEventStream"] = fixed({"status": "Rejected"})
        found["PullDynamicScheduleUpdate"] = fixed({"status": "Rejected"})
    return found


_NOTED: Final = (
    "ClearedChargingLimit",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
)
"""What needs no more than to be kept."""
_NOTED_21: Final = (
    "BatterySwap",
    "ClosePeriodicEventStream",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPriorityCharging",
    "NotifySettlement",
    "ReportDERControl",
)
"""What OCPP 2.1 adds to that."""
