"""Who stations are, and what they send: kept before anything is thought about it."""

from datetime import UTC, datetime

from sqlalchemy import Connection, select

from ledger.errors import VoisinError
from ledger.units import UnixSeconds
from settlement.engine.charging.running import keep_refused, station_message
from settlement.engine.service import Service
from settlement.tables import frame, station


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
    keep_refused(service, station_message("frame", station_id, body.encode(), ""), fault)
