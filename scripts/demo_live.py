"""
Open a street with live charging stations on this machine: ``scripts/demo --live``.

The service, its chain and the stations run on the wall clock. A driver opens the page that the
station's QR code shows, puts down a deposit with one signature, charges, stops, and sees the rest
come back. Cars and meters are simulated and speak the real protocols. Ctrl-C at any time: the next
run goes on from there.
"""

import asyncio
import logging
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import segno
import structlog
import typer
from rich.console import Console

from api.embedded import Running, Secrets, embedded_chain, embedded_gateway, open_service, serving
from api.settings import Settings
from ledger.clock import SystemClock
from ledger.units import UnixSeconds
from scripts.street import faucet, place
from scripts.street.memory import StreetMemory
from scripts.summary import LAWS

_LEAD_S: Final = 3_600
_MEMORY: Final = "street.json"


def main(
    seed: Annotated[int, typer.Option(help="Fixes every key and salt.")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for a free one.")] = 8_000,
    fresh: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--fresh", help="Forget an earlier street.")
    ] = False,
) -> None:
    """Open a street with live stations; it stays open until Ctrl-C."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    directory = Settings().data_dir / f"street-seed{seed}"
    if fresh and directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_street(Console(), directory, seed, (host, port)))


async def _street(
    console: Console, directory: Path, seed: int, place_to_listen: tuple[str, int]
) -> None:
    clock = SystemClock()
    memory = StreetMemory.load(directory / _MEMORY, clock.now_s())
    memory.save()
    keys, leaving = place.street_keys(seed), asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, leaving.set)
    genesis_s = UnixSeconds(memory.born_s - _LEAD_S)
    host, port = place_to_listen
    async with embedded_chain(directory, clock, genesis_s) as (devnet, _):
        opened = await asyncio.to_thread(
            open_service,
            directory,
            embedded_gateway(devnet),
            clock,
            place.street_rules(),
            Secrets.derive(f"street {seed}"),
        )
        async with serving(
            opened, host=host, port=port, status=lambda: _status(clock), more=(faucet.router,)
        ) as running:
            await place.enrol(running, keys, seed=seed, from_s=memory.born_s)
            await place.catch_up(running, clock)
            _greet(console, running)
            await place.live(running, keys, memory, clock, leaving)


def _status(clock: SystemClock) -> Mapping[str, Any]:
    """Return what the overview says beyond the service: in service, laws not checked."""
    return {
        "state": "serving",
        "clock": {"now_s": clock.now_s(), "first_s": None, "last_s": None, "progress_bp": None},
        "planned": {"intervals": None, "sessions": None},
        "laws": {name: {"ok": None, "text": text} for name, text in LAWS.items()},
        "ledger_equals_chain": None,
    }


def _greet(console: Console, running: Running) -> None:
    first = f"{running.url}/s/{next(iter(place.STATIONS))}"
    console.print(
        "[bold]Voisin[/]: a street with four live charging stations. Cars, meters and wallets are "
        "a demonstration\nand speak the real protocols.\n"
    )
    segno.make(first, micro=False).terminal(compact=True)
    console.print(f"Charge at the first station: [bold]{first}[/]")
    console.print(f"All stations: {running.url}/s   Dashboard: {running.url}/   Ctrl-C to leave")


if __name__ == "__main__":
    typer.run(main)
