"""
Keep breaks: opened once per equation and subject, closed when gone, never deleted.

Opening and closing are entries of the log too. Where nothing breaks, nothing is written.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, select, update

from ledger.units import UnixSeconds
from settlement.audit.reconciliation.equations import Comparison, Equation
from settlement.engine.service import Service
from settlement.tables import break_

_LOG = structlog.get_logger("voisin.reconciliation")

Key = tuple[str, str]
"""Equation and subject."""


@dataclass(frozen=True, slots=True)
class Break:
    """Two values that should be the same and are not."""

    id: int
    """Number; the same for as long as it lasts."""
    equation: Equation
    """The equation."""
    subject: str
    """What it was asked of."""
    owner: str
    """Who must act."""
    ledger: str
    """What the ledger said when it was found."""
    other: str
    """What the other side said then."""
    detail: str
    """What the two values are."""
    found_block: int
    """Final block at which it was found."""
    found_at_s: UnixSeconds
    """Domain instant at which it was found, in Unix seconds."""
    cleared_at_s: UnixSeconds | None
    """Domain instant at which it was gone, in Unix seconds; None while it lasts."""

    @property
    def key(self) -> Key:
        """Equation and subject."""
        return (self.equation.value, self.subject)

    def age_s(self, now_s: UnixSeconds) -> int:
        """Return how long it lasts, or lasted, in seconds."""
        return max(0, (self.cleared_at_s or now_s) - self.found_at_s)


def open_breaks(connection: Connection) -> tuple[Break, ...]:
    """Return the breaks that last, oldest first."""
    rows = connection.execute(
        select(break_).where(break_.c.cleared_at_s.is_(None)).order_by(break_.c.id)
    ).mappings()
    return tuple(_break(row) for row in rows)


def all_breaks(connection: Connection) -> tuple[Break, ...]:
    """Return every break that ever was, oldest first."""
    rows = connection.execute(select(break_).order_by(break_.c.id)).mappings()
    return tuple(_break(row) for row in rows)


def note(
    service: Service,
    standing: Sequence[Break],
    compared: Iterable[Comparison],
    *,
    height: int,
    whole: bool,
) -> tuple[Break, ...]:
    """
    Open the breaks that are new and close those that are gone; return those that last.

    After a pass over everything, what was not found again is gone. After another one, only what was
    looked at and holds.
    """
    by_key = {(one.equation.value, one.subject): one for one in compared}
    broken = {key: one for key, one in by_key.items() if not one.holds}
    known = {one.key: one for one in standing}
    fresh = [one for key, one in broken.items() if key not in known]
    gone = [one for key, one in known.items() if key not in broken and (whole or key in by_key)]
    if not fresh and not gone:
        return tuple(standing)
    now_s = service.clock.now_s()
    with service.writing() as connection:
        for one in gone:
            _close(service, connection, one, height=height, now_s=now_s)
        for comparison in fresh:
            _open(service, connection, comparison, height=height, now_s=now_s)
        return open_breaks(connection)


def _open(
    service: Service, connection: Connection, one: Comparison, *, height: int, now_s: UnixSeconds
) -> None:
    values = {
        "equation": one.equation.value,
        "subject": one.subject,
        "owner": one.owner.value,
        "ledger_value": str(one.ledger),
        "other_value": str(one.other),
        "detail": one.detail,
        "found_block": height,
        "found_at_s": now_s,
    }
    number = connection.execute(break_.insert().values(values).returning(break_.c.id)).scalar_one()
    _journal(service, connection, "break_opened", {"id": number, **values}, now_s)


def _close(
    service: Service, connection: Connection, one: Break, *, height: int, now_s: UnixSeconds
) -> None:
    values = {"cleared_block": height, "cleared_at_s": now_s}
    connection.execute(update(break_).where(break_.c.id == one.id).values(values))
    body = {"id": one.id, "equation": one.equation.value, "subject": one.subject, **values}
    _journal(service, connection, "break_cleared", body, now_s)


def _journal(
    service: Service,
    connection: Connection,
    name: str,
    values: Mapping[str, Any],
    now_s: UnixSeconds,
) -> None:
    service.book.append_record(
        connection,
        name=name,
        trace_id=f"{service.rules.community_id}/reconciliation",
        body=json.dumps(values, sort_keys=True).encode(),
        at_s=now_s,
    )
    _LOG.warning(name, **values)


def _break(row: RowMapping) -> Break:
    cleared = row["cleared_at_s"]
    return Break(
        id=row["id"],
        equation=Equation(row["equation"]),
        subject=row["subject"],
        owner=row["owner"],
        ledger=row["ledger_value"],
        other=row["other_value"],
        detail=row["detail"],
        found_block=row["found_block"],
        found_at_s=UnixSeconds(row["found_at_s"]),
        cleared_at_s=None if cleared is None else UnixSeconds(cleared),
    )
