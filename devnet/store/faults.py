"""Break the node on purpose, where a test says: stop it dead at a point, or hold it up."""

import os
import signal
import time
from typing import Final

POINTS: Final = ("before_write", "half_written", "written", "synced", "published")
"""Where a block can be when the process dies, in order."""


class Faults:
    """What shall go wrong; nothing, unless a test asks for it."""

    def __init__(self, *, is_armed: bool = False) -> None:
        """Let everything go right, and refuse to be asked otherwise unless armed."""
        self.is_armed: Final = is_armed
        """Whether the node may be broken on purpose."""
        self._point = ""
        self._passes = 0
        self._stall_s = 0.0

    def kill_at(self, point: str, passes: int) -> None:
        """Kill the process, as ``kill -9`` does, when ``point`` is passed for the n-th time."""
        self._point, self._passes = point, passes

    def stall(self, seconds: float) -> None:
        """Hold the miner up once, for so many seconds, before its next block."""
        self._stall_s = seconds

    def wait(self) -> None:
        """Wait if a stall was asked for."""
        seconds, self._stall_s = self._stall_s, 0.0
        if seconds:
            time.sleep(seconds)

    def pass_point(self, point: str) -> None:
        """Say that the block is at ``point``."""
        if point != self._point:
            return
        self._passes -= 1
        if self._passes <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
