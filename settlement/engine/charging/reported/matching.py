"""Find the session that a report is of."""

from dataclasses import replace

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import UnverifiedReading
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging.running import by_tag, by_transaction
from settlement.metering.ocmf import parse_record
from settlement.tables import session

_RUNNING = ("charging", "held")
_PHASES = {Phase.STARTED: "start", Phase.UPDATED: "values", Phase.ENDED: "stop"}


def find(connection: Connection, told: TransactionReport) -> RowMapping | None:
    """
    Return the session of a report, or None.

    A station that was never told its transaction's id (OCPP 1.6 errata 3.18) is matched by idTag,
    its own or the signed one, else by the only session that runs on the connector. Nothing is
    billed by the match: the record must still name the idTag.
    """
    if told.transaction is not None:
        return by_transaction(connection, told.station_id, told.transaction)
    tag = told.id_tag or signed_tag(told)
    if tag:
        found = by_tag(connection, told.station_id, tag)
        return None if found is None or found["station_transaction"] is None else found
    running = running_at(connection, told.station_id, told.evse_id)
    return running[0] if len(running) == 1 else None


def running_at(connection: Connection, station_id: str, evse_id: int) -> list[RowMapping]:
    """Return the sessions that run at an EVSE, or at the whole station if it is 0."""
    rows = connection.execute(
        select(session).where(
            session.c.station_id == station_id,
            session.c.state.in_(_RUNNING),
            session.c.station_transaction.is_not(None),
        )
    ).mappings()
    return [one for one in rows if not evse_id or one["evse_id"] in {None, evse_id}]


def as_known(told: TransactionReport, found: RowMapping | None) -> TransactionReport:
    """
    Return the report with its transaction's id, if the station was never told it.

    The business key then says which session it is about, so that two transactions without an id do
    not share one.
    """
    if told.transaction is not None:
        return told
    subject = f"at/{told.at_s}" if found is None else found["station_transaction"]
    key = f"{_PHASES[told.phase]}/{subject}"
    if told.phase is Phase.UPDATED and found is not None:
        key += f"/{told.at_s}"
    known = None if found is None else found["station_transaction"]
    return replace(told, transaction=known, key=key)


def signed_tag(told: TransactionReport) -> str:
    """Return the idTag that the report's records name, or the empty string."""
    for text in told.records:
        try:
            tag = parse_record(text).id_tag
        except UnverifiedReading:
            continue
        if tag:
            return tag
    return ""
