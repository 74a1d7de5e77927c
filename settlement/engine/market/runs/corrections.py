"""Correct intervals that late readings have changed: one run for all that came in time."""

import json

from sqlalchemy import Connection, func, select

from ledger.units import UnixSeconds
from settlement.engine.finality import advance
from settlement.engine.market.collecting import Collected, collect
from settlement.engine.market.lanes import debitable
from settlement.engine.market.late import mark_dirty
from settlement.engine.market.progress import newest
from settlement.engine.market.runs.computing import Amended, collect_again, correction
from settlement.engine.market.runs.finality import closing_through
from settlement.engine.market.runs.recording import record_run
from settlement.engine.market.runs.sending import send_waiting, waiting_runs
from settlement.engine.service import Service
from settlement.metering.periods import PeriodIndex
from settlement.tables import dirty_interval, run


def correct_due(service: Service) -> int:
    """
    Correct every interval whose late readings have waited long enough; return how many runs.

    Oldest first, those of a settlement period together; while a period is being settled, none.
    Idempotent: an interval is marked by its readings, and the mark goes with the run.
    """
    made = 0
    while (period := _next_period(service)) is not None:
        advance(service)
        with service.writing() as connection:
            among = service.rules.intervals_of(period)
            while (interval := _next_due(service, connection, among)) is not None:
                made += _correct(service, connection, interval)
            send_waiting(service, connection)
        advance(service)
    return made


def _next_period(service: Service) -> PeriodIndex | None:
    with service.reading() as connection:
        if connection.execute(select(dirty_interval.c.interval).limit(1)).first() is None:
            return None
        if waiting_runs(connection):
            return None
        interval = _next_due(service, connection)
        return None if interval is None else service.rules.period_of(interval)


def _next_due(service: Service, connection: Connection, among: range | None = None) -> int | None:
    """Return the oldest interval that is due for a correction, of all or of those ``among``."""
    waited_s = service.clock.now_s() - service.rules.correction_after_s
    due = dirty_interval.c.since_s <= waited_s
    closing = closing_through(service, connection)
    if closing is not None:
        due |= dirty_interval.c.interval <= closing
    if among is not None:
        due &= dirty_interval.c.interval.between(among.start, among.stop - 1)
    found = connection.execute(select(func.min(dirty_interval.c.interval)).where(due)).scalar()
    return None if found is None else int(found)


def _correct(service: Service, connection: Connection, interval: int) -> int:
    """Correct one interval, unless nothing of it has changed; return how many runs that took."""
    connection.execute(dirty_interval.delete().where(dirty_interval.c.interval == interval))
    amended = (
        connection.execute(
            select(run).where(run.c.interval == interval).order_by(run.c.run.desc()).limit(1)
        )
        .mappings()
        .first()
    )
    if amended is None:
        return 0
    before = collect_again(service, connection, amended)
    number, last = newest(connection)
    funds = json.loads(amended["inputs"])["spendable"]
    collected = collect(service, connection, interval, number + 1, funds=funds)
    if _facts(before) == _facts(collected):
        return 0
    to = collected.inputs.institutions
    limits = debitable(service, connection, {to.grid, to.state, to.platform})
    amends = Amended(amended["run"], limits)
    record_run(service, connection, correction(connection, collected, amends))
    if _ahead(before) != _ahead(collected) and interval < last:
        # What was counted here ahead of a register is taken off the interval that follows.
        waited_s = UnixSeconds(service.clock.now_s() - service.rules.correction_after_s)
        mark_dirty(connection, [interval + 1], since_s=waited_s)
    return 1


def _facts(collected: Collected) -> tuple[object, ...]:
    """Return what an interval's lines, transfers and leaves follow from, whatever the run."""
    return collected.metered, collected.stations_wh, collected.head, collected.inputs.members


def _ahead(collected: Collected) -> tuple[object, ...]:
    """Return by how much each register was counted ahead of what it said."""
    return tuple(one.ahead for one in collected.metered)
