"""Add up what one account paid, received, took and gave, by kind and rail: a statement's totals."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from settlement.trading.runs.differences import Posted


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a statement."""

    interval: int
    """Interval that it belongs to."""
    run: int
    """Run that posted it."""
    position: int
    """Place in the run."""
    posted: Posted
    """The line, and who took the energy."""


@dataclass(frozen=True, slots=True)
class Total:
    """What the lines of one kind on one rail come to for one account."""

    kind: str
    """What the lines are for."""
    rail: str
    """Where the money moves."""
    paid_micros: int
    """Paid, in micros."""
    received_micros: int
    """Received, in micros."""
    taken_wh: int
    """Energy taken, in Wh; below zero if a correction gave more back."""
    given_wh: int
    """Energy given, in Wh; below zero if a correction took more back."""


def totals_of(account: str, entries: Iterable[Entry]) -> tuple[Total, ...]:
    """Return the totals of ``account``, by kind and rail."""
    sums: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        line = entry.posted.line
        found = sums.setdefault((line.kind.value, line.rail.value), [0, 0, 0, 0])
        found[0 if line.payer == account else 1] += line.amount_micros
        found[2 if entry.posted.taker == account else 3] += line.energy_wh
    return tuple(Total(*key, *sums[key]) for key in sorted(sums))


def digest_of(entries: Iterable[Entry]) -> bytes:
    """Return SHA-256 over the lines of a statement, one to a row, in order."""
    digest = hashlib.sha256()
    for entry in entries:
        line = entry.posted.line
        row = (
            entry.interval,
            entry.run,
            entry.position,
            line.payer,
            line.payee,
            line.kind.value,
            line.rail.value,
            line.energy_wh,
            line.price,
            line.amount_micros,
            entry.posted.taker,
        )
        digest.update(("\t".join(map(str, row)) + "\n").encode())
    return digest.digest()
