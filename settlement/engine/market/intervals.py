"""Settle an interval for the first time: collect, compute, write, and send with its period."""

from sqlalchemy import func, select

from settlement.engine.finality import advance
from settlement.engine.market.collecting import collect
from settlement.engine.market.runs.computing import RunKind, first_run
from settlement.engine.market.runs.recording import record_run
from settlement.engine.market.runs.sending import due_runs, send_waiting
from settlement.engine.service import Service
from settlement.tables import run


def send_over(service: Service) -> None:
    """Send the runs of a period that ends with intervals which are never settled, for no price."""
    with service.reading() as connection:
        if not due_runs(service, connection):
            return
    with service.writing() as connection:
        send_waiting(service, connection)
    advance(service)


def settle_interval(service: Service, interval: int) -> int:
    """
    Settle ``interval``; return the run's number.

    The last of its settlement period is sent to the chain with those before it. Idempotent by
    interval: a settled one is not settled again. What members asked the contract for is read first,
    since it limits what may be counted on.
    """
    advance(service)
    with service.writing() as connection:
        first = (run.c.interval == interval) & (run.c.kind == int(RunKind.INITIAL))
        known = connection.execute(select(run.c.run).where(first)).scalar()
        if known is None:
            send_waiting(service, connection)
            newest = connection.execute(select(func.max(run.c.run))).scalar()
            known = (newest or 0) + 1
            collected = collect(service, connection, interval, known, funds=None)
            record_run(service, connection, first_run(collected))
            send_waiting(service, connection)
    advance(service)
    return int(known)
