"""
One desk where everything that writes waits its turn.

SQLite has one writer and the outbox one nonce counter, so every use case that writes runs on one
thread, in the order it came. The desk knows when nothing is left to do, which is what a replay
waits for before it moves the clock. What is to follow every work, reconciliation, runs on the same
thread: after the answer is on its way, and before the next work. Work that may share a turn is
joined: what gathered while the desk was busy is done in one go.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ledger.errors import VoisinError

Result = TypeVar("Result")
Together = Callable[[Sequence[Callable[[], Any]]], Sequence[Any]]
"""Does works in one go; returns for each its result, or the fault that it met."""

_TOGETHER_MAX: Final = 64


@dataclass(slots=True)
class _Turn:
    """A turn at the desk that several works share."""

    works: list[Callable[[], Any]] = field(default_factory=list)
    """What is done in it; nothing if another turn has done it already."""
    waiting: list[asyncio.Future[Any]] = field(default_factory=list)
    """Who waits for each."""


class Desk:
    """A single-threaded executor that can be waited upon to be idle."""

    def __init__(self) -> None:
        self._follow: Callable[[], None] | None = None
        self._together: Together | None = None
        self._gathered: Final[deque[tuple[Callable[[], Any], asyncio.Future[Any]]]] = deque()
        self._closed_by: VoisinError | None = None
        self._thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def follow_with(self, follow: Callable[[], None]) -> None:
        """Let ``follow`` run now, before any work, and after every work, whatever came of it."""
        self._follow = follow
        self._thread.submit(follow)

    def join_with(self, together: Together) -> None:
        """Let ``together`` do the works that are joined."""
        self._together = together

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

    async def join(self, work: Callable[[], Result]) -> Result:
        """
        Run ``work`` together with all work that was joined before the desk comes to it.

        In the order it came, in one go and answered together; what follows every work follows once.

        Raises
        ------
        VoisinError
            If writes are closed: what closed them; or what ``work`` met.
        """
        together = self._together
        if together is None or self._closed_by is not None:
            return await self.run(work)
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Result] = loop.create_future()
        self._gathered.append((work, waiting))
        # Each brings a turn; the first one that the desk comes to leaves nothing to the others.
        turn = _Turn()
        self.expect()
        taking = loop.run_in_executor(self._thread, self._take, turn, together)
        taking.add_done_callback(lambda taken: self._answer(turn, taken))
        if self._follow is not None:
            self.expect()
            following = loop.run_in_executor(self._thread, self._follow_turn, turn)
            following.add_done_callback(self._followed)
        return await waiting

    def _take(self, turn: _Turn, together: Together) -> Sequence[Any]:
        """Do what has gathered."""
        while self._gathered and len(turn.works) < _TOGETHER_MAX:
            work, waiting = self._gathered.popleft()
            turn.works.append(work)
            turn.waiting.append(waiting)
        return together(turn.works) if turn.works else ()

    def _follow_turn(self, turn: _Turn) -> None:
        if turn.works and self._follow is not None:
            self._follow()

    def _answer(self, turn: _Turn, taken: asyncio.Future[Sequence[Any]]) -> None:
        """Tell everybody; a mistake of ours in one work must not become everybody's."""
        fault = None if taken.cancelled() else taken.exception()
        if fault is not None and len(turn.works) > 1:
            for work, waiting in zip(turn.works, turn.waiting, strict=True):
                self._alone(work, waiting)
        else:
            answers = [fault] if fault is not None else taken.result()
            for waiting, found in zip(turn.waiting, answers, strict=True):
                _resolve(waiting, found)
        self.done()

    def _alone(self, work: Callable[[], Any], waiting: asyncio.Future[Any]) -> None:
        """Do ``work`` in a turn of its own."""
        task = asyncio.ensure_future(self.run(work))
        task.add_done_callback(lambda ended: _resolve(waiting, ended.exception() or ended.result()))

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

    async def idle(self) -> None:
        """Wait until nothing is left to do."""
        await self._idle.wait()

    def close(self) -> None:
        """Finish what waits, then stop the thread."""
        self._thread.shutdown(wait=True)


def _resolve(waiting: asyncio.Future[Any], found: Any) -> None:  # noqa: ANN401 - any result
    """Give whoever waits a result, or the fault in its place."""
    if waiting.done():
        return
    if isinstance(found, BaseException):
        # One fault may answer many; it must not collect their traces.
        waiting.set_exception(found.with_traceback(None))
    else:
        waiting.set_result(found)
