"""How a party joins and leaves: steps with effect from an interval, and the state they lead to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.errors import WrongState


class StepRefusedError(WrongState):
    """A step of joining or leaving does not follow from the state that a party is in."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__("participation_step", f"{step} cannot be taken: {detail}")


class Step(StrEnum):
    """What is done."""

    REQUEST = "request"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    LEAVE = "leave"


class State(StrEnum):
    """Where a party stands."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    ACTIVE = "active"
    REFUSED = "refused"
    LEAVING = "leaving"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken."""

    step: Step
    """What was done."""
    first_interval: int
    """First interval in which it counts."""


_NEXT: Final[dict[Step | None, frozenset[Step]]] = {
    None: frozenset({Step.REQUEST, Step.LEAVE}),
    Step.REQUEST: frozenset({Step.CONFIRM, Step.REFUSE}),
    Step.CONFIRM: frozenset({Step.LEAVE}),
    Step.REFUSE: frozenset({Step.REQUEST}),
    Step.LEAVE: frozenset({Step.REQUEST}),
}
_STANDS: Final[dict[Step | None, State]] = {
    None: State.ACTIVE,
    Step.REQUEST: State.REQUESTED,
    Step.CONFIRM: State.ACTIVE,
    Step.REFUSE: State.REFUSED,
    Step.LEAVE: State.LEFT,
}
_COMING: Final[dict[Step, State]] = {Step.CONFIRM: State.CONFIRMED, Step.LEAVE: State.LEAVING}


def check_step(taken: Sequence[Taken], step: Taken) -> None:
    """
    Check that a step follows from those taken before, in the order in which they were taken.

    Raises
    ------
    StepRefusedError
        If it does not follow, or counts from an earlier interval than the step before it.
    """
    last = taken[-1] if taken else None
    before = last.step if last else None
    if step.step not in _NEXT[before]:
        raise StepRefusedError(step.step, f"the last step was {before or 'none'}")
    if last and step.first_interval < last.first_interval:
        raise StepRefusedError(
            step.step, f"the step before it counts from interval {last.first_interval} on"
        )


def state_at(taken: Sequence[Taken], interval: int) -> State:
    """Return where a party stands in an interval; without any step it is active."""
    counting = [one for one in taken if one.first_interval <= interval]
    coming = taken[len(counting) :]
    stands = _STANDS[counting[-1].step if counting else None]
    return _COMING.get(coming[0].step, stands) if coming else stands


def takes_part(taken: Sequence[Taken], interval: int) -> bool:
    """Say whether a party trades in an interval."""
    return state_at(taken, interval) in {State.ACTIVE, State.LEAVING}
