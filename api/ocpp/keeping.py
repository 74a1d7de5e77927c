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
        self._kept: asyncio.Future[VoisinError | None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, station_id: str, body: str, at_s: UnixSeconds) -> None:
        """
        Return once the frame is durable.

        Raises
        ------
        VoisinError
            If the database could not, or the writer is overloaded or closed.
        """
        if self._kept is None:
            self._kept = asyncio.get_running_loop().create_future()
        self._frames.append(Frame(station_id, body, at_s))
        kept = self._kept
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        # Whoever is cut off must not cut off the others that wait for the same commit.
        fault = await asyncio.shield(kept)
        if fault is not None:
            raise fault.with_traceback(None)

    async def _write(self) -> None:
        """Write batch after batch until no frame is left."""
        try:
            while self._kept is not None:
                await self._write_one(self._kept)
        finally:
            self._writing = None

    async def _write_one(self, kept: asyncio.Future[VoisinError | None]) -> None:
        frames, self._frames, self._kept = self._frames, [], None
        try:
            await self._writer.run_soon(lambda connection: keep_frames(connection, frames))
        except VoisinError as fault:
            kept.set_result(fault)
        else:
            kept.set_result(None)
