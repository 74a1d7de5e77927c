"""Trace the sun in cars to the roofs: whose energy went into which session of an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.units import WattHours
from settlement.trading.origin.lots import Lot
from settlement.trading.shares import shared_out


@dataclass(frozen=True, slots=True)
class Drawn:
    """Energy of one lot that one session took."""

    lot: Lot
    """Lot of the operator's purchases."""
    energy_wh: WattHours
    """Part of it, in Wh, above zero."""


def drawn_by_sessions(
    lots: Sequence[Lot], sessions: Mapping[str, WattHours]
) -> dict[str, tuple[Drawn, ...]]:
    """
    Return which energy of the operator's purchases each session of an interval took.

    What was bought is shared out pro rata to the sessions' energy, largest remainder first, and
    then each lot pro rata to what the sessions still lack. Every lot is shared out whole, no
    session gets more than it drew, and nothing depends on any order.

    Parameters
    ----------
    lots
        What the operator bought of neighbors in the interval.
    sessions
        Energy of every session in the interval, by id, in Wh.
    """
    bought = sum(lot.covered_wh for lot in lots)
    taken_wh: int = min(bought, sum(sessions.values()))
    lacking = shared_out(taken_wh, sessions)
    drawn: dict[str, list[Drawn]] = {session: [] for session in sorted(sessions)}
    for lot in sorted(lots, key=lambda one: (one.seller, one.leaf)):
        part = min(lot.covered_wh, sum(lacking.values()))
        for session, energy in sorted(shared_out(part, lacking).items()):
            if energy:
                drawn[session].append(Drawn(lot, WattHours(energy)))
                lacking[session] -= energy
    return {session: tuple(parts) for session, parts in drawn.items()}
