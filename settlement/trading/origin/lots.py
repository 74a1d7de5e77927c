"""
What was sold, as lots that a certificate can be issued for, once and never beyond what was made.

A lot is all that one member sold to another in a run; its leaf stands under the run's root
(decision 0003). Where a member sold more than it measured, or bought more than it took, which
only a firm order can do, the lot is covered in part: the rest was the residual supplier's energy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.units import WattHours
from settlement.trading.shares import shared_out

Pair = tuple[str, str]
"""Seller and buyer."""


@dataclass(frozen=True, slots=True)
class Lot:
    """All that one member sold to another in a run."""

    leaf: str
    """Hash of the sale's leaf, 0x-prefixed: the id of lot and certificate."""
    seller: str
    """Wallet of who sold, lower case."""
    buyer: str
    """Wallet of who bought, lower case."""
    energy_wh: WattHours
    """Sold, in Wh."""
    covered_wh: WattHours
    """Of it made by the seller and taken by the buyer, as measured, in Wh."""


def covered(
    sold: Mapping[Pair, WattHours],
    surplus_wh: Mapping[str, int],
    deficit_wh: Mapping[str, int],
) -> dict[Pair, WattHours]:
    """
    Return what of each sale was made by its seller and taken by its buyer.

    No seller's sales are covered beyond its surplus, no buyer's beyond its deficit; what is lacking
    is taken from all its sales pro rata, from the seller's side first.
    """
    made = _within(sold, 0, surplus_wh)
    return _within(made, 1, deficit_wh)


def _within(
    energies: Mapping[Pair, WattHours], side: int, bounds_wh: Mapping[str, int]
) -> dict[Pair, WattHours]:
    """Return the energies cut down so that each one's sum on ``side`` keeps to its bound."""
    found: dict[Pair, WattHours] = {}
    for name in sorted({pair[side] for pair in energies}):
        own = {pair: energy for pair, energy in energies.items() if pair[side] == name}
        kept = min(sum(own.values()), bounds_wh.get(name, 0))
        found |= {pair: WattHours(part) for pair, part in shared_out(kept, own).items()}
    return found


def certified_wh(lots: Iterable[Lot]) -> WattHours:
    """Return what lots are covered for in all, in Wh."""
    return WattHours(sum(lot.covered_wh for lot in lots))
