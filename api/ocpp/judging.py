"""Have reports judged at the desk, in the order they came; those that wait together in one go."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any, Final

import structlog

from api.desk import Desk
from api.ocpp.translation.steps import Freed
from ledger.errors import Integrity, VoisinError
from settlement.charging.reports import Answer, Phase, TransactionReport
from settlement.engine.charging import transactions
from settlement.engine.service import Service
from settlement.engine.turns import take_turn

_TOGETHER_MAX: Final = 256
_ENDS_MAX: Final = 64
_LOG: Final = structlog.get_logger("voisin.ocpp")

Judgement = Answer | VoisinError
TakeTurn = Callable[[Service, Sequence[Callable[[], object]]], Sequence[Any]]
"""Does works in one go; returns for each its result, or the fault that it met."""
Note = Callable[[TransactionReport], None]


class ReportUnjudgedError(Integrity):
    """A report could not be judged because the service is at fault; its frame is kept."""

    def __init__(self, key: str) -> None:
        super().__init__("report_unjudged", f"{key} was not judged: the service is at fault")


@dataclass(frozen=True, slots=True)
class _Item:
    """A report that waits."""

    told: TransactionReport | Freed
    """What a station told."""
    received_ns: int
    """When its frame came, by the performance counter, in ns."""
    awaited: asyncio.Future[Judgement] | None
    """Who waits for the judgement, if anybody does."""


def unnoted(_report: TransactionReport) -> None:
    """Let nobody know."""


class Judge:
    """
    The line before the desk.

    What gathers while the desk is busy is judged in one turn: one commit, and one delivery to the
    chain for all that have ended. So sessions that end together are refunded together.
    """

    def __init__(
        self,
        service: Service,
        desk: Desk,
        note: Note = unnoted,
        *,
        together: TakeTurn = take_turn,
    ) -> None:
        self._service: Final = service
        self._desk: Final = desk
        self._note: Final = note
        self._together: Final = together
        self._line: Final[deque[_Item]] = deque()
        self._task: asyncio.Task[None] | None = None

    def later(self, told: TransactionReport | Freed, received_ns: int) -> None:
        """Have a report judged; a refusal is kept by the use case itself."""
        self._put(_Item(told, received_ns, None))

    async def now(self, report: TransactionReport, received_ns: int) -> Judgement:
        """Return what became of a report once it is judged."""
        awaited: asyncio.Future[Judgement] = asyncio.get_running_loop().create_future()
        self._put(_Item(report, received_ns, awaited))
        return await awaited

    def _put(self, item: _Item) -> None:
        # Screens show what the meter says at once; whether it counts is judged in turn.
        if isinstance(item.told, TransactionReport):
            self._note(item.told)
        self._desk.expect()
        self._line.append(item)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._line:
                await self._work_on(self._next())
        finally:
            self._task = None

    async def _work_on(self, items: Sequence[_Item]) -> None:
        try:
            fault = await self._turn(items)
            if isinstance(fault, VoisinError):
                _answer_all(items, fault)
            elif fault is not None and len(items) > 1:
                # A mistake of ours in one of them must not become everybody's.
                for item in items:
                    self._tell(await self._turn((item,)))
            else:
                self._tell(fault)
        finally:
            self._done(items)

    async def _turn(self, items: Sequence[_Item]) -> BaseException | None:
        """Take a turn at the desk; return what kept it from its end."""
        loop = asyncio.get_running_loop()
        turn = self._desk.run(lambda: self._judge(loop, items))
        (met,) = await asyncio.gather(turn, return_exceptions=True)
        return met

    def _tell(self, fault: BaseException | None) -> None:
        """Let whoever watches the process know of a mistake of ours."""
        if fault is not None:
            told = {"message": "a report was not judged", "exception": fault}
            asyncio.get_running_loop().call_exception_handler(told)

    def _next(self) -> Sequence[_Item]:
        """Take what waits from the line, as far as one turn is to go."""
        items: list[_Item] = []
        ends = 0
        while self._line and len(items) < _TOGETHER_MAX and ends < _ENDS_MAX:
            ends += _is_end(self._line[0])
            items.append(self._line.popleft())
        return items

    def _judge(self, loop: asyncio.AbstractEventLoop, items: Sequence[_Item]) -> None:
        """Judge reports, on the desk's thread, and tell at once whoever waits for one."""
        works = [partial(self._judged, item) for item in items]
        for item, found in zip(items, self._together(self._service, works), strict=True):
            if item.awaited is not None and found is not None:
                loop.call_soon_threadsafe(_answer, item.awaited, found)

    def _judged(self, item: _Item) -> Judgement | None:
        told = item.told
        try:
            if isinstance(told, Freed):
                transactions.connector_freed(
                    self._service,
                    station_id=told.station_id,
                    evse_id=told.evse_id,
                    at_s=told.at_s,
                )
                return None
            return transactions.report(
                self._service, told, elapsed_ns=lambda: perf_counter_ns() - item.received_ns
            )
        except VoisinError as fault:
            _LOG.info("refused", station=told.station_id, code=fault.code)
            return fault

    def _done(self, items: Sequence[_Item]) -> None:
        """Let nobody wait for ever, whatever happened to the desk."""
        for _ in items:
            self._desk.done()
        loop = asyncio.get_running_loop()
        # Behind the answers that the desk's thread has put into the loop already.
        loop.call_soon(_answer_missing, items)


def _answer_all(items: Sequence[_Item], found: Judgement) -> None:
    for item in items:
        if item.awaited is not None:
            _answer(item.awaited, found)


def _is_end(item: _Item) -> bool:
    return isinstance(item.told, TransactionReport) and item.told.phase is Phase.ENDED


def _answer_missing(items: Sequence[_Item]) -> None:
    for item in items:
        if item.awaited is not None and isinstance(item.told, TransactionReport):
            _answer(item.awaited, ReportUnjudgedError(item.told.key))


def _answer(awaited: asyncio.Future[Judgement], found: Judgement) -> None:
    if not awaited.done():
        awaited.set_result(found)
