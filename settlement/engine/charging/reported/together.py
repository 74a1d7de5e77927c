"""
Take note of unsigned values, many in one turn: they are most of what stations say.

They change nothing but a session that was held because its station had fallen silent. Numbers of
OCPP 2.x are noted, all of them in one commit.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, select

from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.reported import holding, matching
from settlement.engine.charging.reported.sequence import note
from settlement.engine.charging.running import report_message
from settlement.engine.intake import MessageDiffersError, refuse
from settlement.engine.service import Service
from settlement.tables import session

Found = Mapping[tuple[str, str], RowMapping]


def is_unsigned(told: TransactionReport) -> bool:
    """Return whether a report says only that a transaction goes on, and signs nothing."""
    return told.phase is Phase.UPDATED and not told.records


def take_note(
    service: Service, reports: Sequence[TransactionReport]
) -> tuple[RowMapping | None, ...]:
    """Take note of unsigned reports; return the session of each, or None."""
    numbered = [told for told in reports if told.seq_no is not None]
    if numbered:
        _note_all(service, numbered)
    known = _sessions(service, reports)
    found = tuple(_session(service, known, told) for told in reports)
    silent = {
        one["session_id"]: one
        for one in found
        if one is not None and one["held_code"] == holding.MISSING_STOP
    }
    if silent:
        with service.writing() as connection:
            for one in silent.values():
                holding.resume(service, connection, one)
    return found


def _note_all(service: Service, reports: Sequence[TransactionReport]) -> None:
    at_s = service.clock.now_s()
    with service.writing() as connection:
        for told in reports:
            if not note(connection, told):
                message = report_message(told, "")
                kept.keep(connection, told, at_s=at_s)
                fault = MessageDiffersError(message.key)
                refuse(connection, service.book, message, fault, at_s=at_s)


def _sessions(service: Service, reports: Sequence[TransactionReport]) -> Found:
    """Return the sessions of all transactions that are named, in one question."""
    stations = sorted({told.station_id for told in reports})
    transactions = sorted({told.transaction for told in reports if told.transaction is not None})
    if not transactions:
        return {}
    with service.reading() as connection:
        rows = connection.execute(
            select(session).where(
                session.c.station_id.in_(stations),
                session.c.station_transaction.in_(transactions),
            )
        ).mappings()
        return {(one["station_id"], one["station_transaction"]): one for one in rows}


def _session(service: Service, known: Found, told: TransactionReport) -> RowMapping | None:
    if told.transaction is not None:
        return known.get((told.station_id, told.transaction))
    with service.reading() as connection:
        return matching.find(connection, told)
