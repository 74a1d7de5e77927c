"""Keep charge detail records: one for each session that closed, and credits where facts changed."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from ledger.errors import Conflict, NotFound
from ledger.units import UnixSeconds
from settlement.charging.documents.cdr import cdr, credit, says_the_same
from settlement.charging.documents.exact import exact_json
from settlement.charging.documents.issuer import Issuer
from settlement.engine.charging.documents.gathering import BATCH, facts_of, gathered
from settlement.engine.service import Service
from settlement.tables import cdr as cdr_table
from settlement.tables import session


class UnknownRecordError(NotFound):
    """No charge detail record has this id."""

    def __init__(self, cdr_id: str) -> None:
        super().__init__("unknown_cdr", f"there is no charge detail record {cdr_id}")


class RecordCreditedError(Conflict):
    """The record was credited already, or is a credit itself; only the newest can be corrected."""

    def __init__(self, cdr_id: str) -> None:
        super().__init__("cdr_credited", f"{cdr_id} is not the record that counts now")


class RecordUnchangedError(Conflict):
    """Nothing that the record says has changed, so there is nothing to correct."""

    def __init__(self, cdr_id: str) -> None:
        super().__init__("cdr_unchanged", f"{cdr_id} says what is known today")


def records_due(connection: Connection) -> bool:
    """Return whether a session has closed of which no record is kept."""
    return connection.execute(_due().limit(1)).first() is not None


def keep_records(service: Service, connection: Connection, issuer: Issuer) -> int:
    """
    Keep records of sessions that closed and have none, a batch at a time; return how many.

    Idempotent by session. A deposit that expired bought nothing and has no record.
    """
    rows = connection.execute(_due().limit(BATCH)).mappings().all()
    at_s = service.clock.now_s()
    for facts in gathered(service, connection, rows):
        _keep(connection, facts.session_id, cdr(facts, issuer, version=0, at_s=at_s), at_s)
    return len(rows)


def correct(
    service: Service, connection: Connection, issuer: Issuer, *, cdr_id: str
) -> tuple[str, str]:
    """
    Credit a record that says what is no longer so, and keep a new one; return the ids of both.

    Raises
    ------
    UnknownRecordError
        If there is none of that id.
    RecordCreditedError
        If it does not count any more.
    RecordUnchangedError
        If a new one would say the same.
    """
    found = connection.execute(select(cdr_table).where(cdr_table.c.cdr_id == cdr_id)).first()
    if found is None:
        raise UnknownRecordError(cdr_id)
    siblings = cdr_table.c.session_id == found.session_id
    newest = connection.execute(select(func.max(cdr_table.c.seq)).where(siblings)).scalar_one()
    if found.credit or newest != found.seq:
        raise RecordCreditedError(cdr_id)
    credited = connection.execute(
        select(func.count()).select_from(cdr_table).where(siblings, cdr_table.c.credit == 1)
    ).scalar_one()
    at_s = service.clock.now_s()
    facts = facts_of(service, connection, found.session_id)
    fresh = cdr(facts, issuer, version=credited + 1, at_s=at_s)
    before = load(found.body)
    if says_the_same(before, fresh):
        raise RecordUnchangedError(cdr_id)
    taken_back = credit(before, at_s=at_s)
    _keep(connection, found.session_id, taken_back, at_s)
    _keep(connection, found.session_id, fresh, at_s)
    return str(taken_back["id"]), str(fresh["id"])


def load(body: str) -> dict[str, Any]:
    """Return a kept record, its numbers as decimals."""
    found: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return found


def _due() -> Any:  # noqa: ANN401 - a statement
    return (
        select(session)
        .where(
            session.c.state == "closed",
            session.c.session_id.not_in(select(cdr_table.c.session_id)),
        )
        .order_by(session.c.opened_s, session.c.session_id)
    )


def _keep(
    connection: Connection, session_id: str, document: Mapping[str, Any], at_s: UnixSeconds
) -> None:
    connection.execute(
        cdr_table.insert().values(
            cdr_id=document["id"],
            session_id=session_id,
            credit=int(bool(document.get("credit"))),
            body=exact_json(document),
            at_s=at_s,
        )
    )
