"""Offer surplus by a key, take what is needed, offer the rest again, in whole Wh."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ledger.units import WHOLE_BP, BasisPoints, MicrosPerKilowattHour, WattHours
from settlement.trading.mechanisms.groups import Group, Source, Unit
from settlement.trading.mechanisms.keys import Key, Row, Stage
from settlement.trading.mechanisms.portions import total, up_to_need
from settlement.trading.shares import shared_out

Flows: TypeAlias = Mapping[tuple[Source, Unit], WattHours]
"""What each unit takes from each source, in Wh."""

_NOTHING: Final = WattHours(0)
_NOBODY: Final = ""
"""Name of the part of a surplus that a row gives to nobody; before any member's name."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Who takes how much from where."""

    own: Flows
    """By rows of a producer's own: from each producer."""
    left_wh: Mapping[Source, WattHours]
    """What those rows left of each producer's surplus, in Wh."""
    pooled: Flows
    """From all producers of a zone."""


def shared(group: Group, key: Key) -> Shares:
    """
    Return who takes how much from where, until no unit lacks what some source still has for it.

    In each round every source offers what it has left in the parts of the key, to each member no
    more than it still needs of it. A unit that is offered more than it needs takes where the tolls
    are lowest, of equal ones in proportion to what each offers. What is left is offered in the next
    round. Each round empties a source or fills a unit, so the rounds end.

    Where the parts depend on the producer each is a source; after that each zone is.
    """
    stages = key.stages()
    by_producer = _Rounds(group.surplus_wh, group.needs_wh, group.tolls)
    by_producer.play_all(stage for stage in stages if stage.own is not None)
    pools: dict[Source, WattHours] = defaultdict(lambda: _NOTHING)
    for source, left_wh in by_producer.left_wh.items():
        pool = Source(source.zone)
        pools[pool] = WattHours(pools[pool] + left_wh)
    by_zone = _Rounds(pools, by_producer.needs_wh, group.tolls)
    by_zone.play_all(stage for stage in stages if stage.own is None)
    return Shares(by_producer.flows, by_producer.left_wh, by_zone.flows)


class _Rounds:
    """What sources have left and units still need."""

    def __init__(
        self,
        left_wh: Mapping[Source, WattHours],
        needs_wh: Mapping[Unit, WattHours],
        tolls: Mapping[tuple[str, str], MicrosPerKilowattHour],
    ) -> None:
        self.left_wh = dict(left_wh)
        self.needs_wh = dict(needs_wh)
        self.tolls = tolls
        self.flows: dict[tuple[Source, Unit], WattHours] = defaultdict(lambda: _NOTHING)

    def play_all(self, stages: Iterable[Stage]) -> None:
        """Play one stage after the other, each as often as something moves, or once."""
        for stage in stages:
            while self.play(stage) and not stage.once:
                pass

    def play(self, stage: Stage) -> bool:
        """Play one round; return whether anything moved."""
        offered: dict[Unit, dict[Source, WattHours]] = defaultdict(dict)
        waiting = self._waiting()
        for source, left_wh in self.left_wh.items():
            if left_wh:
                for unit, energy in self._offer(source, waiting, stage).items():
                    if energy:
                        offered[unit][source] = energy
        for unit, offers in offered.items():
            self._take(unit, offers)
        return bool(offered)

    def _waiting(self) -> dict[str, dict[str, list[Unit]]]:
        """Return the units that lack energy, by zone that they accept, then by member."""
        waiting: dict[str, dict[str, list[Unit]]] = defaultdict(lambda: defaultdict(list))
        for unit, need_wh in self.needs_wh.items():
            if need_wh:
                for zone in unit.reach:
                    waiting[zone][unit.member].append(unit)
        return waiting

    def _offer(
        self, source: Source, waiting: Mapping[str, Mapping[str, list[Unit]]], stage: Stage
    ) -> dict[Unit, WattHours]:
        """Return what a source offers to each unit."""
        units = waiting.get(source.zone, {})
        needs = {m: total(self.needs_wh[one] for one in mine) for m, mine in units.items()}
        row, left_wh = stage.row(source.producer), self.left_wh[source]
        if row is None:
            shares = up_to_need(left_wh, needs, needs)
        elif stage.once:
            shares = _parts(left_wh, row, needs)
        else:
            weights = {member: row.get(member, 0) for member in needs}
            shares = up_to_need(left_wh, weights, needs)
        return {
            unit: energy
            for member, share in shares.items()
            for unit, energy in self._within(share, units[member]).items()
        }

    def _within(self, share_wh: WattHours, units: list[Unit]) -> Mapping[Unit, WattHours]:
        """Split a member's share over its units in proportion to what they need."""
        if len(units) == 1:
            return {units[0]: share_wh}
        return shared_out(share_wh, {unit: self.needs_wh[unit] for unit in units})

    def _take(self, unit: Unit, offers: Mapping[Source, WattHours]) -> None:
        """Take what is offered, the lowest tolls first, no more than is needed."""
        by_toll: dict[int, dict[Source, WattHours]] = defaultdict(dict)
        for source, energy in offers.items():
            by_toll[self.tolls[source.zone, unit.zone]][source] = energy
        for _, equal in sorted(by_toll.items()):
            wanted_wh = WattHours(min(self.needs_wh[unit], total(equal.values())))
            for source, energy in shared_out(wanted_wh, equal).items():
                self.flows[source, unit] = WattHours(self.flows[source, unit] + energy)
                self.left_wh[source] = WattHours(self.left_wh[source] - energy)
            self.needs_wh[unit] = WattHours(self.needs_wh[unit] - wanted_wh)


def _parts(
    energy_wh: WattHours, row: Row, needs_wh: Mapping[str, WattHours]
) -> dict[str, WattHours]:
    """Return each member's part of the whole, no more than it needs."""
    parts = {member: part_bp for member, part_bp in row.items() if part_bp}
    parts[_NOBODY] = BasisPoints(WHOLE_BP - sum(parts.values()))
    offered = shared_out(energy_wh, {member: part for member, part in parts.items() if part})
    return {
        member: WattHours(min(offered[member], needs_wh[member]))
        for member in needs_wh
        if member in offered
    }
