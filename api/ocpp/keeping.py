"""Keep frames before they are answered: those of many stations share one wait for the disk."""

import asyncio
from typing import Final

from ledger.errors import VoisinError
from ledger.store.writer import Writer
from ledger.units import UnixSeconds
from settlement.engine.charging.frames import Frame, keep_frames


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
            self._writing = None

    async def _write_one(self) -> None:
        frames, waiting = self._frames, self._waiting
        self._frames, self._waiting = [], []
        try:
            await self._writer.run_soon(lambda connection: keep_frames(connection, frames))
        except VoisinError as fault:
            for one in waiting:
                if not one.done():
                    one.set_exception(fault)
        else:
            for one in waiting:
                if not one.done():
                    one.set_result(None)
