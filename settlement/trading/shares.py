"""Share whole numbers out exactly: pro rata, largest remainder first, then by name."""

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar, cast


class Name(Protocol):
    """Whatever something is shared among: text, a tuple, anything with an order."""

    def __lt__(self, other: Self, /) -> bool:
        """Return whether it comes first."""
        ...


K = TypeVar("K", bound=Name)
Whole = TypeVar("Whole", bound=int)


def shared_out(total: Whole, weights: Mapping[K, int]) -> dict[K, Whole]:
    """
    Return ``total`` shared out in proportion to ``weights``; the shares sum to ``total``.

    Each gets its share rounded down; what that leaves goes, one each, to the largest fractions,
    then to the first names. A total that is not above the weights' sum gives nobody more than its
    weight. The order in which ``weights`` holds names does not matter.

    Parameters
    ----------
    total
        Wh, or whatever is counted in whole units; not negative.
    weights
        Weight of each name, not negative.

    Raises
    ------
    ValueError
        If there is something to share and nobody weighs anything.
    """
    whole = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, total)
    if not whole:
        raise ValueError(f"{total} cannot be shared out among weights of nothing")
    shares: dict[K, int] = {}
    fractions = []
    spare: int = total
    for name, weight in weights.items():
        share, fraction = divmod(total * weight, whole)
        shares[name] = share
        fractions.append((-fraction, name))
        spare -= share
    for _, name in sorted(fractions)[:spare]:
        shares[name] += 1
    return cast("dict[K, Whole]", shares)
