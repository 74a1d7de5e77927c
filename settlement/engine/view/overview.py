"""
Say how the community stands now: totals, newest intervals and sessions, what was refused.

Every figure comes from the stored rows.
"""

from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, Select, Text, case, cast, func, literal, select

from settlement.engine.community import Rules
from settlement.engine.service import Service
from settlement.engine.view.tally import Settled, Tally
from settlement.tables import (
    block,
    chain_run,
    intent,
    latency,
    refusal,
    run,
    run_state,
    session,
)
from settlement.trading.runs.differences import INVOICED

_INTERVALS_SHOWN: Final = 48
_SESSIONS_SHOWN: Final = 20
_REFUSALS_SHOWN: Final = 10
_US_PER_MS: Final = 1_000
_MINUTES_PER_HOUR: Final = 60


def overview(service: Service, connection: Connection, tally: Tally) -> dict[str, Any]:
    """
    Return the community's state as JSON values; money as decimal strings of micros.

    Parameters
    ----------
    tally
        Sums of what was settled; kept between calls, so that only what came since is read.
    """
    return {
        "community": community_view(service.rules),
        "totals": _totals(connection, tally.settled(connection)),
        "refund_ms": _refund_latency(connection),
        "intervals": _intervals(service, connection),
        "sessions": _sessions(connection),
        "quarantine": _quarantine(connection),
        "chain": _chain(service, connection),
    }


def community_view(rules: Rules) -> dict[str, Any]:
    """Return who the community is, and how its money and its time are written."""
    return {
        "id": rules.community_id,
        "name": rules.name,
        "currency": rules.currency,
        "interval_s": rules.interval_s,
        "time_zone": _zone_label(rules.utc_offset_minutes),
        "utc_offset_minutes": rules.utc_offset_minutes,
    }


def _totals(connection: Connection, settled: Settled) -> dict[str, Any]:
    """Return the sums over all intervals and sessions so far."""
    sessions, charged_micros = _session_totals(connection)
    return (
        _interval_totals(settled, charged_micros)
        | sessions
        | {
            "chain_transactions": _one(
                connection,
                select(func.count()).select_from(intent).where(intent.c.state == "final"),
            ),
            "quarantined": _one(connection, select(func.count()).select_from(refusal)),
        }
    )


def _interval_totals(settled: Settled, charged_micros: int) -> dict[str, Any]:
    owed = Counter(settled.owed_micros)
    return {
        "intervals": settled.intervals,
        "traded_wh": settled.traded_wh,
        "traded_home_to_home_wh": settled.home_to_home_wh,
        "neighbour_micros": str(owed["energy"]),
        "moved_micros": str(settled.moved_micros + charged_micros),
        "tolls_micros": str(owed["toll"]),
        "levy_micros": str(owed["levy"]),
        "trade_vat_micros": str(owed["vat"]),
        "residual_micros": str(sum(owed[kind.value] for kind in INVOICED)),
        "sun_to_cars_wh": settled.sun_to_cars_wh,
    }


def _session_totals(connection: Connection) -> tuple[dict[str, Any], int]:
    """Return the sums over all sessions, and what was charged in all, in micros."""
    is_open = session.c.state.in_(("open", "charging", "closing", "held"))
    closed = session.c.state == "closed"
    row = connection.execute(
        select(
            func.coalesce(func.sum(case((is_open, 1), else_=0)), 0),
            func.coalesce(func.sum(case((closed, 1), else_=0)), 0),
            *(
                func.coalesce(func.sum(case((closed, column), else_=0)), 0)
                for column in (
                    session.c.requested_wh,
                    session.c.energy_wh,
                    session.c.deposit_micros,
                    session.c.charge_micros,
                    session.c.refund_micros,
                    session.c.vat_micros,
                    session.c.overrun_micros,
                )
            ),
        )
    ).one()
    names = ("deposited_micros", "charged_micros", "refunded_micros", "vat_micros")
    money = {name: str(value) for name, value in zip(names, row[4:8], strict=True)}
    found = {
        "sessions_open": row[0],
        "sessions_closed": row[1],
        "requested_wh": row[2],
        "delivered_wh": row[3],
        "overrun_micros": str(row[8]),
        **money,
    }
    return found, int(row[5])


def _refund_latency(connection: Connection) -> dict[str, Any] | None:
    """Return how long refunds took, from StopTransaction received to final, in wall time."""
    taken = [
        row[0]
        for row in connection.execute(select(latency.c.refund_us).order_by(latency.c.refund_us))
    ]
    if not taken:
        return None
    return {
        "p50": _nearest_rank(taken, 50) // _US_PER_MS,
        "p99": _nearest_rank(taken, 99) // _US_PER_MS,
        "count": len(taken),
    }


def _nearest_rank(ordered: list[int], percent: int) -> int:
    """Return the percentile by nearest rank."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def _intervals(service: Service, connection: Connection) -> list[dict[str, Any]]:
    """Return the newest intervals as they are now, each with its newest run."""
    rules = service.rules
    sums = ("traded_wh", "stations_wh", "sun_to_cars_wh", "surplus_wh", "deficit_wh")
    last = select(func.max(run.c.interval)).scalar_subquery()
    whole = (
        select(
            func.max(run.c.run).label("newest"),
            *(func.sum(run.c[name]).label(f"all_{name}") for name in sums),
        )
        .where(run.c.interval > last - _INTERVALS_SHOWN)
        .group_by(run.c.interval)
        .subquery()
    )
    key = literal("settle/") + cast(chain_run.c.number, Text)
    taken = run.c.run.between(chain_run.c.first_run, chain_run.c.last_run)
    rows = connection.execute(
        select(run, whole, run_state.c.state, intent.c.hash)
        .join(whole, whole.c.newest == run.c.run)
        .join(run_state, run_state.c.run == run.c.run)
        .join(chain_run, taken, isouter=True)
        .join(intent, intent.c.business_key == key, isouter=True)
        .order_by(run.c.interval.desc())
    ).mappings()
    return [
        {
            "interval": row["interval"],
            "start_s": rules.start_s(row["interval"]),
            "run": row["run"],
            **{name: int(row[f"all_{name}"]) for name in sums},
            "price_micros_per_kwh": row["price_micros_per_kwh"],
            "root": "0x" + row["root"].hex(),
            "transaction": row["hash"],
            "trace_id": f"{rules.community_id}/{row['interval']}/{row['run']}",
            "state": row["state"],
        }
        for row in rows
    ]


def _sessions(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(session, latency.c.refund_us, intent.c.hash)
        .join(latency, latency.c.session_id == session.c.session_id, isouter=True)
        .join(
            intent,
            intent.c.business_key == literal("close/") + session.c.session_id,
            isouter=True,
        )
        .order_by(func.coalesce(session.c.stopped_s, session.c.opened_s).desc())
        .limit(_SESSIONS_SHOWN)
    ).mappings()
    return [
        {
            "session_id": row["session_id"],
            "trace_id": row["session_id"],
            "station": row["station_id"],
            "state": row["state"],
            "opened_s": row["opened_s"],
            "deposit_micros": str(row["deposit_micros"]),
            "energy_wh": row["energy_wh"],
            "charge_micros": _text(row["charge_micros"]),
            "refund_micros": _text(row["refund_micros"]),
            "refund_ms": None if row["refund_us"] is None else row["refund_us"] // _US_PER_MS,
            "transaction": row["hash"],
        }
        for row in rows
    ]


def _quarantine(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(refusal).order_by(refusal.c.seq.desc()).limit(_REFUSALS_SHOWN)
    ).mappings()
    return [
        {name: row[name] for name in ("at_s", "kind", "code", "detail", "source")} for row in rows
    ]


def _chain(service: Service, connection: Connection) -> dict[str, Any]:
    head = connection.execute(
        select(block.c.number, block.c.hash).order_by(block.c.number.desc()).limit(1)
    ).first()
    return {
        "chain_id": service.identity.chain_id,
        "block": head.number if head else None,
        "head": head.hash if head else None,
    }


def _zone_label(offset_minutes: int) -> str:
    hours, minutes = divmod(abs(offset_minutes), _MINUTES_PER_HOUR)
    return f"UTC{'-' if offset_minutes < 0 else '+'}{hours:02}:{minutes:02}"


def _one(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
