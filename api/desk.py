"""
One desk where everything that writes waits its turn.

SQLite has one writer and the outbox one nonce counter, so every use case that writes runs on one
thread, in the order it came. The desk knows when nothing is left to do, which is what a replay
waits for before it moves the clock.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Result = TypeVar("Result")


class Desk:
    """A single-threaded executor that can be waited upon to be idle."""

    def __init__(self) -> None:
        self._thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` after everything that came before it, and return its result."""
        self.expect()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.done()

    def expect(self) -> None:
        """Say that something is under way, before it reaches the desk."""
        self._waiting += 1
        self._idle.clear()

    def done(self) -> None:
        """Say that it is finished."""
        self._waiting -= 1
        if self._waiting == 0:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is left to do."""
        await self._idle.wait()

    def close(self) -> None:
        """Finish what waits, then stop the thread."""
        self._thread.shutdown(wait=True)
