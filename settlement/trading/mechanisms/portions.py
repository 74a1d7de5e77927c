"""Share energy out in whole Wh: in proportion, and in proportion up to what each still needs."""

from collections.abc import Iterable, Mapping
from typing import Protocol, Self, TypeVar

from ledger.units import WattHours


class Name(Protocol):
    """Whatever energy is shared among: text, a tuple, anything with an order."""

    def __lt__(self, other: Self, /) -> bool:
        """Return whether it comes first."""
        ...


K = TypeVar("K", bound=Name)


def in_proportion(energy_wh: WattHours, weights: Mapping[K, int]) -> dict[K, WattHours]:
    """
    Return ``energy_wh`` split in proportion to ``weights``, nothing of it left.

    Each gets its share rounded down; what that leaves goes, a Wh each, to the largest fractions,
    then to the first names.

    Parameters
    ----------
    energy_wh
        Energy, in Wh, not negative.
    weights
        Weight of each name, above zero; at least one.
    """
    whole = sum(weights.values())
    shares = {}
    fractions = []
    spare = energy_wh
    for name, weight in weights.items():
        share, fraction = divmod(energy_wh * weight, whole)
        shares[name] = WattHours(share)
        fractions.append((-fraction, name))
        spare = WattHours(spare - share)
    for _, name in sorted(fractions)[:spare]:
        shares[name] = WattHours(shares[name] + 1)
    return shares


def up_to_need(
    energy_wh: WattHours, weights: Mapping[K, int], needs_wh: Mapping[K, WattHours]
) -> dict[K, WattHours]:
    """
    Return ``energy_wh`` split in proportion to ``weights``, nobody getting more than it needs.

    What somebody does not need is split again among the others, until all have what they need or
    nothing is left. Exact until the end, then rounded once as ``in_proportion`` does.

    Parameters
    ----------
    energy_wh
        Energy, in Wh, not negative.
    weights
        Weight of each name; who has none gets nothing.
    needs_wh
        The most that each name gets, in Wh.
    """
    waiting = {name: weight for name, weight in weights.items() if weight > 0}
    shares: dict[K, WattHours] = {}
    left = energy_wh
    while waiting:
        whole = sum(waiting.values())
        filled = [n for n, weight in waiting.items() if needs_wh[n] * whole <= left * weight]
        if not filled:
            return shares | in_proportion(left, waiting)
        for name in filled:
            shares[name] = needs_wh[name]
            left = WattHours(left - needs_wh[name])
            del waiting[name]
    return shares


def total(energies: Iterable[WattHours]) -> WattHours:
    """Return the sum of energies, in Wh."""
    return WattHours(sum(energies))
