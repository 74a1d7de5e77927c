"""
Take note of unsigned values: they are most of what stations say.

They change nothing but a session that was held because its station had fallen silent.
"""

from sqlalchemy import RowMapping

from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging.reported import holding, matching
from settlement.engine.charging.running import by_transaction
from settlement.engine.service import Service


def is_unsigned(told: TransactionReport) -> bool:
    """Return whether a report says only that a transaction goes on, and signs nothing."""
    return told.phase is Phase.UPDATED and not told.records


def take_note(service: Service, told: TransactionReport) -> RowMapping | None:
    """Take note of an unsigned report; return its session, or None."""
    with service.reading() as connection:
        found = (
            matching.find(connection, told)
            if told.transaction is None
            else by_transaction(connection, told.station_id, told.transaction)
        )
    if found is not None and found["held_code"] == holding.MISSING_STOP:
        with service.writing() as connection:
            holding.resume(service, connection, found)
    return found
