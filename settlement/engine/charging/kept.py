"""
Keep reports that could not be judged yet, or were refused, so that they can be judged again.

A kept report has the content hash of its refusal, if it is refused: that is how the one leads to
the other. A waiting one is judged again when what it waits for comes, or its time is over.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select

from ledger.store.bulk import upsert
from ledger.units import UnixSeconds
from settlement.charging.reports import MeterValue, Phase, TransactionReport
from settlement.engine.charging.running import report_message
from settlement.engine.intake import refusal_hash
from settlement.tables import kept_report, waiting_report

_JUDGED: Final = delete(waiting_report).where(waiting_report.c.content_hash == bindparam("content"))
_SETTLED: Final = delete(waiting_report).where(
    (waiting_report.c.content_hash == bindparam("content"))
    | (waiting_report.c.session_id == bindparam("named"))
)


def keep(connection: Connection, told: TransactionReport, *, at_s: UnixSeconds) -> bytes:
    """Keep a report under its content hash, once; return the hash."""
    content = refusal_hash(report_message(told, ""))
    connection.execute(
        upsert(connection, kept_report)
        .values(content_hash=content, station_id=told.station_id, report=_written(told), at_s=at_s)
        .on_conflict_do_nothing()
    )
    return content


def kept(connection: Connection, content: bytes) -> TransactionReport | None:
    """Return the report that is kept under a content hash, if there is one."""
    found = connection.execute(
        select(kept_report.c.report).where(kept_report.c.content_hash == content)
    ).scalar()
    return None if found is None else _read(found)


def wait(
    connection: Connection,
    told: TransactionReport,
    *,
    session_id: str | None,
    at_s: UnixSeconds,
    until_s: UnixSeconds | None,
) -> None:
    """Let a report wait, until a time if one is given; one that waits already keeps its time."""
    connection.execute(
        upsert(connection, waiting_report)
        .values(
            content_hash=keep(connection, told, at_s=at_s),
            station_id=told.station_id,
            station_transaction=told.transaction,
            session_id=session_id,
            phase=told.phase,
            until_s=until_s,
        )
        .on_conflict_do_update(
            index_elements=["content_hash"],
            set_={
                "session_id": session_id,
                "until_s": func.coalesce(waiting_report.c.until_s, until_s),
            },
        )
    )


def wait_no_more(connection: Connection, told: TransactionReport) -> None:
    """Note that a report is judged."""
    content = refusal_hash(report_message(told, ""))
    connection.execute(_JUDGED, {"content": content})


def session_is_over(connection: Connection, session_id: str, told: TransactionReport) -> None:
    """Note that a report of its end has settled a session, so that none waits any more."""
    content = refusal_hash(report_message(told, ""))
    connection.execute(_SETTLED, {"content": content, "named": session_id})


def of_transaction(
    connection: Connection, station_id: str, transaction: str
) -> Sequence[TransactionReport]:
    """Return the reports that wait for the start of a transaction, in the station's order."""
    found = _waiting(
        connection,
        waiting_report.c.station_id == station_id,
        waiting_report.c.station_transaction == transaction,
        waiting_report.c.session_id.is_(None),
    )
    return sorted(found, key=lambda told: (told.seq_no or 0, told.at_s))


def of_session(connection: Connection, session_id: str) -> Sequence[TransactionReport]:
    """Return the reports of its end that a session still waits with, the newest last."""
    found = _waiting(connection, waiting_report.c.session_id == session_id)
    return sorted(found, key=lambda told: told.at_s)


def overdue(connection: Connection, now_s: UnixSeconds) -> Sequence[TransactionReport]:
    """Return the reports whose time to wait is over, the first in time first."""
    found = _waiting(connection, waiting_report.c.until_s <= now_s)
    return sorted(found, key=lambda told: (told.at_s, told.seq_no or 0))


def wait_on(connection: Connection, told: TransactionReport) -> None:
    """Let a report whose time is over wait for what may yet come, without an end."""
    content = refusal_hash(report_message(told, ""))
    connection.execute(
        waiting_report.update().where(waiting_report.c.content_hash == content).values(until_s=None)
    )


def body_hash(told: TransactionReport) -> bytes:
    """Return what tells whether a report came before with the same content."""
    return hashlib.sha256(told.body).digest()


def _waiting(connection: Connection, *which: ColumnElement[bool]) -> Sequence[TransactionReport]:
    # Few wait, many were kept: so the few are found first.
    waiting = select(waiting_report.c.content_hash).where(*which)
    rows = connection.execute(
        select(kept_report.c.report).where(kept_report.c.content_hash.in_(waiting))
    ).scalars()
    return [_read(text) for text in rows]


def _written(told: TransactionReport) -> str:
    return json.dumps(asdict(told) | {"body": told.body.decode()}, sort_keys=True)


def _read(text: str) -> TransactionReport:
    found = json.loads(text)
    return TransactionReport(
        **found
        | {
            "phase": Phase(found["phase"]),
            "values": tuple(MeterValue(**one) for one in found["values"]),
            "records": tuple(found["records"]),
            "body": found["body"].encode(),
        }
    )
