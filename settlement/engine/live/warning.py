"""Note once that a driver was warned, or that a station was told to stop."""

import json
from typing import Final

from sqlalchemy import select

from ledger.units import Micros
from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.tables import event

SESSION_WARNED: Final = "session_warned"
STOP_ASKED: Final = "session_stop_asked"


def note_once(
    service: Service, name: str, session_id: str, *, deposit_micros: Micros, spent_micros: Micros
) -> bool:
    """
    Append the event ``name`` of a session; return whether it was new.

    Idempotent by session, name and deposit: a deposit that grew may come near its end again.
    """
    with service.writing() as connection:
        bodies = connection.execute(
            select(event.c.body).where(event.c.trace_id == session_id, event.c.name == name)
        ).scalars()
        if any(json.loads(body)["deposit_micros"] == deposit_micros for body in bodies):
            return False
        emit(
            connection,
            name,
            trace_id=session_id,
            at_s=service.clock.now_s(),
            deposit_micros=deposit_micros,
            spent_micros=spent_micros,
        )
    return True
