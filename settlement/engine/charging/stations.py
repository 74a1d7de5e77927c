"""What stations say before a car charges: who they are, idTags, starts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from ledger.errors import NotPermitted, VoisinError
from ledger.units import UnixSeconds
from settlement.engine.charging import signed_values
from settlement.engine.charging.running import (
    by_tag,
    canonical,
    keep_refused,
    station_message,
)
from settlement.engine.intake import Outcome, emit, take
from settlement.engine.service import Service, unwrap
from settlement.tables import frame, session, station


class NoDepositError(NotPermitted):
    """No confirmed deposit stands behind the idTag at this station."""

    def __init__(self, station_id: str, id_tag: str) -> None:
        super().__init__("no_deposit", f"{station_id}: no open deposit for idTag {id_tag!r}")


def rfc3339(instant_s: UnixSeconds) -> str:
    """Return an instant as OCPP wants it: RFC 3339, UTC, ``Z``."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def password_hash(service: Service, station_id: str) -> str | None:
    """Return the SHA-256 of the station's password as hex, or None if it is unknown."""
    with service.reading() as connection:
        return connection.execute(
            select(station.c.password_hash).where(station.c.station_id == station_id)
        ).scalar()


def keep_frame(connection: Connection, station_id: str, body: str, *, at_s: UnixSeconds) -> None:
    """Store a frame before anything is thought about it."""
    connection.execute(frame.insert().values(station_id=station_id, body=body, at_s=at_s))


def refuse_frame(service: Service, station_id: str, body: str, fault: VoisinError) -> None:
    """Keep a frame that is no OCPP message in quarantine, with the reason."""
    keep_refused(service, station_message("frame", station_id, "", body.encode(), ""), fault)


def authorize(service: Service, *, station_id: str, id_tag: str) -> bool:
    """Say whether a confirmed deposit stands behind ``id_tag`` here; record a refusal."""
    with service.reading() as connection:
        found = by_tag(connection, station_id, id_tag)
    if found is not None and found["state"] in {"open", "charging"}:
        return True
    keep_refused(
        service,
        station_message("authorize", station_id, id_tag, id_tag.encode(), ""),
        NoDepositError(station_id, id_tag),
    )
    return False


def start(service: Service, *, station_id: str, start: Mapping[str, Any]) -> int:
    """
    Start the session behind the idTag and return its OCPP transaction id.

    Idempotent by station, idTag and time, since a retry may carry a new message id.

    Raises
    ------
    NoDepositError
        If no confirmed deposit stands behind the idTag.
    """
    tag = str(start["id_tag"])
    key = f"{tag}/{start['timestamp']}"
    with service.writing() as connection:
        found = by_tag(connection, station_id, tag)
        trace_id = found["session_id"] if found else ""
        message = station_message("start", station_id, key, canonical(start), trace_id)
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _start(service, connection, station_id, tag, start),
        )
    return int(unwrap(taken).outcome["transaction_id"])


def _start(
    service: Service, connection: Connection, station_id: str, tag: str, start: Mapping[str, Any]
) -> Outcome:
    found = by_tag(connection, station_id, tag)
    if found is None or found["state"] != "open":
        raise NoDepositError(station_id, tag)
    newest = connection.execute(select(func.max(session.c.transaction_id))).scalar()
    number = (newest or 0) + 1
    connection.execute(
        update(session)
        .where(session.c.session_id == found["session_id"])
        .values(
            state="charging",
            transaction_id=number,
            started_s=signed_values.instant_of(start["timestamp"]),
            begin_wh=int(start["meter_start"]),
        )
    )
    emit(
        connection,
        "session_started",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        transaction_id=number,
        meter_start_wh=int(start["meter_start"]),
    )
    return {"transaction_id": number}
