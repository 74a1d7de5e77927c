"""
Hold the money of a session that nothing proves the end of yet, and let it go on.

A held session keeps its deposit in the vault. A good record that comes before the deadline settles
it; after the deadline ``expire`` gives all of it back. The service never takes a part of a deposit
on an unproven part of a bill.
"""

from sqlalchemy import Connection, RowMapping, select, update

from ledger.units import UnixSeconds, WattHours
from settlement.engine.charging.running import sliced_wh
from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import is_energy, register_wh
from settlement.tables import session, signed_record

MISSING_STOP = "missing_stop"
_HOLDABLE = ("open", "charging", "held")


def hold(
    service: Service,
    connection: Connection,
    found: RowMapping,
    code: str,
    *,
    stopped_s: UnixSeconds | None = None,
) -> None:
    """Hold the money of a session, and say why; saying it again changes nothing."""
    values: dict[str, object] = {"state": "held", "held_code": code}
    if stopped_s is not None:
        values["stopped_s"] = stopped_s
    changed = connection.execute(
        update(session)
        .where(
            session.c.session_id == found["session_id"],
            session.c.state.in_(_HOLDABLE),
            (session.c.state != "held") | session.c.held_code.is_distinct_from(code),
        )
        .values(values)
    )
    if changed.rowcount:
        emit(
            connection,
            "session_held",
            trace_id=found["session_id"],
            at_s=service.clock.now_s(),
            code=code,
            signed_wh=signed_wh(connection, found["session_id"]),
        )


def resume(service: Service, connection: Connection, found: RowMapping) -> None:
    """Let a session go on that was held because its station had fallen silent."""
    changed = connection.execute(
        update(session)
        .where(
            session.c.session_id == found["session_id"],
            session.c.state == "held",
            session.c.held_code == MISSING_STOP,
        )
        .values(state="charging", held_code=None)
    )
    if changed.rowcount:
        emit(
            connection,
            "session_resumed",
            trace_id=found["session_id"],
            at_s=service.clock.now_s(),
        )


def signed_wh(connection: Connection, session_id: str) -> WattHours:
    """
    Return the energy that signatures cover so far, in Wh: the most that is provisionally sure.

    From fiscal records, or from the registers of transaction records that are no whole one.
    """
    texts = connection.execute(
        select(signed_record.c.record)
        .where(signed_record.c.session_id == session_id)
        .order_by(signed_record.c.page)
    ).scalars()
    seen: dict[str, list[WattHours]] = {}
    for text in texts:
        for reading in parse_record(text).readings:
            if is_energy(reading) and reading.digits is not None:
                seen.setdefault(reading.obis, []).append(register_wh(reading))
    spread = max((max(one) - min(one) for one in seen.values()), default=0)
    return WattHours(max(sliced_wh(connection, session_id), spread))
