"""
Run every campaign against ledger, outbox and proofs, and say what came of each.

``scripts/faults [--full] [--seed N] [--only NAME] [--write]``. A campaign stops at the first thing
lost, doubled or unexplained, with what it was; then this ends with 1.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console
from rich.table import Table

from ledger.errors import VoisinError
from scripts.campaigns.books.clocks import turn_clocks
from scripts.campaigns.books.crowds import fight_for_holds, send_copies
from scripts.campaigns.books.databases import Databases, PostgresqlServer, SqliteFiles, databases
from scripts.campaigns.books.flips import flip_bits
from scripts.campaigns.books.kills import kill_ledgers
from scripts.campaigns.books.obstacles import fill_disk, hold_lock, start_twice
from scripts.campaigns.books.torn import tear_logs
from scripts.campaigns.chain_faults import campaign as fire
from scripts.campaigns.forged_proofs import campaign as forge
from scripts.campaigns.simulator.__main__ import simulate

PAGE: Final = Path(__file__).parents[2] / "docs/reference/faults.md"
BEGIN: Final = "<!-- written by scripts/faults --full --write -->"
_SAMPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Campaign:
    """One kind of fault."""

    name: str
    """What is done, for people."""
    count: int
    """How often, in the whole campaign."""
    run: Callable[[int, int], str]
    """Does it so often, with a seed; says what came of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign came to."""

    campaign: str
    """Its name."""
    seed: int
    """Its seed."""
    count: int
    """How often the fault was made."""
    result: str
    """What came of it."""


def campaigns() -> tuple[Campaign, ...]:
    """Return every campaign, in the order of the table."""
    return (
        *(campaign for name in (SqliteFiles.name, PostgresqlServer.name) for campaign in _on(name)),
        Campaign("torn ends of SQLite's log", 10_000, _torn),
        Campaign("flipped bits in rows, log and tiles", 1_000, _flips),
        Campaign("disk full (SQLite)", 10, _full),
        Campaign("lock held by another process (SQLite)", 10, _locked),
        Campaign("forged proofs, notes and submissions", 1_000_000, _forged),
        Campaign("simulated services, 300 steps each", 100, simulate),
    )


def _on(name: str) -> Iterator[Campaign]:
    """Yield the campaigns that each database gets."""
    kills = 700 if name == SqliteFiles.name else 300
    yield Campaign(f"kill -9 of the writer ({name})", kills, _with(name, _kills))
    yield Campaign(f"requests sent 2 to 50 times at once ({name})", 4_000, _with(name, _copies))
    yield Campaign(f"64 threads on one hold ({name})", 500, _with(name, _fights))
    yield Campaign(f"two services on one database ({name})", 10, _with(name, _twice))
    yield Campaign(f"wall clock set back and forward ({name})", 5_000, _with(name, _turned))
    rounds = 540 if name == SqliteFiles.name else 180
    yield Campaign(f"outbox, node and mempool under fire ({name})", rounds, _with(name, _chain))


def _with(name: str, run: Callable[[Databases, int, int], str]) -> Callable[[int, int], str]:
    def run_on(count: int, seed: int) -> str:
        with TemporaryDirectory() as directory, databases(name, Path(directory)) as opened:
            return run(opened, count, seed)

    return run_on


def _kills(opened: Databases, count: int, seed: int) -> str:
    tally = kill_ledgers(opened, kills=count, seed=seed)
    return (
        f"{tally.acknowledged:,} acknowledged requests found unchanged; {tally.in_doubt:,} stood "
        f"untold, {tally.sent_again:,} went through when sent again; 0 lost, 0 doubled"
    )


def _copies(opened: Databases, count: int, seed: int) -> str:
    crowd = send_copies(opened, requests=count, seed=seed)
    return f"{crowd.sent:,} sent for {crowd.requests:,} requests: one effect and one answer each"


def _fights(opened: Databases, count: int, seed: int) -> str:
    crowd = fight_for_holds(opened, rounds=count, seed=seed)
    return f"{crowd.sent:,} posts and voids: each hold resolved once, nothing over what was held"


def _twice(opened: Databases, count: int, _: int) -> str:
    for _ in range(count):
        start_twice(opened)
    return "the second was refused each time, and wrote once the first was dead"


def _turned(opened: Databases, count: int, seed: int) -> str:
    done = turn_clocks(opened, steps=count, seed=seed)
    return (
        f"{done.refused:,} told `clock_behind`; {done.expired:,} holds ended, each once; no entry "
        "more than six seconds before an earlier one"
    )


def _torn(count: int, seed: int) -> str:
    done = tear_logs(images=count, seed=seed)
    ways = ", ".join(f"{number:,} {way}" for way, number in sorted(done.items()))
    return f"{ways}: each opened as it was after a commit, none with less than was on the disk"


def _flips(count: int, seed: int) -> str:
    found = flip_bits(flips=count, seed=seed)
    where = ", ".join(f"{number:,} in {table}" for table, number in sorted(found.items()))
    return f"{where}: each named by the replay or refused by the database"


def _full(count: int, seed: int) -> str:
    done = [fill_disk(seed + number) for number in range(count)]
    taken, refused = sum(one.taken for one in done), sum(one.refused for one in done)
    return f"{taken:,} acknowledged, all there; {refused:,} told `database_full`, nothing of them"


def _locked(count: int, seed: int) -> str:
    for number in range(count):
        hold_lock(seed + number)
    return "told `database_busy` each time, nothing written; went through afterwards"


def _chain(opened: Databases, count: int, seed: int) -> str:
    for name in ("devnet", "settlement"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with TemporaryDirectory() as directory:
        tally = fire(Path(directory), count, seed, opened.new())
    return (
        f"{tally.kills:,} kills among them; {tally.keys:,} business keys: {tally.lost} lost, "
        f"{tally.duplicated} doubled, {tally.unexplained} unexplained"
    )


def _forged(count: int, seed: int) -> str:
    tally = forge(count, seed)
    refused, same = sum(tally.refused.values()), sum(tally.same.values())
    return (
        f"{refused:,} refused, {same:,} said the same as the original; 0 accepted, in "
        f"{len(tally.ways)} ways"
    )


@contextmanager
def _timed(console: Console, name: str) -> Iterator[None]:
    began = perf_counter()
    with console.status(name):
        yield
    console.print(f"{name}: {perf_counter() - began:,.0f} s", style="dim")


def main(
    seed: Annotated[int, typer.Option(help="What decides every die.")] = 1,
    only: Annotated[str, typer.Option(help="Only campaigns whose name contains this.")] = "",
    *,
    full: Annotated[bool, typer.Option(help="As often as the table says; an hour.")] = False,
    write: Annotated[bool, typer.Option(help="Write the table into the reference.")] = False,
) -> None:
    """Run the campaigns and print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console, outcomes = Console(), []
    for campaign in campaigns():
        if only not in campaign.name:
            continue
        count = campaign.count if full else max(campaign.count // _SAMPLE, 1)
        try:
            with _timed(console, campaign.name):
                result = campaign.run(count, seed)
        except VoisinError as fault:
            console.print(f"{campaign.name}, seed {seed}: {fault.code}: {fault}", style="red")
            raise typer.Exit(1) from fault
        outcomes.append(Outcome(campaign.name, seed, count, result))
    table = Table("fault", "seed", "count", "result", title="faults", title_justify="left")
    for one in outcomes:
        table.add_row(one.campaign, str(one.seed), f"{one.count:,}", one.result)
    console.print(table)
    if write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), outcomes), encoding="utf-8")


def page(before: str, outcomes: list[Outcome]) -> str:
    """Return the page with the table after its mark; rows of campaigns that did not run stay."""
    head, _, table = before.partition(BEGIN)
    rows = {line.split(" | ")[0]: line for line in table.splitlines() if line.startswith("| ")}
    for one in outcomes:
        name = f"| {one.campaign}"
        rows[name] = f"{name} | {one.seed} | {one.count:,} | {one.result} |"
    known = [f"| {campaign.name}" for campaign in campaigns()]
    lines = [
        BEGIN,
        "",
        "| fault | seed | count | result |",
        "| --- | ---: | ---: | --- |",
        *(rows[name] for name in known if name in rows),
    ]
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
