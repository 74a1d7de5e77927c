"""Say how far settlement has come: which intervals are due, and up to which all are done."""

from sqlalchemy import Connection, func, select

from ledger.units import UnixSeconds
from settlement.engine.service import Service
from settlement.metering.periods import PeriodIndex
from settlement.tables import reading, run


def newest(connection: Connection) -> tuple[int, int]:
    """Return the newest run and the newest interval that is settled; there must be one."""
    # One by one, each of them is the end of an index; together they would read all runs.
    number, interval = (
        connection.execute(select(func.max(column))).scalar_one()
        for column in (run.c.run, run.c.interval)
    )
    return int(number), int(interval)


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


def settled_through(service: Service, connection: Connection) -> PeriodIndex:
    """
    Return the settlement period up to which no interval is due any more.

    The contract lets what was asked for in periods up to it go, so it must not promise too much.
    """
    due = due_intervals(service, connection)
    if due:
        return PeriodIndex(service.rules.period_of(due[0]) - 1)
    newest = connection.execute(select(func.max(run.c.interval))).scalar_one()
    return service.rules.period_of(newest)


def is_settled(service: Service, connection: Connection, period: int) -> bool:
    """Say whether a settlement period is over, and none of its intervals is due any more."""
    over = service.rules.intervals_of(period).stop
    if service.clock.now_s() < service.rules.start_s(over):
        return False
    due = due_intervals(service, connection)
    return not due or due[0] >= over
