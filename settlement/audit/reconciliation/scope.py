"""Say what a pass looks at: what was touched since the last one, or everything."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from ledger import accounts
from ledger.tables import checkpoint, transfer
from ledger.units import UnixSeconds
from settlement.audit.books import HELD
from settlement.chain.indexer import FinalEvent
from settlement.engine.service import Service
from settlement.pricing.statements import Rail
from settlement.tables import block, chain_run, charge_line, lane, observed, run, session

_SESSION_ID_LENGTH: Final = 66
_INVOICED_VAT: Final = (
    select(func.coalesce(func.sum(charge_line.c.vat_micros), 0))
    .where(charge_line.c.session_id == session.c.session_id, charge_line.c.rail == Rail.INVOICE)
    .scalar_subquery()
    .label("invoiced_vat_micros")
)


@dataclass(frozen=True, slots=True)
class Ends:
    """How far a pass came."""

    height: int
    """Final block, or -1."""
    seq: int
    """Entry of the last transfer, or -1."""
    run: int
    """The last run, or 0."""
    days: int
    """How many days are closed by a checkpoint."""


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where a pass looks."""

    since: Ends
    """How far the last pass came, or ``NOTHING``."""
    until: Ends
    """Where ledger and chain stand."""
    runs_since: int
    """The last run that need not be settled again."""

    @property
    def whole(self) -> bool:
        """Whether everything is looked at."""
        return self.since == NOTHING


NOTHING: Final = Ends(-1, -1, 0, 0)
"""Before the first pass."""


def ends_of(service: Service, connection: Connection) -> Ends:
    """Return where ledger and chain stand."""
    seq, number, days = connection.execute(
        select(
            select(func.max(transfer.c.seq)).scalar_subquery(),
            select(func.max(run.c.run)).scalar_subquery(),
            select(func.count(checkpoint.c.size)).scalar_subquery(),
        )
    ).one()
    return Ends(
        height=service.indexer.final_height(connection),
        seq=-1 if seq is None else int(seq),
        run=0 if number is None else int(number),
        days=int(days),
    )


@dataclass(frozen=True)
class Scope:
    """What a pass looks at, read in one transaction at one final block."""

    height: int
    """Final block that both sides are read at."""
    whole: bool
    """Whether it is everything."""
    moved: tuple[RowMapping, ...]
    """Transfers since the last pass, in order."""
    events: tuple[FinalEvent, ...]
    """Events that have become final since, in chain order."""
    runs: tuple[RowMapping, ...]
    """Runs to settle again: made since, or become final, or broken, in order."""
    run_traces: Mapping[int, str]
    """Trace ids by run, of those and, in a pass over everything, of all."""
    chain_runs: Mapping[int, tuple[RowMapping, ...]]
    """The runs that the contract took as one, in order, by the number of each event of those."""
    amended: Mapping[int, tuple[RowMapping, ...]]
    """The runs of the same interval before each of those runs, by run."""
    sessions: tuple[RowMapping, ...]
    """Sessions with a transfer or an event since, or that are broken, and the VAT they invoice."""
    traced: Mapping[str, tuple[RowMapping, ...]]
    """All transfers of those runs and sessions, by trace id."""
    accounts: frozenset[str]
    """Accounts with a transfer or an event since, or that are broken."""
    lanes: tuple[RowMapping, ...]
    """Lanes with an event since, or that are broken."""

    def of(self, trace_id: str) -> tuple[RowMapping, ...]:
        """Return all transfers of a run or session of the scope, in order."""
        return self.traced.get(trace_id, ())

    @cached_property
    def told(self) -> Mapping[int, FinalEvent]:
        """What the chain said of chain runs that became final, by their numbers."""
        return _told(self.events)

    @cached_property
    def taken_in(self) -> Mapping[int, int]:
        """The number of the chain run that took a run, by run, of those that became final."""
        return {row["run"]: number for number, rows in self.chain_runs.items() for row in rows}


def run_trace(service: Service, row: RowMapping) -> str:
    """Return the trace id of a run."""
    return f"{service.rules.community_id}/{row['interval']}/{row['run']}"


def collect_scope(
    service: Service, connection: Connection, span: Span, broken: Collection[str]
) -> Scope:
    """Return what happened within ``span``, and the subjects of open breaks."""
    since, until, whole = span.since, span.until, span.whole
    moved = tuple(_transfers(connection, transfer.c.seq > since.seq, transfer.c.seq <= until.seq))
    events = tuple(_events(connection, since.height, until.height))
    chain_runs = _chain_runs(connection, _told(events))
    runs = tuple(_runs(connection, span, chain_runs, broken))
    session_ids = _session_ids(moved, events, broken)
    sessions = tuple(_sessions(connection, whole=whole, wanted=session_ids))
    run_traces = {
        row["run"]: run_trace(service, row) for row in (_all_runs(connection) if whole else runs)
    }
    amended = {row["run"]: tuple(_before(connection, row)) for row in runs if row["amends"]}
    before = {run_trace(service, one) for found in amended.values() for one in found}
    traces = {*run_traces.values(), *before, *session_ids}
    touched = {row[side] for row in moved for side in ("debit", "credit")}
    touched |= {account for one in events for account in _accounts(one)}
    touched |= {one.removesuffix(HELD) for one in broken if one.startswith(("eur/", "wh/"))}
    members = {one.arguments.get("member") for one in events if one.contract == "TradeLedger"}
    members |= {one.partition("/")[0] for one in broken}
    return Scope(
        height=until.height,
        whole=whole,
        moved=moved,
        events=events,
        runs=runs,
        run_traces=run_traces,
        chain_runs=chain_runs,
        amended=amended,
        sessions=sessions,
        traced=_traced(connection, moved if whole else None, traces),
        accounts=frozenset(touched),
        lanes=tuple(_lanes(connection, whole=whole, wanted=members)),
    )


def _transfers(connection: Connection, *where: ColumnElement[bool]) -> Iterator[RowMapping]:
    ordered = select(transfer).where(*where).order_by(transfer.c.seq)
    yield from connection.execute(ordered).mappings()


def _events(connection: Connection, after: int, until: int) -> Iterator[FinalEvent]:
    if after >= until:
        return
    rows = connection.execute(
        select(observed, block.c.timestamp_s)
        .join(block, block.c.hash == observed.c.block_hash)
        .where(block.c.number > after, block.c.number <= until)
        .order_by(observed.c.block_number, observed.c.log_index)
    ).mappings()
    for row in rows:
        yield FinalEvent(
            contract=row["contract"],
            name=row["name"],
            arguments=json.loads(row["body"]),
            transaction_hash=row["transaction_hash"],
            block_number=row["block_number"],
            at_s=UnixSeconds(row["timestamp_s"]),
            log_index=row["log_index"],
        )


def _told(events: tuple[FinalEvent, ...]) -> dict[int, FinalEvent]:
    return {int(one.arguments["run"]): one for one in events if one.name == "IntervalSettled"}


def _chain_runs(
    connection: Connection, numbers: Collection[int]
) -> dict[int, tuple[RowMapping, ...]]:
    """Return the runs of each chain run, in order; none of one that is not ours."""
    if not numbers:
        return {}
    taken = run.c.run.between(chain_run.c.first_run, chain_run.c.last_run)
    rows = connection.execute(
        select(chain_run.c.number, run.c.run, run.c.interval, run.c.root)
        .join(run, taken)
        .where(chain_run.c.number.between(min(numbers), max(numbers)))
        .order_by(run.c.run)
    ).mappings()
    by_number = groupby(rows, key=lambda row: int(row["number"]))
    return {number: tuple(found) for number, found in by_number if number in numbers}


def _runs(
    connection: Connection,
    span: Span,
    chain_runs: Mapping[int, tuple[RowMapping, ...]],
    broken: Collection[str],
) -> Iterator[RowMapping]:
    """Return the runs to look at; in a pass over everything, not those that became final before."""
    settled = {row["run"] for rows in chain_runs.values() for row in rows}
    named = {one for one in settled if one > span.runs_since} if span.whole else settled
    for subject in broken:
        parts = subject.split("/")
        named |= {int(part) for part in parts[2:3] if part.isdecimal()}
    # In one query, either or the other, all runs that ever were would be read.
    older = {one for one in named if one <= span.runs_since}
    wanted = [run.c.run.in_(older)] * bool(older) + [run.c.run > span.runs_since]
    for which in wanted:
        yield from connection.execute(select(run).where(which).order_by(run.c.run)).mappings()


def _before(connection: Connection, row: RowMapping) -> Iterator[RowMapping]:
    """Return the runs of the same interval before a correction."""
    same = (run.c.interval == row["interval"]) & (run.c.run < row["run"])
    yield from connection.execute(select(run).where(same).order_by(run.c.run)).mappings()


def _all_runs(connection: Connection) -> Iterator[RowMapping]:
    yield from connection.execute(select(run.c.run, run.c.interval)).mappings()


def _session_ids(
    moved: tuple[RowMapping, ...], events: tuple[FinalEvent, ...], broken: Collection[str]
) -> set[str]:
    named = {row["trace_id"] for row in moved} | set(broken)
    named |= {one.arguments["sessionId"] for one in events if "sessionId" in one.arguments}
    return {one for one in named if one.startswith("0x") and len(one) == _SESSION_ID_LENGTH}


def _sessions(connection: Connection, *, whole: bool, wanted: set[str]) -> Iterator[RowMapping]:
    if not (whole or wanted):
        return
    rows = select(session, _INVOICED_VAT).order_by(session.c.session_id)
    rows = rows if whole else rows.where(session.c.session_id.in_(wanted))
    yield from connection.execute(rows).mappings()


def _lanes(connection: Connection, *, whole: bool, wanted: set[Any]) -> Iterator[RowMapping]:
    if not (whole or wanted):
        return
    rows = select(lane).order_by(lane.c.address)
    rows = rows if whole else rows.where(lane.c.address.in_(wanted))
    yield from connection.execute(rows).mappings()


def _traced(
    connection: Connection, everything: tuple[RowMapping, ...] | None, traces: set[str]
) -> dict[str, tuple[RowMapping, ...]]:
    """Return transfers by trace id: of everything at hand, or of ``traces`` from the table."""
    found: dict[str, list[RowMapping]] = {}
    if everything is None and traces:
        everything = tuple(_transfers(connection, transfer.c.trace_id.in_(traces)))
    for row in everything or ():
        found.setdefault(row["trace_id"], []).append(row)
    return {trace_id: tuple(rows) for trace_id, rows in found.items()}


def _accounts(event: FinalEvent) -> Iterator[str]:
    """Return the accounts that an event names, whether or not a transfer came of it."""
    body = event.arguments
    if event.contract == "ChargeVault":
        if "purse" in body:
            yield accounts.vault_driver(body["driver"], int(body["purse"]))
        for name in ("operator", "before", "meterId"):
            if name in body:
                yield accounts.vault_earned(body[name])
    if event.contract == "TradeLedger":
        if "member" in body:
            yield accounts.trade_balance(body["member"])
        if "owner" in body:
            yield accounts.trade_bond(body["owner"])
