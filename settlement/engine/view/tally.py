"""
Add up what was settled, run after run: what is once written of a run never changes.

Only the runs that came since the last look are read, so a community of many years is added up as
quickly as one of a day.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy import Connection, case, func, select

from settlement.tables import line, run


@dataclass(frozen=True, slots=True)
class Settled:
    """Sums over all runs up to one of them; a correction counts with what it adds."""

    newest_run: int = 0
    """Number of the last of them; 0 before the first."""
    intervals: int = 0
    """How many intervals they settle."""
    traded_wh: int = 0
    """Energy traded among members, in Wh."""
    home_to_home_wh: int = 0
    """What of it homes bought, in Wh."""
    sun_to_cars_wh: int = 0
    """What of it stations bought, in Wh."""
    moved_micros: int = 0
    """Money that the contract moves, in micros."""
    owed_micros: Mapping[str, int] = field(default_factory=dict)
    """By kind of line: what it comes to, less what corrections give back, in micros."""


class Tally:
    """The sums so far, for any thread."""

    def __init__(self) -> None:
        """Begin before the first run."""
        self._lock = Lock()
        self._settled = Settled()

    def settled(self, connection: Connection) -> Settled:
        """Return the sums over all runs that ``connection`` sees."""
        with self._lock:
            self._settled = _with_runs(connection, self._settled)
            return self._settled


def _with_runs(connection: Connection, before: Settled) -> Settled:
    """Return the sums with the runs that came since."""
    came = run.c.run > before.newest_run
    runs = connection.execute(
        select(
            func.max(run.c.run),
            func.count(case((run.c.amends.is_(None), 1))),
            func.sum(run.c.traded_wh),
            func.sum(run.c.home_to_home_wh),
            func.sum(run.c.sun_to_cars_wh),
        ).where(came)
    ).one()
    if runs[0] is None:
        return before
    newest, intervals, traded_wh, home_to_home_wh, sun_to_cars_wh = map(int, runs)
    amount = line.c.amount_micros
    owed = Counter(before.owed_micros)
    moved_micros = before.moved_micros
    for kind, rail, sent_micros, owed_micros in connection.execute(
        select(
            line.c.kind,
            line.c.rail,
            func.sum(amount),
            func.sum(case((line.c.taker == line.c.payee, -amount), else_=amount)),
        )
        .where(line.c.run > before.newest_run, line.c.run <= newest)
        .group_by(line.c.kind, line.c.rail)
    ):
        owed[kind] += int(owed_micros)
        moved_micros += int(sent_micros) if rail == "chain" else 0
    return Settled(
        newest,
        before.intervals + intervals,
        before.traded_wh + traded_wh,
        before.home_to_home_wh + home_to_home_wh,
        before.sun_to_cars_wh + sun_to_cars_wh,
        moved_micros,
        owed,
    )
