"""
Make the document of a statement or a credit note, and find those of an account.

A document is written once and says everything that it is about: which runs, how many lines, their
digest, what they come to. Its lines are rows of runs, which never change either.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, or_, select

from ledger.errors import NotFound
from settlement.engine.market.runs.computing import posted_line
from settlement.engine.market.statements.months import Month
from settlement.engine.service import Service
from settlement.tables import line, run, statement
from settlement.trading.runs.accounting import Entry, digest_of, totals_of

_DIGITS: Final = 6


class UnknownStatementError(NotFound):
    """No such statement or credit note of the account."""

    def __init__(self, number: str) -> None:
        super().__init__("unknown_statement", f"there is no statement {number} of this account")


@dataclass(frozen=True, slots=True)
class About:
    """What a document is about."""

    number: int
    """Number, counted over the whole community without a gap."""
    account: str
    """Whose it is."""
    month: str
    """Month, such as ``2026-11``."""
    amends: int | None
    """Number of the statement that a credit note names; None for a statement."""
    runs_after: int
    """The run after which the document begins."""
    runs_until: int
    """The last run that it may hold lines of."""


def name_of(number: int, amends: int | None) -> str:
    """Return the name of a document: ``S-`` and number, or ``C-`` and number for a credit note."""
    return f"{'S' if amends is None else 'C'}-{number:0{_DIGITS}}"


def body_of(service: Service, about: About, entries: Sequence[Entry]) -> str:
    """Return the document as JSON, names in order; money as decimal strings of micros."""
    rules = service.rules
    month = Month.named(about.month)
    totals = totals_of(about.account, entries)
    balance = sum(one.received_micros - one.paid_micros for one in totals)
    document = {
        "number": name_of(about.number, about.amends),
        "kind": "statement" if about.amends is None else "credit_note",
        "amends": None if about.amends is None else name_of(about.amends, None),
        "community": rules.community_id,
        "currency": rules.currency,
        "account": about.account,
        "month": about.month,
        "from_s": month.begin_s(rules),
        "until_s": month.end_s(rules),
        "runs_after": about.runs_after,
        "runs_until": about.runs_until,
        "lines": len(entries),
        "lines_sha256": digest_of(entries).hex(),
        "totals": [_text(asdict(one)) for one in totals],
        "balance_micros": str(balance),
    }
    return json.dumps(document, sort_keys=True)


def entries_of(service: Service, connection: Connection, about: About) -> tuple[Entry, ...]:
    """Return the lines of a document, by run and place."""
    mine = or_(line.c.payer == about.account, line.c.payee == about.account)
    month = Month.named(about.month)
    return tuple(entries(service, connection, month, (about.runs_after, about.runs_until), mine))


def entries(
    service: Service,
    connection: Connection,
    month: Month,
    runs: tuple[int, int],
    *where: ColumnElement[bool],
) -> Iterator[Entry]:
    """Return the lines of a month's intervals in the runs after one and up to another, in order."""
    span = month.intervals(service.rules)
    rows = connection.execute(
        select(line, run.c.interval)
        .join(run, run.c.run == line.c.run)
        .where(
            run.c.interval >= span.start,
            run.c.interval < span.stop,
            run.c.run > runs[0],
            run.c.run <= runs[1],
            *where,
        )
        .order_by(line.c.run, line.c.position)
    ).mappings()
    for row in rows:
        yield Entry(row["interval"], row["run"], row["position"], posted_line(row))


def listed(connection: Connection, account: str) -> list[dict[str, Any]]:
    """Return an account's statements and credit notes, oldest first."""
    rows = connection.execute(
        select(statement.c.body, statement.c.at_s)
        .where(statement.c.account == account)
        .order_by(statement.c.number)
    )
    return [_shown(row.body, row.at_s) for row in rows]


def fetched(
    service: Service, connection: Connection, account: str, number: str, *, lines: bool
) -> dict[str, Any]:
    """
    Return one document, with its lines if they are asked for.

    Raises
    ------
    UnknownStatementError
        If the account has none of this number.
    """
    digits = number.partition("-")[2]
    found = None
    if digits.isdecimal() and len(digits) <= 2 * _DIGITS:
        wanted = (statement.c.account == account) & (statement.c.number == int(digits))
        found = connection.execute(select(statement).where(wanted)).mappings().first()
    if found is None or name_of(found["number"], found["amends"]) != number:
        raise UnknownStatementError(number)
    shown = _shown(found["body"], found["at_s"])
    if lines:
        about = about_of(found)
        shown["entries"] = [_entry(one) for one in entries_of(service, connection, about)]
    return shown


def first_astray(service: Service, connection: Connection) -> str | None:
    """Return which document does not come out again from the lines, if there is one."""
    for row in connection.execute(select(statement).order_by(statement.c.number)).mappings().all():
        about = about_of(row)
        again = body_of(service, about, entries_of(service, connection, about))
        if again != row["body"] or hashlib.sha256(again.encode()).digest() != row["digest"]:
            return f"{name_of(about.number, about.amends)} does not come out again"
    return None


def about_of(row: Any) -> About:  # noqa: ANN401 - a row of ``statement``
    """Return what a stored document is about."""
    return About(**{name: row[name] for name in About.__dataclass_fields__})


def _shown(body: str, at_s: int) -> dict[str, Any]:
    digest = hashlib.sha256(body.encode()).hexdigest()
    return {**json.loads(body), "issued_s": at_s, "sha256": digest}


def _entry(one: Entry) -> dict[str, Any]:
    given = one.posted.line
    return {
        "interval": one.interval,
        "run": one.run,
        "payer": given.payer,
        "payee": given.payee,
        "kind": given.kind.value,
        "rail": given.rail.value,
        "taker": one.posted.taker,
        "energy_wh": given.energy_wh,
        "price_micros_per_kwh": given.price,
        "amount_micros": str(given.amount_micros),
    }


def _text(total: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if name.endswith("_micros") else value for name, value in total.items()
    }
