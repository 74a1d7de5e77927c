"""Give blocks their times: strictly rising, and near the domain clock where the genesis says so."""

from typing import Final

from devnet.genesis import ClockProfile
from ledger.clock import Clock
from ledger.errors import InvalidRequest

MAX_LEAD_S: Final = 5
"""How far a block's time may lead the wall clock, in seconds."""


class TimeTravelError(InvalidRequest):
    """Block time cannot be moved as asked."""

    def __init__(self, why: str) -> None:
        super().__init__("time_travel", why)


class Timekeeper:
    """
    The time of the next block.

    In the ``wall`` profile it follows the clock and leads it by at most ``MAX_LEAD_S``; a block
    that would lead further has to wait. In the ``discrete`` profile it never waits, and may be
    moved ahead from outside.
    """

    def __init__(self, clock: Clock, profile: ClockProfile) -> None:
        """Follow ``clock``."""
        self._clock = clock
        self._profile = profile
        self._ahead_s = 0
        self._next_s: int | None = None

    def next_s(self, parent_s: int) -> int:
        """Return the time of the block after one of ``parent_s``, in Unix seconds."""
        if self._next_s is not None:
            return max(self._next_s, parent_s + 1)
        return max(parent_s + 1, self._clock.now_s() + self._ahead_s)

    def wait_s(self, parent_s: int) -> int:
        """Return how many seconds such a block has to wait; 0 if none."""
        if self._profile is ClockProfile.DISCRETE:
            return 0
        return max(0, parent_s + 1 - MAX_LEAD_S - self._clock.now_s())

    def check_lead(self, parent_s: int) -> None:
        """
        Refuse a block that would have to wait.

        Raises
        ------
        TimeTravelError
            If it would lead the wall clock too far.
        """
        if self.wait_s(parent_s):
            raise TimeTravelError(f"a block would lead the wall clock by more than {MAX_LEAD_S} s")

    def mined(self) -> None:
        """Take note that a block was made: a time set for it alone is used up."""
        if self._next_s is not None:
            # Time goes on from there.
            self._ahead_s = max(self._ahead_s, self._next_s - self._clock.now_s())
            self._next_s = None

    def advance(self, seconds: int, parent_s: int) -> int:
        """
        Move time ahead of the last block, or of the clock if that is later.

        Returns
        -------
        int
            By how much block time is ahead of the clock, in seconds.

        Raises
        ------
        TimeTravelError
            If the clock is the wall's, or time would go back.
        """
        self._check(seconds >= 0, "time goes forward only")
        now_s = self._clock.now_s()
        self._ahead_s = max(parent_s, now_s + self._ahead_s) + seconds - now_s
        return self._ahead_s

    def set_next(self, timestamp_s: int, parent_s: int) -> None:
        """
        Set the time of the next block alone; time goes on from there.

        Raises
        ------
        TimeTravelError
            If the clock is the wall's, or the block would not be later than its parent.
        """
        later = f"timestamp {timestamp_s} is not later than the last block's {parent_s}"
        self._check(timestamp_s > parent_s, later)
        self._next_s = timestamp_s

    def _check(self, possible: bool, why: str) -> None:  # noqa: FBT001 - the condition itself
        if self._profile is ClockProfile.WALL:
            raise TimeTravelError("this chain keeps the wall clock's time; start a discrete one")
        if not possible:
            raise TimeTravelError(why)
