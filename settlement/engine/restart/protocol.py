"""
Run the steps of a restart in order; the first that fails names itself and keeps writes closed.

Which steps there are is up to the composition root. Reading goes on whatever they say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic_ns
from typing import Final

import structlog

from ledger.errors import Unavailable, VoisinError

_LOG = structlog.get_logger("voisin.restart")
DONE: Final = "done"
"""Outcome of a step that found everything in order."""


class WritesClosedError(Unavailable):
    """A step of the restart failed; until the service starts again it only reads."""

    def __init__(self, step: str, fault: VoisinError) -> None:
        super().__init__(fault.code, f"restart stopped at {step}: {fault}")
        self.transient = fault.transient
        self.step: Final = step


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a restart."""

    name: str
    """Short name, snake_case."""
    run: Callable[[], str]
    """Does it and says in words what was found; raises what keeps writes closed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken."""

    name: str
    """Its name."""
    duration_ns: int
    """Wall time it took, in ns."""
    outcome: str
    """``done``, or the code of what it met."""
    detail: str
    """What it found, in words."""


@dataclass(frozen=True, slots=True)
class Restart:
    """How a restart went."""

    steps: tuple[Taken, ...] = ()
    """The steps taken, in order; a failed one is the last."""
    closed_by: WritesClosedError | None = None
    """Why writes stay closed, or None if they are open."""


def restart(steps: Sequence[Step], *, clock_ns: Callable[[], int] = monotonic_ns) -> Restart:
    """Take the steps in order up to the first that fails; each is timed and told."""
    taken: list[Taken] = []
    for step in steps:
        began_ns = clock_ns()
        fault: VoisinError | None = None
        try:
            detail = step.run()
        except VoisinError as met:
            fault, detail = met, str(met)
        outcome = DONE if fault is None else fault.code
        one = Taken(step.name, clock_ns() - began_ns, outcome, detail)
        taken.append(one)
        tell = _LOG.info if fault is None else _LOG.error
        tell(
            "restart_step",
            step=one.name,
            duration_ns=one.duration_ns,
            outcome=outcome,
            detail=detail,
        )
        if fault is not None:
            return Restart(tuple(taken), WritesClosedError(step.name, fault))
    return Restart(tuple(taken))
