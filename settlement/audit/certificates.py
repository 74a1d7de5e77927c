"""Hold certificates against what was traded and measured: a kWh is certified once (law L3)."""

from sqlalchemy import Connection, RowMapping, func, select

from settlement.engine.grid.issuing import CLAIMED
from settlement.engine.grid.keeping import lots_of
from settlement.tables import certificate, lot, run, run_member, run_state
from settlement.trading.settle import IntervalInputs, Settlement


def certified_once(connection: Connection) -> str | None:
    """
    Return the first violation in words, or None.

    Lots are what was traded; each final run has a certificate for each lot, and no interval has
    certificates of two runs. Runs of before lots were kept have neither.
    """
    return (
        _lots_are_what_was_traded(connection)
        or _lots_are_certified(connection)
        or _no_interval_twice(connection)
    )


def lots_differ(
    connection: Connection, row: RowMapping, inputs: IntervalInputs, again: Settlement
) -> str | None:
    """Say whether a run's lots do not come out again from its inputs."""
    stored = {
        (one.leaf, one.seller, one.buyer, one.energy_wh, one.covered_wh)
        for one in connection.execute(select(lot).where(lot.c.run == row["run"]))
    }
    kept = connection.execute(
        select(func.count()).select_from(run_member).where(run_member.c.run == row["run"])
    ).scalar_one()
    found = {
        (one.leaf, one.seller, one.buyer, one.energy_wh, one.covered_wh)
        for one in lots_of(inputs, again)
    }
    return "its lots do not come out again" if kept and found != stored else None


def _lots_are_what_was_traded(connection: Connection) -> str | None:
    """Compare by interval: the newest run's lots are the whole, a correction's figures a part."""
    traded = (
        select(
            run.c.interval,
            func.max(run.c.run).label("run"),
            func.sum(run.c.traded_wh).label("wh"),
        )
        .group_by(run.c.interval)
        .subquery()
    )
    sold = select(lot.c.run, func.sum(lot.c.energy_wh).label("wh")).group_by(lot.c.run).subquery()
    kept = select(run_member.c.run).distinct()
    bad = connection.execute(
        select(traded.c.run, traded.c.wh, sold.c.wh.label("sold"))
        .join(sold, sold.c.run == traded.c.run, isouter=True)
        .where(traded.c.run.in_(kept), traded.c.wh != func.coalesce(sold.c.wh, 0))
        .limit(1)
    ).first()
    if bad is not None:
        return f"run {bad.run}: traded {bad.wh} Wh, lots hold {bad.sold or 0}"
    beyond = connection.execute(
        select(lot.c.leaf).where(lot.c.covered_wh > lot.c.energy_wh).limit(1)
    ).scalar()
    return None if beyond is None else f"lot {beyond} is certified beyond what was traded"


def _lots_are_certified(connection: Connection) -> str | None:
    bad = connection.execute(
        select(lot.c.leaf)
        .join(run_state, (run_state.c.run == lot.c.run) & (run_state.c.state == "final"))
        .join(certificate, certificate.c.leaf == lot.c.leaf, isouter=True)
        .where(lot.c.covered_wh > 0, certificate.c.leaf.is_(None))
        .limit(1)
    ).scalar()
    if bad is not None:
        return f"lot {bad} is final and has no certificate"
    early = connection.execute(
        select(certificate.c.leaf)
        .join(run_state, run_state.c.run == certificate.c.run)
        .where(certificate.c.state == CLAIMED, run_state.c.state != "final")
        .limit(1)
    ).scalar()
    return None if early is None else f"certificate {early} is claimed and its run is not final"


def _no_interval_twice(connection: Connection) -> str | None:
    claimed = (
        select(run.c.interval, func.count(certificate.c.run.distinct()).label("runs"))
        .join(certificate, certificate.c.run == run.c.run)
        .where(certificate.c.state == CLAIMED)
        .group_by(run.c.interval)
        .subquery()
    )
    twice = connection.execute(
        select(claimed.c.interval).where(claimed.c.runs > 1).limit(1)
    ).scalar()
    return None if twice is None else f"interval {twice} is certified by two runs"
