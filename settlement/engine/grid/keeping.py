"""
Keep what a run says of members, zones and sales, for the grid operator and for certificates.

The rows of a run tell the whole of its interval, those of a correction too: who asks for an
interval takes the newest run.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ledger.units import WattHours
from settlement.engine.grid.issuing import freeze_amended
from settlement.engine.service import Service
from settlement.tables import lot, run, run_member, run_zone
from settlement.trading.lines import Sale, sales_of
from settlement.trading.origin.lots import Lot, covered
from settlement.trading.outcome import Crossing
from settlement.trading.settle import IntervalInputs, Settlement
from settlement.trading.tree import salt_of, trade_leaf
from settlement.trading.zones import Zone


def keep_outcome(
    service: Service, connection: Connection, inputs: IntervalInputs, outcome: Settlement
) -> None:
    """
    Write a run's members, zones and lots; the run itself must be there.

    Inputs and outcome are those of the whole interval. If it was settled before, the certificates
    of then are frozen.
    """
    for table, rows in (
        (run_member, _member_rows(inputs, outcome)),
        (run_zone, _zone_rows(inputs, outcome)),
        (lot, [_lot_row(inputs.run, one) for one in lots_of(inputs, outcome)]),
    ):
        if rows:
            connection.execute(table.insert(), rows)
    freeze_amended(service, connection, inputs.run)


def lots_of(inputs: IntervalInputs, outcome: Settlement) -> tuple[Lot, ...]:
    """Return the lots of a settlement, by seller, then buyer."""
    sales = sales_of(outcome.trades)
    surplus, deficit = Counter[str](), Counter[str]()
    for one in inputs.members:
        net = one.export_wh - one.import_wh
        (surplus if net > 0 else deficit)[one.account] += abs(net)
    borne_out = covered(
        {(sale.seller, sale.buyer): sale.energy_wh for sale in sales}, surplus, deficit
    )
    return tuple(
        Lot(
            leaf=_leaf(inputs, sale),
            seller=sale.seller,
            buyer=sale.buyer,
            energy_wh=sale.energy_wh,
            covered_wh=borne_out[sale.seller, sale.buyer],
        )
        for sale in sales
    )


def newest_runs(first_interval: int, until_interval: int) -> Select[int, int]:
    """Return the query for (interval, run) of the newest run of each interval in a span."""
    return (
        select(run.c.interval, func.max(run.c.run).label("run"))
        .where(run.c.interval >= first_interval, run.c.interval < until_interval)
        .group_by(run.c.interval)
    )


def lot_of(row: Any) -> Lot:  # noqa: ANN401 - a row of ``lot``
    """Return a stored lot."""
    return Lot(row.leaf, row.seller, row.buyer, WattHours(row.energy_wh), WattHours(row.covered_wh))


def _leaf(inputs: IntervalInputs, sale: Sale) -> str:
    salt = salt_of(inputs.salt_key, inputs.run, sale.seller, sale.buyer)
    leaf = trade_leaf(sale.seller, sale.buyer, sale.energy_wh, sale.price, sale.amount_micros, salt)
    return f"0x{leaf.hex()}"


def _member_rows(inputs: IntervalInputs, outcome: Settlement) -> list[dict[str, Any]]:
    bought, sold = Counter[str](), Counter[str]()
    for trade in outcome.trades:
        bought[trade.buyer] += trade.energy_wh
        sold[trade.seller] += trade.energy_wh
    rows: dict[str, dict[str, Any]] = {}
    for one in inputs.members:
        # The operator of stations may have a home meter too, and is then there twice.
        row = rows.setdefault(
            one.account,
            {
                "run": inputs.run,
                "account": one.account,
                "zone": one.zone,
                "import_wh": 0,
                "export_wh": 0,
                "bought_wh": bought[one.account],
                "sold_wh": sold[one.account],
                "estimated": 0,
            },
        )
        row["import_wh"] += one.import_wh
        row["export_wh"] += one.export_wh
        row["estimated"] |= int(one.estimated)
    return list(rows.values())


def _zone_rows(inputs: IntervalInputs, outcome: Settlement) -> list[dict[str, Any]]:
    """Return a row for each zone that has a price, a cap, or an edge that something crossed."""
    crossings = {one.zone: one for one in outcome.outcome.crossings}
    prices = outcome.outcome.prices
    return [
        _zone_row(inputs.run, zone, crossings.get(zone.name), prices)
        for zone in inputs.tree.zones
        if zone.name in crossings or zone.name in prices or _is_capped(zone)
    ]


def _is_capped(zone: Zone) -> bool:
    return zone.import_cap_wh is not None or zone.export_cap_wh is not None


def _zone_row(
    number: int, zone: Zone, crossing: Crossing | None, prices: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "run": number,
        "zone": zone.name,
        "price_micros_per_kwh": prices.get(zone.name),
        "export_wh": crossing.export_wh if crossing else 0,
        "import_wh": crossing.import_wh if crossing else 0,
        "export_shadow": crossing.export_shadow if crossing else 0,
        "import_shadow": crossing.import_shadow if crossing else 0,
        "import_cap_wh": zone.import_cap_wh,
        "export_cap_wh": zone.export_cap_wh,
    }


def _lot_row(number: int, one: Lot) -> dict[str, Any]:
    return {
        "leaf": one.leaf,
        "run": number,
        "seller": one.seller,
        "buyer": one.buyer,
        "energy_wh": one.energy_wh,
        "covered_wh": one.covered_wh,
    }
