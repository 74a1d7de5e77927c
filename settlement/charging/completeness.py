"""Say whether all that a station told of a transaction is here (OCPP 2.0.1 part 2, §1.3.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from settlement.charging.reports import Phase


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is here of a transaction's messages, and what is not."""

    started: int | None
    """Number of the message that started it, if that is here."""
    ended: int | None
    """Number of the message that ended it, if that is here."""
    gaps: tuple[tuple[int, int], ...]
    """First and last number of each run of messages that are missing in between, in order."""

    @property
    def is_complete(self) -> bool:
        """Return whether beginning and end and everything between are here."""
        return self.started is not None and self.ended is not None and not self.gaps


def completeness(told: Iterable[tuple[int, Phase]]) -> Completeness:
    """
    Return how complete the numbered messages of one transaction are.

    Numbers may come in any order and more than once, and need not begin at 0. What comes before the
    start or after the end does not count.
    """
    phases: dict[int, Phase] = {}
    for number, phase in told:
        phases.setdefault(number, phase)
    started = min((n for n, one in phases.items() if one is Phase.STARTED), default=None)
    ended = max((n for n, one in phases.items() if one is Phase.ENDED), default=None)
    numbers = sorted(
        number
        for number in phases
        if (started is None or number >= started) and (ended is None or number <= ended)
    )
    gaps = tuple(
        (before + 1, after - 1) for before, after in pairwise(numbers) if after - before > 1
    )
    return Completeness(started, ended, gaps)
