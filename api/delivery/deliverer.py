"""
Deliver what subscribers wait for, beside everything else the service does.

Each subscriber is told in order and one thing at a time; one that does not answer holds up nobody
but itself, and is tried again after a growing while. Waiting follows the wall clock.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import httpx2
from sqlalchemy import Connection
from standardwebhooks import Webhook

from api.delivery.addresses import located
from api.dependencies import Context
from ledger.clock import Clock, SteadyClock, SystemClock
from ledger.errors import VoisinError
from ledger.units import UnixSeconds
from settlement.engine.charging.documents import recording, subscribers
from settlement.engine.charging.documents.partners import token_for
from settlement.engine.charging.documents.subscribers import Delivery, Kind, Subscriber

_Result = TypeVar("_Result")
_TIMEOUT_S: Final = 10
_POLL_S: Final = 1
_ROUND_MAX: Final = 100
_ANSWER_BYTES_MAX: Final = 65_536
_OCPI_REFUSED: Final = 2_000


class Deliverer:
    """Takes what is due to each subscriber to where it is wanted."""

    def __init__(self, context: Context, clock: Clock) -> None:
        self._context: Final = context
        self._clock: Final = clock

    async def run(self) -> None:
        """Deliver until the service stops."""
        stopping = self._context.stopping
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
            while not stopping.is_set():
                taken = 0
                # A database that is busy or gone now is asked again in a moment.
                with suppress(VoisinError):
                    taken = await self.once(client)
                if taken:
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _POLL_S)

    async def once(self, client: httpx2.AsyncClient) -> int:
        """Deliver what is due now, a hundred things each at most; return how many were taken."""
        now_s = self._clock.now_s()
        known = await self._read(subscribers.subscribers)
        due = [one for one in known if one.url and one.next_try_s <= now_s]
        if any(one.kind is Kind.OCPI for one in due):
            await keep_all_records(self._context)
        return sum(await asyncio.gather(*(self._tell(client, one, now_s) for one in due)))

    async def _tell(self, client: httpx2.AsyncClient, one: Subscriber, now_s: UnixSeconds) -> int:
        waiting = await self._read(
            lambda connection: subscribers.next_deliveries(connection, one, limit=_ROUND_MAX)
        )
        for count, delivery in enumerate(waiting):
            reason = await self._send(client, one, delivery, now_s)
            if reason:
                await self._write(partial(subscribers.failed, reason=reason, now_s=now_s), one)
                return count
            await self._write(partial(subscribers.delivered, seq=delivery.seq), one)
        return len(waiting)

    async def _send(
        self, client: httpx2.AsyncClient, one: Subscriber, delivery: Delivery, now_s: UnixSeconds
    ) -> str:
        """Send one thing; return why it was not taken, or the empty string."""
        try:
            address = await located(one.url, private=self._context.private_addresses)
            async with client.stream(
                "POST",
                address.url,
                content=delivery.body.encode(),
                headers={"host": address.host, **headers_of(one, delivery, now_s)},
                extensions={"sni_hostname": address.name},
            ) as answer:
                content = await _read_some(answer)
        except VoisinError as fault:
            return f"{fault.code}: {fault}"
        except httpx2.HTTPError as fault:
            return f"no answer: {fault!r}"
        if not answer.is_success:
            return f"answered {answer.status_code}"
        return _refusal(content) if one.kind is Kind.OCPI else ""

    async def _write(self, note: Callable[[Connection, Subscriber], None], one: Subscriber) -> None:
        await self._context.writer.run_soon(lambda connection: note(connection, one))

    async def _read(self, work: Callable[[Connection], _Result]) -> _Result:
        def read() -> _Result:
            with self._context.service.reading() as connection:
                return work(connection)

        return await asyncio.to_thread(read)


@asynccontextmanager
async def telling(context: Context) -> AsyncIterator[None]:
    """
    Deliver while the block runs, if the service follows the wall clock.

    A replay's clock runs ahead of everybody who could be told; nobody is.
    """
    if not isinstance(context.service.clock, SteadyClock):
        yield
        return
    task = asyncio.create_task(Deliverer(context, SystemClock()).run())
    try:
        yield
    finally:
        # What was sent but not noted is sent again by the next service, so nothing is waited for.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def headers_of(one: Subscriber, delivery: Delivery, now_s: UnixSeconds) -> Mapping[str, str]:
    """Return the headers by which a subscriber knows that it is us who tell it."""
    if one.kind is Kind.OCPI:
        token = base64.b64encode(token_for(one).encode()).decode()
        return {
            "authorization": f"Token {token}",
            "content-type": "application/json",
            "x-request-id": f"{one.name}/{delivery.seq}",
            "x-correlation-id": f"{one.name}/{delivery.seq}",
        }
    moment = datetime.fromtimestamp(now_s, UTC)
    identity = str(delivery.seq)
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(now_s),
        "webhook-signature": Webhook(one.secret).sign(identity, moment, delivery.body),
    }


async def keep_all_records(context: Context) -> None:
    """Keep the charge detail record of every session that closed, a batch at a time."""

    def due() -> bool:
        with context.service.reading() as connection:
            return recording.records_due(connection)

    while await asyncio.to_thread(due):
        await context.writer.run_soon(
            lambda connection: recording.keep_records(context.service, connection, context.issuer)
        )


async def _read_some(answer: httpx2.Response) -> bytes:
    """Return the beginning of an answer, as much as is ever looked at."""
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > _ANSWER_BYTES_MAX:
            break
    return bytes(content)


def _refusal(content: bytes) -> str:
    """Return why an eMSP refused in its OCPI envelope, or the empty string if it did not."""
    try:
        found: Any = json.loads(content)
        code = int(found["status_code"])
    except (ValueError, TypeError, KeyError):
        return ""
    return "" if code < _OCPI_REFUSED else f"OCPI status {code}: {found.get('status_message', '')}"
