"""
The service's doors without their sockets: the same bodies, read the same way, judged the same way.

What comes in by HTTP is read by the models of ``api.routes``; what stations say is what the OCPP
library would hand on.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ocpp.charge_point import remove_nones
from ocpp.v16.enums import ReadingContext

from api.ocpp import v16
from api.routes.members import JoinRequest, MandateRequest
from api.routes.readings import Batch
from api.routes.sessions import OpenRequest, QuoteRequest
from devnet.field.stations.charge_point import ocpp_instant, signed_value
from ledger.units import Micros, UnixSeconds, WattHours
from settlement.charging.reports import Answer, TransactionReport
from settlement.engine.charging import quoting, transactions
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
    return quoting.open_session(
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
        "connector_id": 1,
        "id_tag": id_tag,
        "meter_start": register_wh,
        "timestamp": ocpp_instant(UnixSeconds(at_s)),
    }
    return int(_report(service, v16.started(station, payload)).transaction)


def take_slice(service: Service, station: str, number: int, at_s: int, record: str) -> None:
    """Answer MeterValues with one fiscal record."""
    values = {
        "connector_id": 1,
        "transaction_id": number,
        "meter_value": [_meter_value(at_s, record, ReadingContext.sample_clock)],
    }
    _report(service, v16.metered(station, values))


def stop(service: Service, station: str, number: int, at_s: int, records: tuple[str, str]) -> None:
    """Answer StopTransaction with the last fiscal record and the record of the whole."""
    part, whole = records
    payload = {
        "meter_stop": 0,
        "timestamp": ocpp_instant(UnixSeconds(at_s)),
        "transaction_id": number,
        "transaction_data": [
            _meter_value(at_s, part, ReadingContext.sample_clock),
            _meter_value(at_s, whole, ReadingContext.transaction_end),
        ],
    }
    _report(service, v16.ended(station, payload))


def _report(service: Service, told: TransactionReport) -> Answer:
    return transactions.report(service, told, elapsed_ns=lambda: 0)


def _meter_value(at_s: int, record: str, context: ReadingContext) -> dict[str, Any]:
    sampled: dict[str, Any] = remove_nones(asdict(signed_value(record, context)))
    return {"timestamp": ocpp_instant(UnixSeconds(at_s)), "sampled_value": [sampled]}


def _authorization(request: OpenRequest | JoinRequest) -> quoting.Authorization:
    return quoting.Authorization(
        valid_after_s=request.valid_after,
        valid_before_s=request.valid_before,
        signature=bytes.fromhex(request.signature[2:]),
    )
