"""Find the car that took the most sun of its neighbors' roofs."""

from sqlalchemy import Connection, select

from scripts.summary import TracedCar
from settlement.engine.origin.sessions import roofs_of, sun_of_sessions
from settlement.engine.service import Service
from settlement.tables import session


def sunniest_car(service: Service, connection: Connection) -> TracedCar | None:
    """Return the closed session with the most sun, of equal ones the first by id; None if none."""
    closed = {
        row.session_id: row
        for row in connection.execute(
            select(session.c.session_id, session.c.station_id, session.c.energy_wh).where(
                session.c.state == "closed"
            )
        )
    }
    roofs = roofs_of(connection, sun_of_sessions(service, connection, tuple(closed)))
    cars = [
        TracedCar(
            session_id=session_id,
            station_id=row.station_id,
            energy_wh=row.energy_wh,
            roofs=tuple((roof.party, int(roof.energy_wh)) for roof in roofs[session_id]),
        )
        for session_id, row in closed.items()
        if roofs[session_id]
    ]
    return min(cars, key=lambda car: (-car.sun_wh, car.session_id)) if cars else None
