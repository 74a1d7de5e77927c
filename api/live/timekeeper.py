"""
Let the passing of time act on a service in use: intervals settle, deposits expire, days close.

Only on the wall clock: a replay says itself when time passes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from api.desk import Desk
from ledger.clock import SteadyClock
from ledger.errors import Integrity, VoisinError
from settlement.engine.clockwork import settles_now, tick
from settlement.engine.service import Service

_PULSE_S: Final = 2
_LOG: Final = structlog.get_logger("voisin.live")


@asynccontextmanager
async def timekept(
    service: Service, desk: Desk, readings_came: asyncio.Event
) -> AsyncIterator[None]:
    """
    Do what is due every two seconds while the block runs, and when an interval's last reading came.

    An interval does not wait for the next pulse: its money moves as soon as its last meter spoke. A
    law that broke, or a mistake of ours, stops it and is told; it is never tried again.
    """
    if not isinstance(service.clock, SteadyClock):
        yield
        return
    task = asyncio.create_task(_keep(service, desk, readings_came))
    task.add_done_callback(_stopped)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _stopped(task: asyncio.Task[None]) -> None:
    """Tell whoever watches the process that time no longer passes, should it come to that."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        told = {"message": "the timekeeper stopped", "exception": fault}
        task.get_loop().call_exception_handler(told)


async def _keep(service: Service, desk: Desk, readings_came: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    pulse_s = loop.time() + _PULSE_S
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(pulse_s):
                await readings_came.wait()
        readings_came.clear()
        due = loop.time() >= pulse_s
        try:
            if due or await asyncio.to_thread(settles_now, service):
                await desk.run(lambda: tick(service))
        except Integrity:
            raise
        except VoisinError as fault:
            # What could not be done now is due again at the next pulse.
            _LOG.warning("timekeeper", code=fault.code, detail=str(fault))
        if due:
            pulse_s = loop.time() + _PULSE_S
