"""
Tell the chain of a settlement period's runs at once: one number, one root, one sum (decision 0013).

What the contract calls a run is here a chain run, and what it calls an interval a period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select

from settlement.chain.lanes import pack
from settlement.chain.outbox import Call
from settlement.engine.market.lanes import by_lane, waiting_deltas
from settlement.engine.market.progress import is_settled, settled_through
from settlement.engine.market.runs.computing import RunKind
from settlement.engine.service import Service
from settlement.tables import chain_run, run
from settlement.trading.tree import merkle_proof, merkle_root

_SETTLE_GAS: Final = 6_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a run stands in what the contract took as one."""

    number: int | None
    """Number of the chain run, or None while the run waits for its period to be over."""
    root: bytes
    """What the contract holds under that number; the run's own root while it waits."""
    proof: tuple[bytes, ...]
    """Siblings from the run's root up to that one; none where a period is an interval."""


def waiting_runs(connection: Connection) -> Sequence[RowMapping]:
    """Return number, interval and root of the runs that the chain was not told of, in order."""
    told = select(func.coalesce(func.max(chain_run.c.last_run), 0)).scalar_subquery()
    wanted = select(run.c.run, run.c.interval, run.c.root).where(run.c.run > told)
    return connection.execute(wanted.order_by(run.c.run)).mappings().all()


def due_runs(service: Service, connection: Connection) -> Sequence[RowMapping]:
    """Return the runs that wait, if their period is over and has been settled; else none."""
    waiting = waiting_runs(connection)
    if not waiting:
        return ()
    period = service.rules.period_of(waiting[0]["interval"])
    return waiting if is_settled(service, connection, period) else ()


def send_waiting(service: Service, connection: Connection) -> None:
    """
    Plan the chain run of all runs that wait, if their period is over and has been settled.

    They are of one period, since this is called before and after each run. Nothing is sent here.
    """
    waiting = due_runs(service, connection)
    if not waiting:
        return
    period = service.rules.period_of(waiting[0]["interval"])
    deltas = waiting_deltas(connection)
    root = merkle_root([one["root"] for one in waiting])
    number = _newest(connection) + 1
    amends = _newest(connection, period)
    kind = RunKind.CORRECTION if amends else RunKind.INITIAL
    connection.execute(
        chain_run.insert().values(
            number=number,
            period=period,
            amends=amends or None,
            first_run=waiting[0]["run"],
            last_run=waiting[-1]["run"],
            root=root,
            at_s=service.clock.now_s(),
        )
    )
    through = settled_through(service, connection)
    moved = pack(by_lane(connection, deltas))
    trade = service.contracts.trade
    data = trade.encode("settle", number, period, through, int(kind), amends, root, moved)
    service.outbox.plan(
        connection,
        business_key=f"settle/{number}",
        trace_id=f"{service.rules.community_id}/{waiting[-1]['interval']}/{waiting[-1]['run']}",
        call=Call(trade.address, data, "TradeLedger.settle", _SETTLE_GAS),
    )


def taken_with(connection: Connection, number: int) -> Taken:
    """Return where run ``number`` stands in its chain run; it must be one that was made."""
    within = chain_run.c.first_run <= number, chain_run.c.last_run >= number
    found = connection.execute(select(chain_run).where(*within)).first()
    first, last = (number, number) if found is None else (found.first_run, found.last_run)
    roots = select(run.c.root).where(run.c.run.between(first, last)).order_by(run.c.run)
    leaves = connection.execute(roots).scalars().all()
    if found is None:
        return Taken(None, leaves[0], ())
    return Taken(found.number, found.root, merkle_proof(leaves, number - first))


def _newest(connection: Connection, period: int | None = None) -> int:
    """Return the number of the newest chain run, of a period if one is given, or 0."""
    wanted = select(func.coalesce(func.max(chain_run.c.number), 0))
    if period is not None:
        wanted = wanted.where(chain_run.c.period == period)
    return int(connection.execute(wanted).scalar_one())
