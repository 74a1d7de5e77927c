"""Share whole watt-hours out exactly: pro rata, largest remainder first, then by name."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def shared_out(total: int, weights: Mapping[Name, int]) -> dict[Name, int]:
    """
    Return ``total`` shared out in proportion to ``weights``; the shares sum to ``total``.

    A total that is not above the weights' sum gives nobody more than its weight. Of equal
    remainders the one that comes first in the order of names gets one more; the order in which
    ``weights`` holds them does not matter.

    Raises
    ------
    ValueError
        If there is something to share and nobody weighs anything.
    """
    whole = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, 0)
    if not whole:
        raise ValueError(f"{total} cannot be shared out among weights of nothing")
    parts = {name: divmod(total * weight, whole) for name, weight in weights.items()}
    spare = total - sum(floor for floor, _ in parts.values())
    by_remainder = sorted(parts, key=lambda name: (-parts[name][1], str(name)))
    luckier = frozenset(by_remainder[:spare])
    return {name: floor + (name in luckier) for name, (floor, _) in parts.items()}
