"""Sum up feeders for the grid operator: what flowed in each zone and over its edge, and prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select

from ledger.errors import InvalidRequest
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.engine.community import Rules
from settlement.engine.grid.keeping import newest_runs
from settlement.tables import run, run_member, run_zone

SPAN_MAX_S: Final = 400 * 86_400
"""Longest span that is asked for at once, in seconds."""


class BadSpanError(InvalidRequest):
    """A span of time is empty or longer than 400 days."""

    def __init__(self, from_s: int, until_s: int) -> None:
        super().__init__("bad_span", f"from {from_s} to {until_s} is not a span of 1 s to 400 days")


@dataclass(frozen=True, slots=True)
class Span:
    """Intervals that begin in a span of time."""

    first_interval: int
    """First interval."""
    until_interval: int
    """First interval after it."""


@dataclass(frozen=True, slots=True)
class ZoneTotal:
    """One zone in one interval."""

    interval: int
    """Interval."""
    begin_s: UnixSeconds
    """Its first instant, in Unix seconds."""
    run: int
    """Run that says so, the newest of the interval."""
    zone: str
    """Zone."""
    imports_wh: WattHours
    """What its members took, in Wh."""
    exports_wh: WattHours
    """What its members gave, in Wh."""
    bought_wh: WattHours
    """What they bought of neighbors, in Wh."""
    sold_wh: WattHours
    """What they sold to neighbors, in Wh."""
    residual_import_wh: WattHours
    """What the residual supplier brought them, in Wh."""
    residual_export_wh: WattHours
    """What it took from them, in Wh."""
    edge_import_wh: WattHours
    """Traded into the zone over the edge to its parent, in Wh."""
    edge_export_wh: WattHours
    """Traded out of it over that edge, in Wh."""
    losses_wh: WattHours | None
    """Losses in it, in Wh; None if its head was silent or it has none."""
    import_cap_wh: WattHours | None
    """Cap in force, in Wh; None is none."""
    export_cap_wh: WattHours | None
    """Cap in force, in Wh; None is none."""
    import_shadow: MicrosPerKilowattHour
    """What one more kWh of import cap would be worth."""
    export_shadow: MicrosPerKilowattHour
    """What one more kWh of export cap would be worth."""
    price: MicrosPerKilowattHour | None
    """Energy price of the zone; None if nobody traded at it."""
    estimated: int
    """How many of its members' energies are estimated."""


def span_of(rules: Rules, from_s: UnixSeconds, until_s: UnixSeconds) -> Span:
    """
    Return the intervals that begin in ``[from_s, until_s)``.

    Raises
    ------
    BadSpanError
        If it is empty or too long.
    """
    if not 0 < until_s - from_s <= SPAN_MAX_S:
        raise BadSpanError(from_s, until_s)
    return Span(-(-from_s // rules.interval_s), -(-until_s // rules.interval_s))


def zone_totals(connection: Connection, rules: Rules, root: str, span: Span) -> Iterator[ZoneTotal]:
    """
    Yield what every zone did in every settled interval, by interval, then zone.

    Parameters
    ----------
    root
        Zone at whose head losses are measured.
    """
    newest = newest_runs(span.first_interval, span.until_interval).subquery()
    members, edges, losses = _members(newest), _edges(newest), _losses(span)
    zones = (
        select(members.c.run, members.c.zone).union(select(edges.c.run, edges.c.zone)).subquery()
    )
    rows = connection.execute(
        select(newest.c.interval, losses.c.losses_wh, zones, members, edges)
        .select_from(zones)
        .join(newest, newest.c.run == zones.c.run)
        .join(losses, losses.c.interval == newest.c.interval)
        .join(
            members,
            (members.c.run == zones.c.run) & (members.c.zone == zones.c.zone),
            isouter=True,
        )
        .join(edges, (edges.c.run == zones.c.run) & (edges.c.zone == zones.c.zone), isouter=True)
        .order_by(newest.c.interval, zones.c.zone)
    ).mappings()
    for row in rows:
        yield _total(rules, root, row, zones)


def _members(newest: Subquery) -> Subquery:
    """Return sums over the members of each run and zone."""
    one = run_member.c
    net = one.export_wh - one.import_wh
    return (
        select(
            one.run,
            one.zone,
            _sum(one.import_wh).label("imports_wh"),
            _sum(one.export_wh).label("exports_wh"),
            _sum(one.bought_wh).label("bought_wh"),
            _sum(one.sold_wh).label("sold_wh"),
            _sum(_positive(-net - one.bought_wh)).label("residual_import_wh"),
            _sum(_positive(net - one.sold_wh)).label("residual_export_wh"),
            _sum(one.estimated).label("estimated"),
        )
        .join(newest, newest.c.run == one.run)
        .group_by(one.run, one.zone)
        .subquery()
    )


def _losses(span: Span) -> Subquery:
    """Return the losses of each interval: a correction's run holds what it adds to them."""
    return (
        select(run.c.interval, func.sum(run.c.losses_wh).label("losses_wh"))
        .where(run.c.interval >= span.first_interval, run.c.interval < span.until_interval)
        .group_by(run.c.interval)
        .subquery()
    )


def _edges(newest: Subquery) -> Subquery:
    return select(run_zone).join(newest, newest.c.run == run_zone.c.run).subquery()


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _positive(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column > 0, column), else_=0)


def _total(rules: Rules, root: str, row: Any, zones: Subquery) -> ZoneTotal:  # noqa: ANN401
    """Return a row as a total; what a zone without members or edge has none of is 0."""
    zone, interval = row[zones.c.zone], row["interval"]

    def energy(name: str) -> WattHours:
        return WattHours(int(row[name] or 0))

    return ZoneTotal(
        interval=interval,
        begin_s=rules.start_s(interval),
        run=row[zones.c.run],
        zone=zone,
        imports_wh=energy("imports_wh"),
        exports_wh=energy("exports_wh"),
        bought_wh=energy("bought_wh"),
        sold_wh=energy("sold_wh"),
        residual_import_wh=energy("residual_import_wh"),
        residual_export_wh=energy("residual_export_wh"),
        edge_import_wh=energy("import_wh"),
        edge_export_wh=energy("export_wh"),
        losses_wh=_optional(row["losses_wh"]) if zone == root else None,
        import_cap_wh=row["import_cap_wh"],
        export_cap_wh=row["export_cap_wh"],
        import_shadow=MicrosPerKilowattHour(row["import_shadow"] or 0),
        export_shadow=MicrosPerKilowattHour(row["export_shadow"] or 0),
        price=row["price_micros_per_kwh"],
        estimated=int(row["estimated"] or 0),
    )


def _optional(stored: Any) -> WattHours | None:  # noqa: ANN401 - a database may sum to a decimal
    return None if stored is None else WattHours(int(stored))
