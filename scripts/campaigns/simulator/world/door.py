"""
The service's doors without their sockets: the same bodies, read the same way, judged the same way.

What comes in by HTTP is read by the models of ``api.routes``; what stations say is read as
``api.ocpp`` reads it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from ocpp.charge_point import remove_nones, snake_to_camel_case
from ocpp.v16.enums import ReadingContext

from api.ocpp.frames import write_call
from api.ocpp.translation import v16
from api.ocpp.translation.limits import Limits
from api.ocpp.translation.steps import Received, Told
from api.routes.members import JoinRequest, MandateRequest
from api.routes.readings import Batch
from api.routes.sessions import OpenRequest, QuoteRequest
from devnet.field.stations.charge_point import ocpp_instant, signed_value
from ledger.units import Micros, UnixSeconds, WattHours
from settlement.charging.reports import Answer
from settlement.charging.terms import Authorization
from settlement.engine.charging import opening, quoting, transactions
from settlement.engine.market import members, readings
from settlement.engine.service import Service


def quote(service: Service, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``POST /api/quotes``."""
    request = QuoteRequest.model_validate(body)
    found = quoting.quote(
        service,
        station_id=request.station_id,
        driver=request.driver,
        requested_wh=WattHours(request.requested_wh),
    )
    return {
        "session_id": found.session_id,
        "terms": asdict(found.terms),
        "chain_id": service.identity.chain_id,
        "token": service.contracts.token.address,
        "vault": service.contracts.vault.address,
        "valid_after": found.valid_after_s,
        "valid_before": found.valid_before_s,
    }


def open_session(service: Service, body: bytes) -> Mapping[str, Any]:
    """Answer ``POST /api/sessions``."""
    request = OpenRequest.model_validate_json(body)
    return opening.open_session(
        service,
        terms=request.terms.domain(),
        requested_wh=WattHours(request.requested_wh),
        authorization=_authorization(request),
        body=body,
    )


def join(service: Service, body: bytes) -> Mapping[str, Any]:
    """Answer ``POST /api/members``."""
    request = JoinRequest.model_validate_json(body)
    return members.join(
        service,
        membership=members.Membership(
            party=request.party,
            member=request.member,
            cap_micros=Micros(request.cap_micros),
            amount_micros=Micros(request.amount_micros),
            salt=bytes.fromhex(request.salt[2:]),
        ),
        authorization=_authorization(request),
        body=body,
    )


def record_mandate(service: Service, body: bytes) -> Mapping[str, Any]:
    """Answer ``POST /api/mandates``."""
    request = MandateRequest.model_validate_json(body)
    return members.record_mandate(
        service,
        given=request.domain(),
        signature=bytes.fromhex(request.signature[2:]),
        body=body,
    )


def record_readings(service: Service, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Answer ``POST /api/readings``: the code of each reading's refusal, or what became of it."""
    request = Batch.model_validate(body)
    answers = readings.record_readings(service, tuple(one.domain() for one in request.readings))
    return tuple(one.code or one.status for one in answers)


def start(service: Service, station: str, id_tag: str, at_s: int, register_wh: int) -> int:
    """Answer Authorize and StartTransaction; return the transaction, or 0 if it is refused."""
    if not transactions.authorize(service, station_id=station, id_tag=id_tag).accepted:
        return 0
    payload = {
        "connectorId": 1,
        "idTag": id_tag,
        "meterStart": register_wh,
        "timestamp": ocpp_instant(UnixSeconds(at_s)),
    }
    return int(_report(service, station, "StartTransaction", payload).transaction)


def take_slice(service: Service, station: str, number: int, at_s: int, record: str) -> None:
    """Answer MeterValues with one fiscal record."""
    values = {
        "connectorId": 1,
        "transactionId": number,
        "meterValue": [_meter_value(at_s, record, ReadingContext.sample_clock)],
    }
    _report(service, station, "MeterValues", values)


def stop(service: Service, station: str, number: int, at_s: int, records: tuple[str, str]) -> None:
    """Answer StopTransaction with the last fiscal record and the record of the whole."""
    part, whole = records
    payload = {
        "meterStop": 0,
        "timestamp": ocpp_instant(UnixSeconds(at_s)),
        "transactionId": number,
        "transactionData": [
            _meter_value(at_s, part, ReadingContext.sample_clock),
            _meter_value(at_s, whole, ReadingContext.transaction_end),
        ],
    }
    _report(service, station, "StopTransaction", payload)


def _report(service: Service, station: str, action: str, payload: Mapping[str, Any]) -> Answer:
    frame = write_call("door", action, payload)
    received = Received(station, dict(payload), frame, service.clock.now_s(), Limits())
    told = cast("Told", v16.READERS[action](received))
    return transactions.report(service, told.report, elapsed_ns=lambda: 0)


def _meter_value(at_s: int, record: str, context: ReadingContext) -> dict[str, Any]:
    sampled: dict[str, Any] = snake_to_camel_case(
        remove_nones(asdict(signed_value(record, context)))
    )
    return {"timestamp": ocpp_instant(UnixSeconds(at_s)), "sampledValue": [sampled]}


def _authorization(request: OpenRequest | JoinRequest) -> Authorization:
    return Authorization(
        valid_after_s=request.valid_after,
        valid_before_s=request.valid_before,
        signature=bytes.fromhex(request.signature[2:]),
    )
