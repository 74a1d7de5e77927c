"""Hold the chain in a test beside eth-tester: the same file of web3.py, run for each."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from statistics import median_low
from typing import Any, Final

from scripts.benchmarks.measuring import NS_PER_MS, each
from scripts.benchmarks.rivals.environment import interpreter, run
from scripts.benchmarks.rows import Baseline, Row, Sense

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[3]
_MODULE: Final = "scripts.benchmarks.rivals.ethtester.transfers"
_TOKEN: Final = _ROOT / "contracts" / "compiled" / "EnergyEuro.json"
_ROUNDS: Final = 3


def rows(command: str) -> tuple[Row, ...]:
    """
    Return what a transfer takes in a test, and the question for all events of 121 blocks.

    The two take turns; the median of all transfers and of all questions counts.

    Raises
    ------
    BenchmarkInvalidError
        If eth-tester cannot be installed, or a transfer fails.
    """
    theirs = [str(interpreter(_HERE)), str(_HERE / "transfers.py"), "eth-tester", str(_TOKEN)]
    ours = [sys.executable, "-m", _MODULE, "voisin", str(_TOKEN)]
    found: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (_measured(ours), _measured(theirs)) for _ in range(_ROUNDS)
    ]
    transfers = [
        _ms([one for turn in found for one in turn[who]["transfers_ns"]]) for who in (0, 1)
    ]
    events = [_ms([turn[who]["events_ns"] for turn in found]) for who in (0, 1)]
    what = "eth-tester 0.14.0b1 on py-evm, the same file of web3.py in the same run"
    return (
        Row("test_erc20_p50_ms", transfers[0], "ms", _beside(transfers[1], what), command),
        Row("test_events_ms", events[0], "ms", _beside(events[1], what), command),
    )


def _measured(command: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(command, directory=_ROOT))
    return found


def _ms(times_ns: list[int]) -> Decimal:
    return each(median_low(times_ns), 1, NS_PER_MS)


def _beside(value: Decimal, what: str) -> Baseline:
    return Baseline(value, what, Sense.FASTER)
