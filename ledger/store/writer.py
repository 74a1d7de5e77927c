"""
Acknowledge many callers with one wait for the disk: group commit before the one writing connection.

What waits when a transaction begins goes into it together, in the order it came: groups of
transfers as one batch, other work each in a savepoint. Nobody hears of an outcome before it is
durable; if the commit fails, everybody in it hears why and nothing of it stands.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ledger.clock import Clock
from ledger.errors import Unavailable, VoisinError
from ledger.store.batch import Group, Outcome, check_group
from ledger.store.faults import explained
from ledger.store.ledger_store import LedgerStore

_BATCH_MAX: Final = 1_000
_Result = TypeVar("_Result")


class OverloadedError(Unavailable):
    """More is waiting to be written than the service is willing to keep; try again later."""

    def __init__(self, waiting: int) -> None:
        super().__init__("overloaded", f"{waiting} requests wait to be written", transient=True)


class WriterClosedError(Unavailable):
    """The service is stopping and takes nothing more."""

    def __init__(self) -> None:
        super().__init__("writer_closed", "the service is stopping", transient=True)


@dataclass(slots=True)
class _Bundle:
    """What came together and is answered together."""

    groups: Sequence[Group]
    work: Callable[[Connection], Any] | None
    answer: Callable[[Sequence[Any] | BaseException], None]


@dataclass(slots=True)
class _Gathering:
    """Groups that callers of one event loop submitted in one turn of it."""

    groups: list[Group] = field(default_factory=list)
    futures: list[asyncio.Future[Outcome]] = field(default_factory=list)


class Writer:
    """One thread that writes for everybody; between ``start`` and ``close``, or in a ``with``."""

    def __init__(
        self, engine: Engine, clock: Clock, *, book: LedgerStore, waiting_max: int = 10_000
    ) -> None:
        self._engine: Final = engine
        self._clock: Final = clock
        self._book: Final = book
        self._waiting_max: Final = waiting_max
        self._queue: Final[SimpleQueue[_Bundle | None]] = SimpleQueue()
        self._gathering: Final[dict[asyncio.AbstractEventLoop, _Gathering]] = {}
        self._thread: Final = Thread(target=self._run, name="writer", daemon=True)
        self._closed = False

    def __enter__(self) -> Self:
        """Start the thread."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what waits, then stop."""
        self.close()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def submit(self, transfers: Group) -> Outcome:
        """
        Take a group of transfers as ``LedgerStore.submit`` does; return once it is durable.

        Raises
        ------
        GroupSizeError
            If the group is empty.
        OverloadedError
            If too much is waiting.
        WriterClosedError
            If the writer was closed.
        VoisinError
            If the database could not: nothing of the group stands, but for ``database_gone``, where
            submitting it again tells.
        """
        check_group(transfers)
        waiting: Future[Outcome] = Future()
        self._put(_Bundle((transfers,), None, lambda found: _resolve(waiting, found)))
        return waiting.result()

    def run(self, work: Callable[[Connection], _Result]) -> _Result:
        """
        Do ``work`` in the next transaction; return its result once it is durable.

        A refusal that it raises undoes what it wrote, and nothing else; anything else that it
        raises is a mistake of ours and stops the writer.

        Raises
        ------
        OverloadedError
            If too much is waiting.
        WriterClosedError
            If the writer was closed.
        """
        waiting: Future[_Result] = Future()
        self._put(_Bundle((), work, lambda found: _resolve(waiting, found)))
        return waiting.result()

    async def run_soon(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do ``work`` for a caller on an event loop; see ``run``."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[_Result] = loop.create_future()
        self._put(_Bundle((), work, _answering(loop, (waiting,))))
        return await waiting

    async def submit_soon(self, transfers: Group) -> Outcome:
        """Take a group for a caller on an event loop; see ``submit``."""
        check_group(transfers)
        loop = asyncio.get_running_loop()
        gathering = self._gathering.get(loop)
        if gathering is None:
            gathering = self._gathering[loop] = _Gathering()
            loop.call_soon(self._hand_over, loop)
        waiting: asyncio.Future[Outcome] = loop.create_future()
        gathering.groups.append(transfers)
        gathering.futures.append(waiting)
        return await waiting

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Queue what was submitted in this turn of the loop, to be answered in one turn too."""
        gathering = self._gathering.pop(loop)
        answer = _answering(loop, gathering.futures)
        try:
            self._put(_Bundle(gathering.groups, None, answer))
        except VoisinError as fault:
            _resolve_all(gathering.futures, fault)

    def _put(self, bundle: _Bundle) -> None:
        if self._closed:
            raise WriterClosedError
        waiting = self._queue.qsize()
        if waiting >= self._waiting_max:
            raise OverloadedError(waiting)
        self._queue.put(bundle)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            bundles, stop = self._gather(first)
            for bundle, found in zip(bundles, self._commit(bundles), strict=True):
                bundle.answer(found)
            if stop:
                return

    def _commit(self, bundles: Sequence[_Bundle]) -> Sequence[Sequence[Any] | BaseException]:
        """Write bundles in one transaction; return what each is told."""
        answers: Sequence[Sequence[Any] | BaseException] | None = None
        try:
            with explained(), self._engine.begin() as connection:
                answers = self._write(connection, bundles)
        except (VoisinError, SQLAlchemyError) as fault:
            answers = [fault] * len(bundles)
        finally:
            if answers is None:
                self._stop(bundles)
        return answers

    def _stop(self, bundles: Sequence[_Bundle]) -> None:
        """Answer everybody: a mistake of ours is about to end the thread."""
        self._closed = True
        for bundle in bundles:
            bundle.answer(WriterClosedError())
        with suppress(Empty):
            while (left := self._queue.get_nowait()) is not None:
                left.answer(WriterClosedError())

    def _gather(self, first: _Bundle) -> tuple[list[_Bundle], bool]:
        """Return what waits, ``first`` included, and whether to stop after it."""
        bundles, size = [first], len(first.groups)
        while size < _BATCH_MAX:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                return bundles, True
            bundles.append(following)
            size += len(following.groups) or 1
        return bundles, False

    def _write(
        self, connection: Connection, bundles: Sequence[_Bundle]
    ) -> list[Sequence[Any] | BaseException]:
        """Write bundles in order; return what each is told."""
        answers: list[Sequence[Any] | BaseException] = []
        pending: list[_Bundle] = []
        for bundle in (*bundles, None):
            if bundle is not None and bundle.work is None:
                pending.append(bundle)
                continue
            answers += self._post(connection, pending)
            pending = []
            if bundle is not None and bundle.work is not None:
                answers.append(_attempt(connection, bundle.work))
        return answers

    def _post(
        self, connection: Connection, bundles: Sequence[_Bundle]
    ) -> list[Sequence[Any] | BaseException]:
        groups = [group for bundle in bundles for group in bundle.groups]
        outcomes = self._book.submit_many(connection, groups, at_s=self._clock.now_s())
        answers: list[Sequence[Any] | BaseException] = []
        at = 0
        for bundle in bundles:
            answers.append(outcomes[at : at + len(bundle.groups)])
            at += len(bundle.groups)
        return answers


def _attempt(
    connection: Connection, work: Callable[[Connection], Any]
) -> Sequence[Any] | BaseException:
    """Do a piece of work in a savepoint."""
    try:
        with connection.begin_nested():
            return (work(connection),)
    except VoisinError as fault:
        return fault


def _answering(
    loop: asyncio.AbstractEventLoop, waiting: Sequence[asyncio.Future[Any]]
) -> Callable[[Sequence[Any] | BaseException], None]:
    """Return what tells callers on an event loop what they waited for, from another thread."""

    def answer(found: Sequence[Any] | BaseException) -> None:
        with suppress(RuntimeError):  # The loop was closed: nobody waits.
            loop.call_soon_threadsafe(_resolve_all, waiting, found)

    return answer


def _resolve(waiting: Future[Any], found: Sequence[Any] | BaseException) -> None:
    if isinstance(found, BaseException):
        waiting.set_exception(found)
    else:
        waiting.set_result(found[0])


def _resolve_all(
    waiting: Sequence[asyncio.Future[Any]], found: Sequence[Any] | BaseException
) -> None:
    for position, one in enumerate(waiting):
        if one.done():
            continue
        if isinstance(found, BaseException):
            one.set_exception(found)
        else:
            one.set_result(found[position])
