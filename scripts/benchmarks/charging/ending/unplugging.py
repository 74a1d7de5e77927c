"""
Be many stations in a process of its own: connect, then unplug each car when its time has come.

It reads its plan, one JSON line, connects everybody and says so; a second line begins. In the end
it writes what it saw, one JSON line. Times are due, not paced: a slow service does not slow the
arrivals down.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from scripts.benchmarks.charging.ending import READY

_SUBPROTOCOL: Final = Subprotocol("ocpp1.6")
_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_NS_PER_US: Final = 1_000
_HANDSHAKES_AT_ONCE: Final = 50


async def unplug(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Connect every station of ``plan``, wait for the word, and send each frame when it is due."""
    gate = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)
    links = await asyncio.gather(*(_connect(plan["url"], car, gate) for car in plan["cars"]))
    print(READY, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began_ns = perf_counter_ns()
    seen = await asyncio.gather(
        *(_unplug(link, car, began_ns) for link, car in zip(links, plan["cars"], strict=True))
    )
    await asyncio.gather(*(link.close() for link in links))
    late, answered = zip(*seen, strict=True)
    return {"late_us": max(late), "answered_us": max(answered)}


async def _connect(url: str, car: Mapping[str, Any], gate: asyncio.Semaphore) -> ClientConnection:
    credentials = base64.b64encode(f"{car['station']}:{car['password']}".encode()).decode()
    async with gate:
        return await connect(
            f"{url}/{car['station']}",
            subprotocols=[_SUBPROTOCOL],
            additional_headers={"Authorization": f"Basic {credentials}"},
            ping_interval=None,
            proxy=None,
            compression=None,
        )


async def _unplug(link: ClientConnection, car: Mapping[str, Any], began_ns: int) -> tuple[int, int]:
    """Send the frame when it is due; return how late it was and how long its answer took, in us."""
    due_ns = began_ns + int(car["due_ms"]) * _NS_PER_MS
    await asyncio.sleep(max(0, due_ns - perf_counter_ns()) / _NS_PER_S)
    sent_ns = perf_counter_ns()
    await link.send(car["frame"])
    await link.recv()
    answered_ns = perf_counter_ns()
    return (sent_ns - due_ns) // _NS_PER_US, (answered_ns - sent_ns) // _NS_PER_US


def main() -> None:
    """Do what standard input says."""
    plan = json.loads(sys.stdin.readline())
    print(json.dumps(asyncio.run(unplug(plan))), flush=True)


if __name__ == "__main__":
    main()
