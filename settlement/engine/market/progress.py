"""Say how far settlement has come: which intervals are due, and up to which all are done."""

from sqlalchemy import Connection, func, select

from ledger.units import UnixSeconds
from settlement.engine.service import Service
from settlement.tables import reading, run


def due_intervals(service: Service, connection: Connection) -> tuple[int, ...]:
    """Return the intervals that are over but not settled, oldest first; none is passed over."""
    rules = service.rules
    first_s = connection.execute(select(func.min(reading.c.at_s))).scalar()
    if first_s is None:
        return ()
    newest = connection.execute(select(func.max(run.c.interval))).scalar()
    first = rules.interval_of(UnixSeconds(first_s)) if newest is None else newest + 1
    known = range(first, rules.interval_of(service.clock.now_s()))
    return tuple(one for one in known if one in rules.residual_sells)


def settled_through(service: Service, connection: Connection, interval: int) -> int:
    """
    Return the interval up to which none is due any more once ``interval`` is settled.

    The contract lets what was asked for in intervals up to it go, so it must not promise too much.
    Ask before the run is written down.
    """
    waiting = [one for one in due_intervals(service, connection) if one < interval]
    if waiting:
        return waiting[0] - 1
    newest = connection.execute(select(func.max(run.c.interval))).scalar()
    return max(interval, newest or interval)
