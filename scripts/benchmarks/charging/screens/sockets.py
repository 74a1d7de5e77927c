"""The stations' and the drivers' side: sockets that cost next to nothing themselves."""

import asyncio
import json
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Final

from ledger.clock import SystemClock
from scripts.benchmarks.charging.screens.process import Seat, Street
from scripts.benchmarks.charging.wires import Wire, connect_all, text_frame
from scripts.benchmarks.rows import BenchmarkInvalidError

_BEGIN_WH: Final = 1_000_000
_TIMEOUT_S: Final = 30
_SETTLE_S: Final = 2.0
_LINE_BYTES: Final = 2**20
_DATA: Final = b"data: "


async def watched(street: Street, values: int) -> list[int]:
    """Let every seat tell ``values`` values, one a second; return what each took, in ns."""
    wires = await connect_all(street.port, [(one.station, one.password) for one in street.seats])
    sides = [Side(one, wire) for one, wire in zip(street.seats, wires, strict=True)]
    for side in sides:
        await side.start(street.port)
    # A meter's first value needs a second to have come from somewhere.
    await asyncio.sleep(_SETTLE_S)
    spread = [side.tell(number / len(sides), values) for number, side in enumerate(sides)]
    found = await asyncio.gather(*spread)
    for side in sides:
        side.close()
    return [one for times in found for one in times]


class Side:
    """A station that charges, and the screen of its driver."""

    def __init__(self, seat: Seat, wire: Wire) -> None:
        self._seat: Final = seat
        self._wire: Final = wire
        self._transaction = 0
        self._shown: Final[dict[int, asyncio.Future[int]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, port: int) -> None:
        """Open the screen, and start the transaction."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port, limit=_LINE_BYTES)
        self._writer.write(f"GET {self._seat.stream} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise BenchmarkInvalidError(f"no screen: {head[:40]!r}")
        self._task = asyncio.create_task(self._watch(reader))
        answer = await self._say(
            "StartTransaction",
            {
                "connectorId": 1,
                "idTag": self._seat.id_tag,
                "meterStart": _BEGIN_WH,
                "timestamp": _now(),
            },
        )
        told = json.loads(answer)[2]
        if told["idTagInfo"]["status"] != "Accepted":
            raise BenchmarkInvalidError(f"{self._seat.station} may not start")
        self._transaction = told["transactionId"]

    async def tell(self, after_s: float, values: int) -> list[int]:
        """Tell a value every second; return how long each took to the screen, in ns."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time() + after_s
        times = []
        for number in range(1, values + 1):
            await asyncio.sleep(begin_s + number - loop.time())
            shown = self._shown[number] = loop.create_future()
            began_ns = perf_counter_ns()
            await self._say("MeterValues", self._values(number))
            times.append(await asyncio.wait_for(shown, _TIMEOUT_S) - began_ns)
        return times

    def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()
        self._wire.close()

    def _values(self, number: int) -> dict[str, object]:
        sampled = {
            "value": str(_BEGIN_WH + number),
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        }
        power = {"value": "3600", "measurand": "Power.Active.Import", "unit": "W"}
        value = {"timestamp": _now(), "sampledValue": [sampled, power]}
        return {
            "connectorId": 1,
            "transactionId": self._transaction,
            "meterValue": [value],
        }

    async def _say(self, action: str, payload: dict[str, object]) -> bytes:
        message_id = str(perf_counter_ns())
        frame = text_frame(json.dumps([2, message_id, action, payload], separators=(",", ":")))
        answer, _ = await self._wire.ask(frame)
        return answer

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            at_ns = perf_counter_ns()
            # Lines of a chunked body; those with a chunk's length say nothing.
            if line.startswith(_DATA):
                number = _energy_wh(json.loads(line[len(_DATA) :]))
                shown = self._shown.get(number)
                if shown is not None and not shown.done():
                    shown.set_result(at_ns)


def _energy_wh(told: object) -> int:
    """Return the energy that a screen is told, by the service or by the echo."""
    if isinstance(told, dict):
        return int(told["energy_wh"] or 0)
    if isinstance(told, list):
        return int(told[3]["meterValue"][0]["sampledValue"][0]["value"]) - _BEGIN_WH
    raise BenchmarkInvalidError("a screen is told something else")


def _now() -> str:
    return datetime.fromtimestamp(SystemClock().now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
