"""Keep frames before they are answered: those of many stations share one wait for the disk."""

import asyncio
from typing import Final

from ledger.errors import Unavailable, VoisinError
from ledger.store.writer import Writer
from ledger.units import UnixSeconds
from settlement.engine.charging.frames import Frame, keep_frames


class FrameNotKeptError(Unavailable):
    """A frame could not be kept, and the database did not say why; the station sends it again."""

    def __init__(self) -> None:
        super().__init__("frame_not_kept", "the frame could not be kept", transient=True)


class FrameKeeper:
    """
    Hands frames to the writer in batches: what comes while one is written goes into the next.

    The writer commits many bundles at once too; gathering frames before it saves each of them a
    savepoint and a statement of its own.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer: Final = writer
        self._frames: list[Frame] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, station_id: str, body: str, at_s: UnixSeconds) -> None:
        """
        Return once the frame is durable.

        Raises
        ------
        VoisinError
            If the database could not, or the writer is overloaded or closed.
        """
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames.append(Frame(station_id, body, at_s))
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await waiting

    async def _write(self) -> None:
        """Write batch after batch until no frame is left."""
        try:
            while self._frames:
                await self._write_one()
        finally:
            # A batch that failed for a reason nobody knows must not hold up those behind it.
            self._writing = asyncio.create_task(self._write()) if self._frames else None

    async def _write_one(self) -> None:
        frames, waiting = self._frames, self._waiting
        self._frames, self._waiting = [], []
        fault: VoisinError | None = FrameNotKeptError()
        try:
            await self._writer.run_soon(lambda connection: keep_frames(connection, frames))
            fault = None
        except VoisinError as known:
            fault = known
        finally:
            for one in waiting:
                _resolve(one, fault)


def _resolve(waiting: asyncio.Future[None], fault: VoisinError | None) -> None:
    if waiting.done():
        return
    if fault is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(fault)
