"""Translate what an OCPP 1.6 station says of a transaction into reports."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ledger.units import WattHours
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import signed_values


def started(station_id: str, payload: Mapping[str, Any]) -> TransactionReport:
    """Return the report of a StartTransaction."""
    tag = str(payload["id_tag"])
    return TransactionReport(
        station_id=station_id,
        phase=Phase.STARTED,
        transaction=None,
        at_s=signed_values.instant_of(payload["timestamp"]),
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=tag,
        evse_id=int(payload["connector_id"]),
        register_wh=WattHours(int(payload["meter_start"])),
        values=(),
        records=(),
        key=f"start/{tag}/{payload['timestamp']}",
        body=_canonical(payload),
    )


def metered(station_id: str, payload: Mapping[str, Any]) -> TransactionReport:
    """Return the report of a MeterValues."""
    number, values = _number(payload), payload["meter_value"]
    last = values[-1]["timestamp"]
    return TransactionReport(
        station_id=station_id,
        phase=Phase.UPDATED,
        transaction=number,
        at_s=signed_values.instant_of(last),
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=None,
        evse_id=int(payload["connector_id"]),
        register_wh=None,
        values=(),
        records=_records(values),
        key=f"values/{number}/{last}",
        body=_canonical(payload),
    )


def ended(station_id: str, payload: Mapping[str, Any]) -> TransactionReport:
    """Return the report of a StopTransaction."""
    number = _number(payload)
    return TransactionReport(
        station_id=station_id,
        phase=Phase.ENDED,
        transaction=number,
        at_s=signed_values.instant_of(payload["timestamp"]),
        seq_no=None,
        offline=False,
        trigger="",
        reason=payload.get("reason"),
        id_tag=payload.get("id_tag"),
        evse_id=0,
        register_wh=WattHours(int(payload["meter_stop"])),
        values=(),
        records=_records(payload.get("transaction_data") or []),
        key=f"stop/{number}",
        body=_canonical(payload),
    )


def _number(payload: Mapping[str, Any]) -> str | None:
    """Return the transaction's id; a station that was never told one says -1 (1.6 errata 3.18)."""
    number = payload.get("transaction_id")
    return None if number is None or int(number) < 0 else str(number)


def _records(meter_values: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(signed_values.signed_records(meter_values))


def _canonical(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, sort_keys=True, default=str).encode()
