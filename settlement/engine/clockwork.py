"""What the passing of time brings: intervals that are over, deposits that are overdue."""

from sqlalchemy import Connection

from settlement.engine.charging.closing import expire_overdue
from settlement.engine.charging.money.cosigning import close_unsigned
from settlement.engine.charging.transactions import settle_waiting
from settlement.engine.checkpoints import close_day
from settlement.engine.finality import advance
from settlement.engine.market.intervals import send_over, settle_interval
from settlement.engine.market.measured import is_complete
from settlement.engine.market.progress import due_intervals
from settlement.engine.market.runs.corrections import correct_due
from settlement.engine.market.runs.finality import make_final
from settlement.engine.market.statements.issuing import issue_statements
from settlement.engine.service import Service


def tick(service: Service) -> int:
    """
    Settle every interval that is over and complete, or whose grace has passed; return how many.

    One after the other: an interval waits for the one before it, so none is ever passed over. What
    late readings have changed is corrected; an interval becomes final when its time has come, and
    members get the statements of months that are over. Also judges what reports of stations waited
    for, closes sessions whose drivers have signed no total, gives back overdue deposits, closes the
    day with a checkpoint and delivers what the chain has not taken yet. Call it as often as you
    like.
    """
    settle_waiting(service)
    close_unsigned(service)
    expire_overdue(service)
    settled = 0
    send_over(service)
    correct_due(service)
    with service.reading() as connection:
        due = due_intervals(service, connection)
    for interval in due:
        with service.reading() as connection:
            if not _can_settle(service, connection, interval):
                break
        settle_interval(service, interval)
        settled += 1
        # A correction must not wait until the contract has forgotten what it amends.
        correct_due(service)
    make_final(service)
    issue_statements(service)
    close_day(service)
    advance(service)
    return settled


def settles_now(service: Service) -> bool:
    """Say whether an interval waits for nothing but ``tick``. Reads only."""
    with service.reading() as connection:
        due = due_intervals(service, connection)
        return bool(due) and _can_settle(service, connection, due[0])


def _can_settle(service: Service, connection: Connection, interval: int) -> bool:
    end_s = service.rules.end_s(interval)
    late = service.clock.now_s() >= end_s + service.rules.grace_s
    return late or is_complete(service, connection, end_s)
