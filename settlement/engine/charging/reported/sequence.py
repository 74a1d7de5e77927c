"""Note the numbered messages of OCPP 2.x transactions, and see which are missing."""

from sqlalchemy import Connection, select

from settlement.charging.completeness import Completeness, completeness
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging.kept import body_hash
from settlement.tables import station_event


def note(connection: Connection, told: TransactionReport) -> bool:
    """
    Note a numbered message; return False if another one came under its number before.

    The first one counts. A message without a number, of OCPP 1.6, is always taken.
    """
    if told.seq_no is None or told.transaction is None:
        return True
    content = body_hash(told)
    prior = connection.execute(
        select(station_event.c.content_hash).where(
            station_event.c.station_id == told.station_id,
            station_event.c.station_transaction == told.transaction,
            station_event.c.seq_no == told.seq_no,
        )
    ).scalar()
    if prior is not None:
        return bool(prior == content)
    connection.execute(
        station_event.insert().values(
            station_id=told.station_id,
            station_transaction=told.transaction,
            seq_no=told.seq_no,
            phase=told.phase,
            at_s=told.at_s,
            offline=int(told.offline),
            content_hash=content,
        )
    )
    return True


def completeness_of(connection: Connection, told: TransactionReport) -> Completeness:
    """Return how complete the messages of a report's transaction are."""
    rows = connection.execute(
        select(station_event.c.seq_no, station_event.c.phase).where(
            station_event.c.station_id == told.station_id,
            station_event.c.station_transaction == told.transaction,
        )
    )
    return completeness((number, Phase(phase)) for number, phase in rows)
