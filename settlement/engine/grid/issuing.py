"""
Issue certificates of origin: one for each lot, once its run is final, claimed with the trade.

A certificate has no life apart from its kilowatt-hours: nobody transfers or splits it, so it can be
neither sold twice nor sold without them. It is ``claimed`` by its buyer as it is issued, or
``frozen`` while somebody disputes it, ``waiting`` if a dispute ended before the run was final, and
``withdrawn`` for ever once a correction of its interval is final.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, select, update

from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.tables import certificate, lot, run

CLAIMED, FROZEN, WAITING, WITHDRAWN = "claimed", "frozen", "waiting", "withdrawn"


def issue_certificates(service: Service, connection: Connection, number: int) -> None:
    """
    Issue every certificate of a final run, all at once, and withdraw those that it replaces.

    Idempotent by run. A frozen one stays frozen: nobody claims it until it is released. If the
    interval was settled again meanwhile, all of them are frozen until that is final.
    """
    rows = connection.execute(
        select(lot.c.leaf, lot.c.covered_wh, certificate.c.state)
        .join(certificate, certificate.c.leaf == lot.c.leaf, isouter=True)
        .where(lot.c.run == number, lot.c.covered_wh > 0)
        .order_by(lot.c.leaf)
    ).all()
    state = FROZEN if _is_amended(connection, number) else CLAIMED
    fresh = [row.leaf for row in rows if row.state is None]
    if fresh:
        connection.execute(
            certificate.insert(),
            [{"leaf": leaf, "run": number, "state": state} for leaf in fresh],
        )
    _move(connection, certificate.c.run == number, (WAITING,), state)
    if fresh:
        energy_wh = sum(row.covered_wh for row in rows)
        _tell(service, connection, number, "issued", certificates=len(rows), energy_wh=energy_wh)
    replaced = _move(connection, _of_earlier_runs(number), (CLAIMED, FROZEN, WAITING), WITHDRAWN)
    if replaced:
        _tell(service, connection, number, "withdrawn", certificates=replaced)


def freeze_amended(service: Service, connection: Connection, number: int) -> None:
    """Freeze every certificate of the runs that a correction amends, until it is final."""
    frozen = _move(connection, _of_earlier_runs(number), (CLAIMED, WAITING), FROZEN)
    if frozen:
        _tell(service, connection, number, "frozen", certificates=frozen)


def _is_amended(connection: Connection, number: int) -> bool:
    """Say whether a later run of the same interval exists."""
    one, later = run.alias("one"), run.alias("later")
    found = connection.execute(
        select(later.c.run)
        .join(one, one.c.interval == later.c.interval)
        .where(one.c.run == number, later.c.run > number)
        .limit(1)
    ).first()
    return found is not None


def _of_earlier_runs(number: int) -> ColumnElement[bool]:
    """Return what picks the certificates of earlier runs of the same interval."""
    interval = select(run.c.interval).where(run.c.run == number).scalar_subquery()
    return certificate.c.run.in_(
        select(run.c.run).where(run.c.interval == interval, run.c.run < number)
    )


def _move(
    connection: Connection, of: ColumnElement[bool], states: Collection[str], state: str
) -> int:
    """Put certificates from one of ``states`` into another; return how many."""
    moved = connection.execute(
        update(certificate).where(of, certificate.c.state.in_(states)).values(state=state)
    )
    return int(moved.rowcount)


def _tell(service: Service, connection: Connection, number: int, what: str, **told: int) -> None:
    """Say what became of certificates by a run."""
    interval = connection.execute(select(run.c.interval).where(run.c.run == number)).scalar_one()
    emit(
        connection,
        f"certificates_{what}",
        trace_id=f"{service.rules.community_id}/{interval}/{number}",
        at_s=service.clock.now_s(),
        **told,
    )
