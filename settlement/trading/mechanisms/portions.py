"""Share energy out in whole Wh, in proportion, up to what each still needs."""

from collections.abc import Iterable, Mapping

from ledger.units import WattHours
from settlement.trading.shares import K, shared_out


def up_to_need(
    energy_wh: WattHours, weights: Mapping[K, int], needs_wh: Mapping[K, WattHours]
) -> dict[K, WattHours]:
    """
    Return ``energy_wh`` split in proportion to ``weights``, nobody getting more than it needs.

    What somebody does not need is split again among the others, until all have what they need or
    nothing is left. Exact until the end, then rounded once as ``shared_out`` does.

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
            return shares | shared_out(left, waiting)
        for name in filled:
            shares[name] = needs_wh[name]
            left = WattHours(left - needs_wh[name])
            del waiting[name]
    return shares


def total(energies: Iterable[WattHours]) -> WattHours:
    """Return the sum of energies, in Wh."""
    return WattHours(sum(energies))
