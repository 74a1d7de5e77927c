"""
Say which intervals are final: no reading changes them any more.

An interval is final once its correction window has passed, and before the contract forgets its
first run, since a correction must name a run that is still provable.
"""

from sqlalchemy import Connection, func, select

from ledger.units import UnixSeconds
from settlement.chain.lanes import runs_kept
from settlement.engine.intake import emit
from settlement.engine.market.runs.computing import RunKind
from settlement.engine.service import Service
from settlement.tables import chain_run, dirty_interval, final_interval, run


def final_through(connection: Connection) -> int | None:
    """Return the newest interval that is final, or None; all before it are."""
    found: int | None = connection.execute(select(func.max(final_interval.c.interval))).scalar()
    return found


def closing_through(service: Service, connection: Connection) -> int | None:
    """Return the newest interval that takes no reading any more, or None; none before it does."""
    rules = service.rules
    newest = connection.execute(select(func.max(run.c.interval))).scalar()
    if newest is None:
        return None
    passed = rules.interval_of(UnixSeconds(service.clock.now_s() - rules.correction_window_s)) - 1
    through: int = min(newest, max(passed, _nearly_forgotten(service, connection)))
    known = final_through(connection)
    return through if known is None else max(through, known)


def _nearly_forgotten(service: Service, connection: Connection) -> int:
    """
    Return the newest interval whose first chain run has used up half of its place in the contract.

    The other half is for what is still to be corrected: no more periods than that.
    """
    newest = connection.execute(select(func.max(chain_run.c.number))).scalar()
    number = (newest or 0) - runs_kept(service.rules.settlement_s) // 2
    if number < 1:
        return -1
    used = select(func.max(chain_run.c.last_run)).where(chain_run.c.number <= number)
    found = connection.execute(
        select(run.c.interval)
        .where(run.c.run <= used.scalar_subquery(), run.c.kind == int(RunKind.INITIAL))
        .order_by(run.c.run.desc())
        .limit(1)
    ).scalar()
    return -1 if found is None else int(found)


def make_final(service: Service) -> int:
    """Write down which intervals have become final and need no correction; return how many."""
    with service.reading() as connection:
        through = closing_through(service, connection)
        known = final_through(connection)
    if through is None or through == known:
        return 0
    with service.writing() as connection:
        waiting = connection.execute(select(func.min(dirty_interval.c.interval))).scalar()
        last = through if waiting is None else min(through, waiting - 1)
        fresh = run.c.interval > (-1 if known is None else known)
        found = connection.execute(
            select(run.c.interval, func.max(run.c.run))
            .where(fresh, run.c.interval <= last)
            .group_by(run.c.interval)
            .order_by(run.c.interval)
        ).all()
        now_s = service.clock.now_s()
        for interval, number in found:
            connection.execute(final_interval.insert().values(interval=interval, at_s=now_s))
            trace_id = f"{service.rules.community_id}/{interval}/{number}"
            emit(connection, "interval_final", trace_id=trace_id, at_s=now_s, run=number)
    return len(found)
