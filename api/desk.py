"""
One desk where everything that writes waits its turn.

SQLite has one writer and the outbox one nonce counter, so every use case that writes runs on one
thread, in the order it came. The desk knows when nothing is left to do, which is what a replay
waits for before it moves the clock. What is to follow every work, reconciliation, runs on the same
thread: after the answer is on its way, and before the next work.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from ledger.errors import VoisinError

Result = TypeVar("Result")


class Desk:
    """A single-threaded executor that can be waited upon to be idle."""

    def __init__(self) -> None:
        self._follow: Callable[[], None] | None = None
        self._closed_by: VoisinError | None = None
        self._thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._listeners: Final[list[Callable[[], None]]] = []
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def follow_with(self, follow: Callable[[], None]) -> None:
        """Let ``follow`` run now, before any work, and after every work, whatever came of it."""
        self._follow = follow
        self._thread.submit(follow)

    def listen(self, listener: Callable[[], None]) -> None:
        """Let ``listener`` be called, on the loop's thread, whenever something is finished."""
        self._listeners.append(listener)

    def close_writes(self, fault: VoisinError) -> None:
        """Refuse everything from now on, with ``fault``: the service only reads."""
        self._closed_by = fault

    async def run(self, work: Callable[[], Result]) -> Result:
        """
        Run ``work`` after everything that came before it, and return its result.

        Raises
        ------
        VoisinError
            If writes are closed: what closed them.
        """
        if self._closed_by is not None:
            # One error answers many requests; it must not collect their traces.
            raise self._closed_by.with_traceback(None)
        loop = asyncio.get_running_loop()
        self.expect()
        try:
            result = loop.run_in_executor(self._thread, work)
            if self._follow is not None:
                self.expect()
                # Both are in the line at once, so that nothing comes between them.
                following = loop.run_in_executor(self._thread, self._follow)
                following.add_done_callback(self._followed)
            return await result
        finally:
            self.done()

    def _followed(self, following: asyncio.Future[None]) -> None:
        """Count what followed as done; a fault in it is a fault of the process, and is told."""
        self.done()
        if not following.cancelled() and (fault := following.exception()) is not None:
            following.get_loop().call_exception_handler(
                {"message": "what follows every work failed", "exception": fault}
            )

    def expect(self) -> None:
        """Say that something is under way, before it reaches the desk."""
        self._waiting += 1
        self._idle.clear()

    def done(self) -> None:
        """Say that it is finished."""
        self._waiting -= 1
        if self._waiting == 0:
            self._idle.set()
        for listener in self._listeners:
            listener()

    async def idle(self) -> None:
        """Wait until nothing is left to do."""
        await self._idle.wait()

    def close(self) -> None:
        """Finish what waits, then stop the thread."""
        self._thread.shutdown(wait=True)
