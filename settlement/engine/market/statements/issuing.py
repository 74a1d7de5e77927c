"""
Issue a statement to every member once a month is settled, and credit notes for what comes later.

A statement never changes. What corrections of its month post after it goes into credit notes, at
most one for each member and day.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from ledger.store.bulk import upsert_rows
from ledger.units import UnixSeconds
from settlement.engine.intake import emit
from settlement.engine.market.statements.documents import About, body_of, entries, name_of
from settlement.engine.market.statements.months import Month, day_begin_s
from settlement.engine.service import Service
from settlement.tables import meta, run, statement, wallet
from settlement.trading.runs.accounting import Entry

_LOOKED: Final = "credit_notes_looked_s"
"""Begin of the newest local day on which corrections were looked for."""
_Due = tuple[Month, int, int]
"""A month, the run after which a document begins, and the last run that it covers."""


def issue_statements(service: Service) -> int:
    """Issue what is due; return how many documents. Idempotent: each run is stated once."""
    today_s = day_begin_s(service.rules, service.clock.now_s())
    with service.reading() as connection:
        due = list(_first_statements(service, connection))
        looked = connection.execute(select(meta.c.value).where(meta.c.key == _LOOKED)).scalar()
    if not due and looked == str(today_s):
        return 0
    with service.writing() as connection:
        issued = sum(_issue(service, connection, *one) for one in due)
        if looked != str(today_s):
            corrected = list(_later_corrections(service, connection, today_s))
            issued += sum(_issue(service, connection, *one) for one in corrected)
            upsert_rows(connection, meta, [(_LOOKED, str(today_s))])
    return issued


def _first_statements(service: Service, connection: Connection) -> Iterator[_Due]:
    """Return months that are settled whole and have no statement, oldest first."""
    rules = service.rules
    last = connection.execute(select(func.max(statement.c.month))).scalar()
    # One by one, each of them is the end of an index.
    ends = func.min(run.c.interval), func.max(run.c.interval), func.max(run.c.run)
    first, newest, last_run = (connection.execute(select(end)).scalar() for end in ends)
    if first is None or newest is None or last_run is None:
        return
    month = Month.of(rules, rules.start_s(first)) if last is None else Month.named(last).next()
    while newest + 1 >= month.intervals(rules).stop:
        yield month, 0, last_run
        month = month.next()


def _later_corrections(
    service: Service, connection: Connection, today_s: UnixSeconds
) -> Iterator[_Due]:
    """Return months that were corrected before today, after they had been stated."""
    stated = connection.execute(
        select(statement.c.month, func.max(statement.c.runs_until))
        .group_by(statement.c.month)
        .order_by(statement.c.month)
    ).all()
    for name, covered in stated:
        month = Month.named(name)
        span = month.intervals(service.rules)
        until = connection.execute(
            select(func.max(run.c.run)).where(
                run.c.interval >= span.start,
                run.c.interval < span.stop,
                run.c.run > covered,
                run.c.at_s < today_s,
            )
        ).scalar()
        if until is not None:
            yield month, covered, until


def _issue(service: Service, connection: Connection, month: Month, after: int, until: int) -> int:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    members = set(connection.execute(select(wallet.c.address)).scalars())
    for entry in entries(service, connection, month, (after, until)):
        for account in {entry.posted.line.payer, entry.posted.line.payee} & members:
            found[account].append(entry)
    amended = {
        row.account: row.number
        for row in connection.execute(
            select(statement.c.account, statement.c.number).where(
                statement.c.month == month.name, statement.c.amends.is_(None)
            )
        )
    }
    number = connection.execute(select(func.max(statement.c.number))).scalar() or 0
    for account in sorted(found):
        number += 1
        about = About(number, account, month.name, amended.get(account), after, until)
        _write(service, connection, about, found[account])
    return len(found)


def _write(service: Service, connection: Connection, about: About, found: list[Entry]) -> None:
    body, now_s = body_of(service, about, found), service.clock.now_s()
    digest = hashlib.sha256(body.encode()).digest()
    connection.execute(
        statement.insert().values(
            number=about.number,
            account=about.account,
            month=about.month,
            amends=about.amends,
            runs_after=about.runs_after,
            runs_until=about.runs_until,
            digest=digest,
            body=body,
            at_s=now_s,
        )
    )
    trace_id = f"{service.rules.community_id}/member/{about.account}"
    name = "statement_issued" if about.amends is None else "credit_note_issued"
    # The log commits to the document, so that nobody can put another in its place.
    service.book.append_record(connection, name=name, trace_id=trace_id, body=digest, at_s=now_s)
    number = name_of(about.number, about.amends)
    emit(connection, name, trace_id=trace_id, at_s=now_s, number=number, month=about.month)
