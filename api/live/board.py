"""
Hold the live figures of every session that is watched or charging, in memory.

What a station says reaches the screens straight from its websocket, before it is judged; what is
stored follows from the events that use cases append. After a restart the board is empty and fills
with the next value. Everything runs on the event loop's thread; only the database is read on
another.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Final

from api.live.track import Track
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.live.facts import News, facts, newest_seq, news_since, session_at
from settlement.engine.service import Service

_TRACKS_MAX: Final = 10_000
_RUN_BYTES: Final = 4

Told = Callable[[Track], None]
Heard = Callable[[Track, News], None]


class Board:
    """Every live session by its id."""

    def __init__(self, service: Service) -> None:
        self._service: Final = service
        self._run: Final = secrets.token_hex(_RUN_BYTES)
        self._tracks: Final[dict[str, Track]] = {}
        self._sessions: Final[dict[tuple[str, str], str]] = {}
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._told: Told | None = None
        self._heard: Heard | None = None
        self._seq: int | None = None
        self._stale = self._reading = self._closed = False

    def attend(self, told: Told, heard: Heard, *, since_seq: int) -> None:
        """
        Let somebody follow what happens after an event: ``told`` each value, ``heard`` each event.

        Without it, only sessions that somebody watches are followed.
        """
        self._told, self._heard, self._seq = told, heard, since_seq

    def note(self, report: TransactionReport) -> None:
        """Take what a station says of a transaction; never waits, never raises."""
        if not report.values or self._closed:
            return
        track = self._track_of(report)
        if track is None:
            self._start(self._look_up(report))
        else:
            self._take(track, report)

    def written(self) -> None:
        """Say that something may have been written; what is new reaches the screens soon."""
        self._stale = True
        if not self._reading and not self._closed and (self._tracks or self._heard):
            self._reading = True
            self._start(self._read_news())

    async def track(self, session_id: str) -> Track:
        """
        Return the session, with what is stored of it read anew.

        Raises
        ------
        UnknownSessionError
            If there is none of that id.
        """
        if self._seq is None:
            self._seq = await asyncio.to_thread(newest_seq, self._service)
        found = await asyncio.to_thread(facts, self._service, session_id)
        track = self._tracks.get(session_id)
        if track is None:
            self._make_room()
            track = self._tracks[session_id] = Track(found)
        else:
            track.put(found)
        return track

    def identity(self, track: Track) -> str:
        """Return the id of what a screen shows now: the same again means nothing to send."""
        return f"{self._run}.{track.revision}"

    async def screens(self, track: Track, seen: str) -> AsyncIterator[tuple[str, str]]:
        """
        Yield id and document of the session now, unless ``seen`` is its id, and on every change.

        A slow reader gets the newest only. Ends when the session is over, or the server stops.
        """
        changed = asyncio.Event()
        track.watchers.add(changed)
        try:
            while not self._closed:
                changed.clear()
                identity = self.identity(track)
                if identity != seen:
                    seen = identity
                    yield identity, track.document().decode()
                if track.facts.is_over:
                    return
                await changed.wait()
        finally:
            track.watchers.discard(changed)

    def close(self) -> None:
        """End every stream and timer."""
        self._closed = True
        for track in self._tracks.values():
            if track.stop_timer is not None:
                track.stop_timer.cancel()
            for watcher in track.watchers:
                watcher.set()
        for task in self._tasks:
            task.cancel()

    def _track_of(self, report: TransactionReport) -> Track | None:
        names = [report.transaction and f"#{report.transaction}", report.id_tag]
        for name in names:
            session_id = self._sessions.get((report.station_id, name or ""))
            if session_id is not None:
                return self._tracks.get(session_id)
        return None

    async def _look_up(self, report: TransactionReport) -> None:
        """Find the session of a transaction that was not heard of since the start."""
        session_id = await asyncio.to_thread(
            session_at,
            self._service,
            report.station_id,
            transaction=report.transaction,
            id_tag=report.id_tag,
        )
        if session_id is None:
            return
        track = await self.track(session_id)
        if report.transaction is not None:
            self._sessions[report.station_id, f"#{report.transaction}"] = session_id
        self._take(track, report)

    def _take(self, track: Track, report: TransactionReport) -> None:
        if track.note(report) and self._told is not None and report.phase is not Phase.ENDED:
            self._told(track)

    async def _read_news(self) -> None:
        """Read events until none is new; the screens of their sessions are read anew."""
        try:
            while self._stale:
                self._stale = False
                if self._seq is None:
                    self._seq = await asyncio.to_thread(newest_seq, self._service)
                news = await asyncio.to_thread(news_since, self._service, self._seq)
                if news:
                    self._seq, self._stale = news[-1].seq, True
                await self._spread(news)
        finally:
            self._reading = False

    async def _spread(self, news: tuple[News, ...]) -> None:
        followed = {one.session_id for one in news if one.name.startswith("session_")}
        for session_id in followed:
            if session_id in self._tracks or self._heard is not None:
                await self.track(session_id)
        for one in news:
            if self._heard is not None and one.session_id in followed:
                self._heard(self._tracks[one.session_id], one)

    def _make_room(self) -> None:
        """Forget sessions that are over and that nobody watches, once there are many."""
        if len(self._tracks) < _TRACKS_MAX:
            return
        gone = {
            name for name, one in self._tracks.items() if one.facts.is_over and not one.watchers
        }
        for session_id in gone:
            del self._tracks[session_id]
        for name in [name for name, one in self._sessions.items() if one in gone]:
            del self._sessions[name]

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
