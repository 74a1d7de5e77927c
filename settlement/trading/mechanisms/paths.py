"""Follow a trade's path: what crossed each edge, and how outcomes add up."""

from collections.abc import Iterable
from dataclasses import replace

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.outcome import Crossing, Trade
from settlement.trading.zones import ZoneTree

_NO_SHADOW = MicrosPerKilowattHour(0)


def edges_between(tree: ZoneTree, one: str, other: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the edges from a zone up, then down to another, each by the zone below it."""
    up, down = [], []
    here, there = tree.index[one], tree.index[other]
    while here != there:
        if tree.depths[here] >= tree.depths[there]:
            up.append(tree.zones[here].name)
            here = tree.parents[here]
        else:
            down.append(tree.zones[there].name)
            there = tree.parents[there]
    return tuple(up), tuple(reversed(down))


def crossings_of(
    trades: Iterable[Trade], tree: ZoneTree, shadows: Iterable[Crossing] = ()
) -> tuple[Crossing, ...]:
    """Return what crossed each edge, both ways set off, with the shadow prices of ``shadows``."""
    paths: dict[tuple[str, str], int] = {}
    for trade in trades:
        path = (trade.seller_zone, trade.buyer_zone)
        paths[path] = paths.get(path, 0) + trade.energy_wh
    net: dict[str, int] = {}
    for (seller_zone, buyer_zone), energy in paths.items():
        up, down = edges_between(tree, seller_zone, buyer_zone)
        for zone in up:
            net[zone] = net.get(zone, 0) + energy
        for zone in down:
            net[zone] = net.get(zone, 0) - energy
    known = {one.zone: one for one in shadows}
    return tuple(
        _crossing(zone.name, net[zone.name], known.get(zone.name))
        for zone in tree.zones
        if net.get(zone.name)
    )


def _crossing(zone: str, out_wh: int, known: Crossing | None) -> Crossing:
    return Crossing(
        zone=zone,
        export_wh=WattHours(max(0, out_wh)),
        import_wh=WattHours(max(0, -out_wh)),
        export_shadow=known.export_shadow if known else _NO_SHADOW,
        import_shadow=known.import_shadow if known else _NO_SHADOW,
    )


def merged(trades: Iterable[Trade]) -> tuple[Trade, ...]:
    """Return trades by seller, then buyer, one for each pair, path and price."""
    energy: dict[Trade, int] = {}
    for trade in trades:
        bare = replace(trade, energy_wh=WattHours(0))
        energy[bare] = energy.get(bare, 0) + trade.energy_wh
    return tuple(
        replace(trade, energy_wh=WattHours(energy_wh))
        for trade, energy_wh in sorted(energy.items(), key=lambda item: _place(item[0]))
        if energy_wh
    )


def _place(trade: Trade) -> tuple[str, str, str, str, int, int]:
    pair = (trade.seller, trade.buyer, trade.seller_zone, trade.buyer_zone)
    return (*pair, trade.price, trade.congestion)
