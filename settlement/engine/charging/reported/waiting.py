"""Judge what waited: for the start of its transaction, for records that are late, for nothing."""

from collections.abc import Callable
from time import perf_counter_ns

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import Integrity, VoisinError
from ledger.units import UnixSeconds
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.reported import ending, holding, matching, signed
from settlement.engine.charging.reported.ending import Elapsed
from settlement.engine.charging.reported.going import went_on
from settlement.engine.charging.reported.starting import let_go, start_by_signature
from settlement.engine.service import Service
from settlement.tables import session, signed_record


def wait_for_start(service: Service, told: TransactionReport) -> None:
    """Let a report of a transaction wait whose start has not come, as long as it may come."""
    now_s = service.clock.now_s()
    with service.writing() as connection:
        kept.wait(
            connection,
            told,
            session_id=None,
            at_s=now_s,
            until_s=UnixSeconds(now_s + service.rules.grace_s),
        )


def catch_up(service: Service, station_id: str, transaction: str, *, elapsed_ns: Elapsed) -> None:
    """Judge the reports of a transaction that came before its start, in the station's order."""
    with service.reading() as connection:
        early = kept.of_transaction(connection, station_id, transaction)
    for told in early:
        _judge(service, told, elapsed_ns=elapsed_ns)


def connector_freed(service: Service, *, station_id: str, evse_id: int, at_s: UnixSeconds) -> None:
    """
    Hold what still runs on a connector that the station says is free (status Available).

    It ends provisionally at its last signed value. The report of its end settles it whenever that
    comes before the deadline; a report that it goes on lets it go on.
    """
    with service.writing() as connection:
        for found in matching.running_at(connection, station_id, evse_id):
            if found["started_s"] <= at_s:
                let_go(service, connection, found)


def settle_waiting(service: Service) -> int:
    """
    Judge what has waited long enough; return how many reports and sessions that were.

    A report whose time is over is judged with what is here. A session whose longest stay is over
    without an end is held; one that is held while a whole record of it is here is settled. Call it
    as often as you like.
    """
    now_s = service.clock.now_s()
    with service.reading() as connection:
        due = kept.overdue(connection, now_s)
        silent = _silent(connection, UnixSeconds(now_s + service.rules.offline_window_s))
        proven = _proven(connection)
    for told in due:
        _judge(service, told, elapsed_ns=_stopwatch(), timed_out=True)
    for found in silent:
        with service.writing() as connection:
            let_go(service, connection, found)
    for found, whole in proven:
        _judge(service, _signed_end(found, whole, now_s), elapsed_ns=_stopwatch(), timed_out=True)
    return len(due) + len(silent) + len(proven)


def _judge(
    service: Service, told: TransactionReport, *, elapsed_ns: Elapsed, timed_out: bool = False
) -> None:
    """Judge one report; whatever refuses it has kept the reason."""
    with service.writing() as connection:
        if timed_out:
            start_by_signature(service, connection, told)
        found = matching.find(connection, told)
        if found is None or told.phase is not Phase.ENDED:
            kept.wait_no_more(connection, told)
        else:
            kept.wait_on(connection, told)
    try:
        if told.phase is Phase.ENDED:
            ending.ended(service, told, elapsed_ns=elapsed_ns, timed_out=timed_out)
        else:
            went_on(service, told, elapsed_ns=elapsed_ns)
    except Integrity:
        raise
    except VoisinError:
        return


def _silent(connection: Connection, deadline_s: UnixSeconds) -> list[RowMapping]:
    """Return the sessions that still charge though their longest stay is over."""
    rows = connection.execute(
        select(session).where(session.c.state == "charging", session.c.deadline_s <= deadline_s)
    ).mappings()
    return [one for one in rows if not kept.of_session(connection, one["session_id"])]


def _proven(connection: Connection) -> list[tuple[RowMapping, str]]:
    """Return the sessions held for a missing stop of which a whole record came all the same."""
    rows = connection.execute(
        select(session).where(
            session.c.state == "held",
            session.c.held_code == holding.MISSING_STOP,
            session.c.session_id.in_(select(signed_record.c.session_id)),
        )
    ).mappings()
    texts = [
        (one, signed.whole_of(signed.kept_records(connection, one["session_id"]))) for one in rows
    ]
    return [(one, whole) for one, whole in texts if whole is not None]


def _signed_end(found: RowMapping, whole: str, now_s: UnixSeconds) -> TransactionReport:
    """Return the end of a session as its signed record alone says it."""
    return TransactionReport(
        station_id=found["station_id"],
        phase=Phase.ENDED,
        transaction=found["station_transaction"],
        at_s=now_s,
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=None,
        evse_id=found["evse_id"] or 0,
        register_wh=None,
        values=(),
        records=(whole,),
        key=f"signed-end/{found['station_transaction']}",
        body=whole.encode(),
    )


def _stopwatch() -> Callable[[], int]:
    began_ns = perf_counter_ns()
    return lambda: perf_counter_ns() - began_ns
