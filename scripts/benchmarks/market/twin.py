"""
Settle a folder a second time, in plain Python that shares nothing with the service.

One zone, an auction by sorting, members' limits for the whole day, no deposits: enough for the
folders beside. What it finds is what the service must find; how long it takes is what bare
arithmetic costs, without digests, leaves, proofs and rows.
"""

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pyarrow import parquet

_MILLION: Final = 1_000_000

Slot = dict[str, int]
"""Surplus above zero, deficit below, in Wh, by member."""


@dataclass(slots=True)
class Found:
    """What one interval came to."""

    sold: dict[str, int] = field(default_factory=dict)
    """Sold to neighbors, in Wh, by member."""
    bought: dict[str, int] = field(default_factory=dict)
    """Bought from neighbors, in Wh, by member."""
    price: int | None = None
    """Price, in micros per kWh."""
    toll: int = 0
    """Tolls, in micros."""
    levy: int = 0
    """Levies, in micros."""
    residual: int = 0
    """What went over the supplier's counter, in micros."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A folder as the twin reads it."""

    slots: Mapping[int, Slot]
    """Members' net energy, by the interval's first instant."""
    limits: Mapping[str, tuple[int, int]]
    """Least to sell at and most to buy at, by member."""
    toll: int
    """Local toll, in micros per kWh."""
    levy: int
    """Levy, in micros per kWh."""
    buys: int
    """What the supplier pays."""
    sells: Mapping[int, int] | int
    """What it asks, by instant or always."""


def read_twin(folder: Path) -> Twin:
    """Return a folder of interval readings."""
    rules = tomllib.loads((folder / "community.toml").read_text(encoding="utf-8"))
    owners = {one["meter"]: one["member"] for one in _rows(folder, "meters")}
    slots: dict[int, Slot] = defaultdict(lambda: dict.fromkeys(owners.values(), 0))
    for one in _rows(folder, "readings"):
        start_s = _seconds(one["start"])
        if "wh" in one:
            net = int(one["wh"]) * (1 if one["meter"].startswith("pv") else -1)
        else:
            net = int(one["pv_wh"]) - int(one["load_wh"])
        slots[start_s][owners[one["meter"]]] += net
    residual = rules["residual"]
    sells: Mapping[int, int] | int
    if "sells" in residual:
        sells = _micros(residual["sells"])
    else:
        prices = _rows(folder, residual["sells_file"].partition(".")[0])
        sells = {_seconds(one["start"]): _micros(one["price_per_kwh"]) for one in prices}
    return Twin(
        slots=slots,
        limits={
            one["name"]: (_micros(one["sell_not_below"]), _micros(one["buy_not_above"]))
            for one in rules["members"]
        },
        toll=_micros(rules["zones"][0]["local_toll"]),
        levy=_micros(rules["fees"]["levy"]),
        buys=_micros(residual["buys"]),
        sells=sells,
    )


def settle_twin(twin: Twin) -> Iterator[tuple[int, Found]]:
    """Yield what each interval comes to, in the order of time."""
    for start_s in sorted(twin.slots):
        sells = twin.sells if isinstance(twin.sells, int) else twin.sells[start_s]
        yield start_s, _settle(twin, twin.slots[start_s], sells)


def _settle(twin: Twin, slot: Slot, sells: int) -> Found:
    beside = twin.toll + twin.levy
    offers = sorted((twin.limits[who][0], who, wh) for who, wh in slot.items() if wh > 0)
    bids = sorted((beside - twin.limits[who][1], who, -wh) for who, wh in slot.items() if wh < 0)
    volume = _volume(offers, bids)
    found = Found()
    if volume:
        found.sold, found.bought = _served(offers, volume), _served(bids, volume)
        lows = _edges(offers, volume)
        highs = [-limit for limit in _edges(bids, volume)]
        lowest = max([lows[0], *highs[1:]])
        highest = min([highs[0], *lows[1:]])
        found.price = (lowest + highest) // 2
    for energy in found.bought.values():
        found.toll += energy * twin.toll // 1_000
        found.levy += energy * twin.levy // 1_000
    for who, wh in slot.items():
        left = abs(wh) - found.sold.get(who, 0) - found.bought.get(who, 0)
        found.residual += left * (twin.buys if wh > 0 else sells) // 1_000
    return found


Side = Sequence[tuple[int, str, int]]


def _volume(offers: Side, bids: Side) -> int:
    """Return the Wh at which the two curves cross: try every step of both."""
    best = 0
    for limit in {one[0] for one in offers} | {-one[0] for one in bids}:
        supply = sum(wh for price, _, wh in offers if price <= limit)
        demand = sum(wh for price, _, wh in bids if -price >= limit)
        best = max(best, min(supply, demand))
    return best


def _served(side: Side, volume: int) -> dict[str, int]:
    """Return what each gets: better limits first, the last limit in proportion."""
    shares: dict[str, int] = {}
    left = volume
    for limit in sorted({one[0] for one in side}):
        own = [(who, wh) for price, who, wh in side if price == limit]
        total = sum(wh for _, wh in own)
        given = min(left, total)
        parts = {who: divmod(wh * given, total) for who, wh in own}
        short = given - sum(whole for whole, _ in parts.values())
        largest = sorted(parts, key=lambda who: (-parts[who][1], who))
        for place, who in enumerate(largest):
            shares[who] = parts[who][0] + (place < short)
        left -= given
    return {who: wh for who, wh in shares.items() if wh}


def _edges(side: Side, volume: int) -> list[int]:
    """Return the last limit that is served, and the first that is not wholly, if there is one."""
    reached = 0
    for place, (limit, _, wh) in enumerate(side):
        reached += wh
        if reached > volume:
            return [limit, limit]
        if reached == volume:
            return [limit, *[one[0] for one in side[place + 1 : place + 2]]]
    return [side[-1][0]]


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    path = folder / f"{name}.parquet"
    if path.exists():
        yield from parquet.read_table(path).to_pylist()
    else:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)


def _seconds(start: datetime | str) -> int:
    at = datetime.fromisoformat(start) if isinstance(start, str) else start
    return int(at.timestamp())


def _micros(amount: Decimal | str) -> int:
    return int(Decimal(amount) * _MILLION)
