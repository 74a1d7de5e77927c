"""Measure gas: exact, from receipts, of transactions whose counters and balances exist already."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.store.history import Mined
from ledger.clock import ReplayClock
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.rivals.nodes import CHAIN_ID
from scripts.benchmarks.rows import Baseline, Row, Sense
from scripts.benchmarks.stage import START_S, Stage
from scripts.benchmarks.volume import gas_page, gas_trade, gas_vault
from scripts.benchmarks.volume.gas_parts import Act, Parts, parts_of

COMMAND: Final = "scripts/bench gas"
_ACTS: Final[tuple[Callable[[Stage], Iterator[Act]], ...]] = (gas_vault.acts, gas_trade.acts)


@dataclass(frozen=True, slots=True)
class Measured:
    """An act and what its gas was paid for."""

    act: Act
    """What was done."""
    parts: tuple[Parts, ...]
    """What each of its transactions was paid for."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What was done on one chain."""

    acts: tuple[Measured, ...]
    """What is measured."""
    mined: tuple[Mined, ...]
    """Every transaction, in order; what is there before an act counts too."""


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of gas and write the page of gas."""
    found = acts_of(measure(trial.directory))
    gas_page.PAGE.write_text(page(found), encoding="utf-8")
    return tuple(
        Row(
            one.act.name,
            one.act.gas,
            "gas",
            Baseline(Decimal(one.act.baseline.gas_used), one.act.against, Sense.COST),
            COMMAND,
        )
        for one in found
    )


def page(found: tuple[Measured, ...]) -> str:
    """Return the page of gas."""
    return gas_page.page((one.act.name, one.act.gas, one.act.share, one.parts) for one in found)


def measure(directory: Path) -> tuple[Campaign, ...]:
    """Do everything once, each contract on a chain of its own."""
    return tuple(_campaign(directory / f"gas-{number}", acts) for number, acts in enumerate(_ACTS))


def acts_of(campaigns: Iterable[Campaign]) -> tuple[Measured, ...]:
    """Return the acts of all chains."""
    return tuple(one for campaign in campaigns for one in campaign.acts)


def _campaign(directory: Path, acts: Callable[[Stage], Iterator[Act]]) -> Campaign:
    clock = ReplayClock(START_S)
    devnet = Devnet.open(directory, Genesis(CHAIN_ID, START_S), clock)
    try:
        stage = Stage(devnet, clock)
        found = tuple(
            Measured(act, tuple(parts_of(devnet, mined) for mined in act.mined))
            for act in tuple(acts(stage))
        )
        return Campaign(found, tuple(stage.mined))
    finally:
        devnet.close()
