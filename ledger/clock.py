"""
The one domain clock, as a port.

Block times, deadlines, intervals, holds and meter times follow it. In service it is the wall clock;
in a replay it is set from outside, so results never depend on the machine's speed.
"""

import time
from typing import Protocol

from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds


class ClockWentBackError(InvalidRequest):
    """A replay tried to move its clock backwards."""

    def __init__(self, now_s: int, wanted_s: int) -> None:
        super().__init__("clock_went_back", f"the clock is at {now_s}, not to be set to {wanted_s}")


class Clock(Protocol):
    """Whatever can say the domain time."""

    def now_s(self) -> UnixSeconds:
        """Return the present domain instant, in Unix seconds."""
        ...


class SystemClock:
    """The wall clock, for a system in service."""

    def now_s(self) -> UnixSeconds:
        """Return the present wall instant, in Unix seconds."""
        return UnixSeconds(int(time.time()))


class ReplayClock:
    """A clock that stands still until it is set, and never goes back."""

    def __init__(self, now_s: UnixSeconds) -> None:
        self._now_s = now_s

    def now_s(self) -> UnixSeconds:
        """Return the instant it was last set to, in Unix seconds."""
        return self._now_s

    def set(self, now_s: UnixSeconds) -> None:
        """
        Move to ``now_s``.

        Raises
        ------
        ClockWentBackError
            If ``now_s`` lies before the present instant.
        """
        if now_s < self._now_s:
            raise ClockWentBackError(self._now_s, now_s)
        self._now_s = now_s
