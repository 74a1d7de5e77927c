"""
Settle a week of real readings end to end on this machine.

17 homes with rooftop solar and 233 charging sessions, real data of two places, combined and
date-shifted, played through simulated gateways and stations that speak the real protocols, into
the real service, ledger and chain. Ctrl-C or kill -9 at any time: the next run goes on from there.
"""

import asyncio
import json
import logging
import shutil
import signal
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.embedded import Running, Secrets, embedded_chain, embedded_gateway, open_service, serving
from api.settings import Settings
from devnet.field.dataset import load_dataset
from devnet.field.keys import build_keys
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from devnet.node.chain import Devnet
from devnet.node.signatures import fast_signatures
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from scripts import neighbourhood
from scripts.replay import Memory, Replay, World, places_of
from scripts.status import Status
from scripts.summary import Summary, show
from scripts.sun import sunniest_car
from scripts.verdict import roots_of, verify
from settlement.engine.view.overview import overview
from settlement.engine.view.tally import Tally
from settlement.metering.periods import SettlementPeriod

_DAY_S: Final = 86_400
_SETUP_LEAD_S: Final = 7 * _DAY_S
_MEMORY: Final = "replay.json"


@dataclass(frozen=True, slots=True)
class _Week:
    """What is settled, and how."""

    days: int
    seed: int
    settlement: SettlementPeriod


def main(  # noqa: PLR0913, PLR0917 - the options of a command
    days: Annotated[int, typer.Option(min=1, max=7, help="How many days to settle.")] = 7,
    seed: Annotated[int, typer.Option(help="Fixes every key, limit and salt.")] = 1,
    once: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--once", help="Exit instead of keeping the dashboard open.")
    ] = False,
    fresh: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--fresh", help="Forget an earlier run of these days.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the summary for machines.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8_000,
    settlement: Annotated[
        SettlementPeriod, typer.Option(help="What one transaction on the chain settles.")
    ] = SettlementPeriod.INTERVAL,
    setup_s: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Replay a real week and check every law; the dashboard stays open until Ctrl-C."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    each = "" if settlement is SettlementPeriod.INTERVAL else f"-by-{settlement}"
    directory = Settings().data_dir / f"week-{days}d-seed{seed}{each}"
    if fresh and directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    console = Console()
    week = _Week(days, seed, settlement)
    summary = uvloop.run(_demo(console, directory, week, port, (once, setup_s)))
    if json_file is not None:
        json_file.write_text(json.dumps(summary.document(), indent=2) + "\n")
    if not summary.holds:
        raise typer.Exit(1)


async def _demo(
    console: Console,
    directory: Path,
    week: _Week,
    port: int,
    ending: tuple[bool, int],
) -> Summary:
    seed = week.seed
    once, setup_s = ending
    parameters, dataset = load_parameters(), load_dataset()
    keys = build_keys(dataset, parameters, seed=seed)
    schedule = build_schedule(dataset, parameters, seed=seed, days=week.days)
    memory = Memory.load(directory / _MEMORY)
    _greet(console, memory, len(schedule.events))
    genesis_s = UnixSeconds(schedule.first_s - _SETUP_LEAD_S)
    clock = ReplayClock(neighbourhood.clock_start(schedule, memory.played))
    rules = replace(neighbourhood.rules(parameters, dataset), settlement=week.settlement)
    status = Status(clock, schedule, memory)
    async with embedded_chain(directory, clock, genesis_s) as (devnet, _):
        opened = await asyncio.to_thread(
            open_service,
            directory,
            embedded_gateway(devnet),
            clock,
            rules,
            Secrets.derive(f"seed {seed}"),
            database=Settings().database,
        )
        async with serving(opened, host="127.0.0.1", port=_free(port), status=status) as running:
            service = running.service
            console.print(
                f"Chain {service.identity.chain_id} on py-evm, signatures by {fast_signatures()}.\n"
                f"Dashboard: [bold]{running.url}[/]"
            )
            world = World(parameters, keys, schedule, places_of(running))
            if memory.played == 0:
                await neighbourhood.move_in(running, world, seed=seed)
            if memory.played < len(schedule.events):
                await _play(console, Replay(world, running, clock, memory), len(schedule.events))
                memory.save()
            summary = await _conclude(running, devnet, directory, memory, setup_s)
            status.finish(summary.laws)
            show(console, summary, None if once else running.url)
            if not once:
                await _until_interrupted()
    return summary


def _greet(console: Console, memory: Memory, events: int) -> None:
    console.print(
        "[bold]Voisin[/]: a week of [bold]real readings, combined and date-shifted[/]: 17 homes "
        "with rooftop solar\n(Sierra Crest, California, 2017) and 233 charging sessions at 42 "
        "stations (Caltech, 2019, moved to the\nsame week). Prices are a demonstration; meters, "
        "stations and drivers are simulated and speak the\nreal protocols.",
        soft_wrap=True,
    )
    memory.sittings += 1
    if memory.played >= events:
        console.print("This week is settled already; its laws are checked again.")
    elif memory.played:
        console.print(f"Going on after event {memory.played} of {events}.")


async def _play(console: Console, replay: Replay, events: int) -> None:
    """Play the schedule behind a progress bar with the domain clock."""
    columns = (
        TextColumn("{task.fields[clock]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("week", total=events, clock=replay.clock_label())

        def done(count: int) -> None:
            progress.update(task, completed=count, clock=replay.clock_label())

        await replay.play(done)


async def _conclude(
    running: Running, devnet: Devnet, directory: Path, memory: Memory, setup_s: int
) -> Summary:
    """Check every law and add up."""
    laws = await running.desk.run(lambda: verify(running.service, directory))
    with running.service.reading() as connection:
        found = overview(running.service, connection, Tally())
        traced = sunniest_car(running.service, connection)
    return Summary(
        totals=found["totals"],
        refund_ms=found["refund_ms"],
        duration_s=memory.elapsed_ms // 1_000,
        setup_s=setup_s,
        laws=laws,
        roots=roots_of(running.service, devnet),
        sample_session=found["sessions"][0]["trace_id"] if found["sessions"] else None,
        sample_interval=found["intervals"][0]["trace_id"] if found["intervals"] else None,
        traced=traced,
    )


async def _until_interrupted() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()


def _free(port: int) -> int:
    """Return ``port`` if it can be had, else 0: any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return port if probe.connect_ex(("127.0.0.1", port)) else 0


if __name__ == "__main__":
    typer.run(main)
