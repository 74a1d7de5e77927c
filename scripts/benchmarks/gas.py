"""Measure gas: exact, from receipts, of transactions whose counters and balances exist already."""

from decimal import Decimal
from typing import Final

from devnet.field.keys import Curve
from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from ledger.clock import ReplayClock
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.rows import Baseline, Row, Sense
from scripts.benchmarks.stage import START_S, Stage
from scripts.benchmarks.volume import gas_trade

COMMAND: Final = "scripts/bench gas"

_CHAIN_ID: Final = 3_300
_NOBODY: Final = "0x" + "77" * 20


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of gas; what the first transaction of a kind pays extra is left out."""
    clock = ReplayClock(START_S)
    devnet = Devnet.open(trial.directory / "gas", Genesis(_CHAIN_ID, START_S), clock)
    try:
        stage = Stage(devnet, clock)
        floor = stage.send(_NOBODY, b"").gas_used
        opened, closed_p256 = _session(stage, Curve.SECP256R1)
        _, closed_k1 = _session(stage, Curve.SECP256K1)
        found = {
            "open": opened,
            "close_with_ocmf_p256": closed_p256,
            "close_with_ocmf_k1": closed_k1,
        }
    finally:
        devnet.close()
    rows = tuple(_row(name, gas, floor) for name, gas in found.items())
    return rows + gas_trade.rows(trial.directory, COMMAND)


def _row(name: str, gas: int, floor: int) -> Row:
    what = "a transaction that does nothing, mined on the same chain"
    return Row(name, Decimal(gas), "gas", Baseline(Decimal(floor), what, Sense.COST), COMMAND)


def _session(stage: Stage, curve: Curve) -> tuple[int, int]:
    """Return the gas to open and to close the second session of a meter."""
    meter = stage.enrol(curve.name, curve)
    stage.send(stage.vault.address, stage.open_session(meter).data)
    closing = stage.open_session(meter)
    closed = stage.send(stage.vault.address, closing.data)
    return closing.opened.gas_used, closed.gas_used
