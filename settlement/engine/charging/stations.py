"""Who stations are."""

from sqlalchemy import select

from settlement.engine.service import Service
from settlement.tables import station


def password_hash(service: Service, station_id: str) -> str | None:
    """Return the SHA-256 of the station's password as hex, or None if it is unknown."""
    with service.reading() as connection:
        return connection.execute(
            select(station.c.password_hash).where(station.c.station_id == station_id)
        ).scalar()
