"""Measure gas: exact, from receipts, of transactions whose counters and balances exist already."""

from collections.abc import Callable, Iterator
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


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of gas and write the page of gas."""
    found = measure(trial.directory)
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


def measure(directory: Path) -> tuple[Measured, ...]:
    """Do everything once, each contract on a chain of its own."""
    return tuple(one for number in range(len(_ACTS)) for one in _measured(directory, number)[0])


def transactions(directory: Path, number: int) -> list[Mined]:
    """Return every transaction of the measuring on one of its chains, in order."""
    return _measured(directory, number)[1]


def _measured(directory: Path, number: int) -> tuple[list[Measured], list[Mined]]:
    clock = ReplayClock(START_S)
    devnet = Devnet.open(directory / f"gas-{number}", Genesis(CHAIN_ID, START_S), clock)
    try:
        stage = Stage(devnet, clock)
        acts = list(_ACTS[number](stage))
        found = [
            Measured(act, tuple(parts_of(devnet, mined) for mined in act.mined)) for act in acts
        ]
        return found, stage.mined
    finally:
        devnet.close()
