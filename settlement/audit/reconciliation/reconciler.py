"""
Reconcile after every block and every run, with what they touched; and everything when asked.

A pass reads ledger and chain at the same final block. It only reads, unless a break opens or
closes. It runs where everything that writes takes its turn, after the work and its answer and
before the next: so a break is found before anything is posted on top of it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic_ns
from typing import Final

import structlog
from sqlalchemy import Connection

from ledger.errors import ChainUnavailable
from ledger.units import UnixSeconds
from settlement.audit.reconciliation import energy, events, money, roots
from settlement.audit.reconciliation.breaks import Break, note, open_breaks
from settlement.audit.reconciliation.equations import Comparison, Equation, Owner
from settlement.audit.reconciliation.mirror import Mirror
from settlement.audit.reconciliation.scope import (
    NOTHING,
    Scope,
    Span,
    collect_scope,
    ends_of,
)
from settlement.engine.checkpoints import first_inconsistent
from settlement.engine.market.runs.computing import compute_again
from settlement.engine.service import Service

_LOG = structlog.get_logger("voisin.reconciliation")
_REPLAYED: Final = "as replayed"


@dataclass(frozen=True, slots=True)
class Report:
    """What the last pass has shown."""

    at_s: UnixSeconds
    """Domain instant of the pass, in Unix seconds."""
    height: int
    """Final block that both sides were read at."""
    whole: bool
    """Whether it looked at everything."""
    checked: Mapping[Equation, int]
    """Comparisons made, by equation."""
    breaks: tuple[Break, ...]
    """Breaks that last."""
    duration_ns: int
    """Wall time that it took, in ns; for display only."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a pass has read, before anything is written."""

    height: int
    whole: bool
    standing: tuple[Break, ...]
    compared: tuple[Comparison, ...]


class Reconciler:
    """Compares the books with themselves, with the meters and with the chain, pass by pass."""

    def __init__(self, service: Service) -> None:
        self._service: Final = service
        self._mirror = Mirror()
        self._done = NOTHING
        self._days_run = 0
        self.report: Report | None = None
        """What the last pass has shown; None before the first."""

    def after(self) -> None:
        """
        Compare what has moved since the last pass; everything the first time and at a day's end.

        At a day's end only the runs of that day are settled again. Nothing is done if nothing
        moved. A node that does not answer is asked again next time.
        """
        began_ns = monotonic_ns()
        try:
            with self._service.reading() as connection:
                until = ends_of(self._service, connection)
                if until == self._done or until.height < 0:
                    return
                ended = self._done.days != until.days
                span = Span(NOTHING if ended else self._done, until, self._runs_since(ended=ended))
                passed = self._read(connection, span)
            self._note(passed, began_ns)
        except ChainUnavailable as fault:
            # What is half compared is worth nothing; the next pass begins anew.
            self._done, self._days_run = NOTHING, 0
            _LOG.warning("reconciliation_put_off", code=fault.code, detail=str(fault))

    def everything(self) -> Report:
        """
        Compare everything that is stored, from the first entry on.

        Raises
        ------
        ChainUnavailable
            If the node does not answer.
        """
        began_ns = monotonic_ns()
        with self._service.reading() as connection:
            until = ends_of(self._service, connection)
            passed = self._read(connection, Span(NOTHING, until, 0))
        return self._note(passed, began_ns)

    def _runs_since(self, *, ended: bool) -> int:
        """Return the last run that need not be settled again: of the day before, or just now."""
        return self._days_run if ended else self._done.run

    def _read(self, connection: Connection, span: Span) -> _Pass:
        """Compare what is to be compared, all in one transaction and at one final block."""
        self._mirror = Mirror() if span.whole else self._mirror
        self._done = NOTHING
        standing = open_breaks(connection)
        broken = {one.subject for one in standing}
        scope = collect_scope(self._service, connection, span, broken)
        compared = tuple(self._compare(connection, scope))
        self._done = span.until
        self._days_run = span.until.run if span.whole else self._days_run
        return _Pass(span.until.height, span.whole, standing, compared)

    def _note(self, passed: _Pass, began_ns: int) -> Report:
        """Open and close breaks, and keep the report."""
        breaks = note(
            self._service,
            passed.standing,
            passed.compared,
            height=passed.height,
            whole=passed.whole,
        )
        self.report = Report(
            at_s=self._service.clock.now_s(),
            height=passed.height,
            whole=passed.whole,
            checked=Counter(one.equation for one in passed.compared),
            breaks=breaks,
            duration_ns=monotonic_ns() - began_ns,
        )
        return self.report

    def _compare(self, connection: Connection, scope: Scope) -> Iterator[Comparison]:
        service = self._service
        books = money.advance_books(connection, scope, self._mirror)
        yield from money.debits_and_credits(books)
        yield from money.fields(service, scope, books, self._mirror)
        yield from money.sessions(scope)
        yield from events.one_to_one(scope)
        signatures = energy.Signatures(service, connection)
        for row in scope.runs:
            again = compute_again(service, connection, row)
            yield from energy.of_run(service, scope, row, again.collected)
            if scope.whole:
                yield from signatures.of_run(row)
            yield from roots.of_run(service, scope, row, again.root)
        yield from energy.of_sessions(connection, scope)
        yield from roots.of_newest(service, scope)
        yield from roots.of_checkpoints(connection, scope)
        yield from money.replayed(books)
        if scope.whole:
            yield from _journal(service, connection)


def _journal(service: Service, connection: Connection) -> Iterator[Comparison]:
    """E8 and E9 of the journal itself: its entries, replayed, and its checkpoints."""
    replay = service.book.replay(connection)
    for subject, fault in (
        ("journal/balances", replay.balances),
        ("journal/holds", replay.holds),
        ("journal/log", replay.log),
    ):
        yield Comparison(
            Equation.REPLAY, subject, fault or _REPLAYED, _REPLAYED, Owner.SERVICE, "first fault"
        )
    fault = first_inconsistent(service, connection)
    yield Comparison(
        Equation.ROOTS,
        "log",
        fault or _REPLAYED,
        _REPLAYED,
        Owner.SERVICE,
        "the log recomputed, every signed checkpoint",
    )
