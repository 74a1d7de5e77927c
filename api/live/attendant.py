"""
Act on what charges: let the station start, warn the driver, stop before the deposit is overrun.

A value is looked at when it comes, and between two values by a timer that assumes that power stays
as it is. Only on the wall clock: in a replay the schedule acts for everybody.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from api.desk import Desk
from api.live.board import Board
from api.live.track import Track
from ledger.clock import SteadyClock
from ledger.errors import VoisinError
from ledger.units import Micros
from settlement.charging.live import Level
from settlement.engine.live.facts import News, newest_seq
from settlement.engine.live.warning import SESSION_WARNED, STOP_ASKED, note_once
from settlement.engine.service import Service

_EVSE: Final = 1
_MS_PER_S: Final = 1_000
_TIMER_MS_MAX: Final = 3_600_000
_LOG: Final = structlog.get_logger("voisin.live")


class Stations(Protocol):
    """Where connected stations are asked to do something."""

    @property
    def connected(self) -> frozenset[str]:
        """Ids of the stations that are connected."""
        ...

    async def remote_start(self, station_id: str, *, id_tag: str, evse_id: int) -> None:
        """Let the driver with ``id_tag`` charge at an EVSE."""
        ...

    async def remote_stop(self, station_id: str, transaction: str) -> None:
        """End a transaction."""
        ...

    def set_limit(self, station_id: str, transaction: str, max_cost_micros: Micros) -> bool:
        """Let the station keep to a cost; return whether it can."""
        ...

    def limit_repeated(self, station_id: str, transaction: str) -> Micros | None:
        """Return the limit that the station says it keeps, if it says so."""
        ...


class Attendant:
    """Whoever stands beside the stations."""

    def __init__(self, service: Service, desk: Desk, stations: Stations, board: Board) -> None:
        self._service: Final = service
        self._desk: Final = desk
        self._stations: Final = stations
        self._board: Final = board
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    def begin(self) -> None:
        """Follow everything from now on."""
        self._board.attend(self._told, self._heard, since_seq=newest_seq(self._service))

    def close(self) -> None:
        """Leave off."""
        for task in self._tasks:
            task.cancel()

    def _told(self, track: Track) -> None:
        """Look at the deposit after a value."""
        if track.stop_timer is not None:
            track.stop_timer.cancel()
            track.stop_timer = None
        stands = track.standing
        if stands is None:
            return
        if stands.level is Level.SPENT:
            self._stop_once(track)
            return
        if stands.level is Level.WARNED and track.acted is Level.CALM:
            track.acted = Level.WARNED
            self._start(self._note(SESSION_WARNED, track))
        left_ms = track.lasts_ms()
        if left_ms is not None and left_ms < _TIMER_MS_MAX:
            loop = asyncio.get_running_loop()
            track.stop_timer = loop.call_later(left_ms / _MS_PER_S, self._stop_once, track)

    def _heard(self, track: Track, news: News) -> None:
        """Act on what happened to a session."""
        facts = track.facts
        if news.name == "session_opened":
            self._start(self._let_start(track))
        elif news.name in {"session_started", "session_topped_up"} and facts.transaction:
            self._stations.set_limit(facts.station_id, facts.transaction, facts.deposit_micros)
            self._told(track)

    async def _let_start(self, track: Track) -> None:
        """Start at the station, so that plugging in is enough."""
        facts = track.facts
        # A block may lead the clock by some seconds. No energy is to flow before the instant that
        # the contract counts from, or a short session would look like more than its meter carries.
        await asyncio.sleep(max(0, facts.opened_s - self._service.clock.now_s()))
        if facts.state != "open" or facts.station_id not in self._stations.connected:
            return
        await self._stations.remote_start(facts.station_id, id_tag=facts.id_tag, evse_id=_EVSE)

    def _stop_once(self, track: Track) -> None:
        facts = track.facts
        if track.acted is Level.SPENT or facts.transaction is None or facts.energy_wh is not None:
            return
        kept = self._stations.limit_repeated(facts.station_id, facts.transaction)
        if kept is not None and kept <= facts.deposit_micros:
            return
        track.acted = Level.SPENT
        self._start(self._stop(track, facts.transaction))

    async def _stop(self, track: Track, transaction: str) -> None:
        try:
            await self._stations.remote_stop(track.facts.station_id, transaction)
        except VoisinError:
            # The next value tries again; whatever flows meanwhile beyond the deposit is not billed.
            track.acted = Level.WARNED
            raise
        await self._note(STOP_ASKED, track)

    async def _note(self, name: str, track: Track) -> None:
        stands = track.standing
        spent = track.facts.deposit_micros if stands is None else stands.spent_micros
        await self._desk.run(
            lambda: note_once(
                self._service,
                name,
                track.facts.session_id,
                deposit_micros=track.facts.deposit_micros,
                spent_micros=spent,
            )
        )

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._told_off(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _told_off(self, work: Coroutine[object, object, None]) -> None:
        """Do some work; a station that refuses or is away is written down, and goes on."""
        try:
            await work
        except VoisinError as fault:
            _LOG.warning("attendant", code=fault.code, detail=str(fault))


@asynccontextmanager
async def attended(
    service: Service, desk: Desk, stations: Stations, board: Board
) -> AsyncIterator[None]:
    """Let an attendant stand by while the block runs, then end every stream of the board."""
    attendant = Attendant(service, desk, stations, board)
    # In a replay the schedule acts for everybody; on the wall clock somebody has to.
    if isinstance(service.clock, SteadyClock):
        attendant.begin()
    try:
        yield
    finally:
        attendant.close()
        board.close()
