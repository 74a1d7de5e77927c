"""
The one domain clock, as a port.

Block times, deadlines, intervals, holds and meter times follow it. In service it is the wall clock;
in a replay it is set from outside, so results never depend on the machine's speed.
"""

import time
from typing import Final, Protocol

from ledger.errors import InvalidRequest, Unavailable
from ledger.units import UnixSeconds

STEP_BACK_MAX_S: Final = 6
"""How far a wall clock may stand before what was written last, in seconds."""


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


class ClockBehindError(Unavailable):
    """The wall clock stands well before what was written last; nothing is written meanwhile."""

    def __init__(self, now_s: int, newest_s: int) -> None:
        super().__init__(
            "clock_behind", f"the clock says {now_s}, {newest_s} was written", transient=True
        )


class SteadyClock:
    """
    A wall clock that never goes back, and refuses to go on if it would have to by much.

    A small step back, as of a leap second or of a time server's correction, makes it stand still.
    Block times may lead the clock by a few seconds, so what was written last may be a bit ahead.
    """

    def __init__(self, clock: Clock, newest_s: UnixSeconds) -> None:
        self._clock: Final = clock
        self._newest_s = UnixSeconds(newest_s - STEP_BACK_MAX_S)
        self._said_s = UnixSeconds(0)

    def now_s(self) -> UnixSeconds:
        """
        Return the present wall instant, never less than before, in Unix seconds.

        Raises
        ------
        ClockBehindError
            If it stands more than ``STEP_BACK_MAX_S`` before what was said or written last.
        """
        now_s = self._clock.now_s()
        if now_s < self._newest_s:
            raise ClockBehindError(now_s, self._newest_s + STEP_BACK_MAX_S)
        self._said_s = max(self._said_s, now_s)
        self._newest_s = max(self._newest_s, UnixSeconds(self._said_s - STEP_BACK_MAX_S))
        return self._said_s


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
