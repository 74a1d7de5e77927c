"""What the passing of time brings: intervals that are over, deposits that are overdue."""

from sqlalchemy import func, select

from ledger.units import UnixSeconds
from settlement.engine.charging.closing import expire_overdue
from settlement.engine.checkpoints import close_day
from settlement.engine.finality import advance
from settlement.engine.market.intervals import settle_interval
from settlement.engine.market.measured import is_complete
from settlement.engine.service import Service
from settlement.tables import reading, run


def tick(service: Service) -> int:
    """
    Settle every interval that is over and complete, or whose grace has passed; return how many.

    Also gives back overdue deposits, closes the day with a checkpoint and delivers what the chain
    has not taken yet. Call it as often as you like.
    """
    expire_overdue(service)
    settled = 0
    for interval in due_intervals(service):
        end_s = service.rules.end_s(interval)
        with service.reading() as connection:
            complete = is_complete(service, connection, end_s)
        late = service.clock.now_s() >= end_s + service.rules.grace_s
        if complete or late:
            settle_interval(service, interval)
            settled += 1
    close_day(service)
    advance(service)
    return settled


def due_intervals(service: Service) -> tuple[int, ...]:
    """Return the intervals that are over but not settled, oldest first; none is passed over."""
    rules = service.rules
    with service.reading() as connection:
        first_s = connection.execute(select(func.min(reading.c.at_s))).scalar()
        newest = connection.execute(select(func.max(run.c.interval))).scalar()
    if first_s is None:
        return ()
    first = rules.interval_of(UnixSeconds(first_s)) if newest is None else newest + 1
    known = range(first, rules.interval_of(service.clock.now_s()))
    return tuple(one for one in known if one in rules.residual_sells)
