"""Measure the demo as a user runs it: a process of its own, the whole week, drivers' refunds."""

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from api.embedded import CHAIN
from devnet.verify import verify
from scripts.benchmarks.devnet import closing_ns
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_S, each, stopwatch_ns
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

COMMAND: Final = "scripts/bench demo"
WEEK_DAYS: Final = 7
"""How many days the demo has; fewer are a trial."""

_SUMMARY: Final = "summary.json"


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of the demo."""
    mined_ns, _ = closing_ns(trial.directory / "closing")
    summary = _settle(trial)
    (chain,) = trial.directory.glob(f"week-*/{CHAIN}")
    imported_ns = stopwatch_ns(lambda: verify(chain))
    command = COMMAND if trial.days == WEEK_DAYS else f"{COMMAND} --days {trial.days}"
    import_baseline = Baseline(
        each(imported_ns, 1, NS_PER_S),
        f"its {summary['chain_transactions']} chain transactions imported again by devnet.verify",
        Sense.SHARE,
    )
    refund_baseline = Baseline(
        each(mined_ns, 1, NS_PER_MS),
        "ChargeVault.closeWithOcmf alone, mined and on disk, in one process",
        Sense.SHARE,
    )
    refunds = summary["refund_ms"]
    return (
        Row("week_s", Decimal(summary["duration_s"]), "s", import_baseline, command),
        Row("refund_p50_ms", Decimal(refunds["p50"] or 0), "ms", refund_baseline, command),
        Row("refund_p99_ms", Decimal(refunds["p99"] or 0), "ms", refund_baseline, command),
    )


def _settle(trial: Trial) -> dict[str, Any]:
    """
    Run the demo from its start and return its summary.

    Raises
    ------
    BenchmarkInvalidError
        If it failed, or a law does not hold.
    """
    environment = shutil.which("env")
    if environment is None:
        raise BenchmarkInvalidError("there is no env to set the demo's directory with")
    summary = trial.directory / _SUMMARY
    demo = ("-m", "scripts.demo_week", "--once", "--fresh", "--port", "0")
    options = ("--days", str(trial.days), "--json", str(summary))
    ended = subprocess.run(  # noqa: S603 - our own demo, by this very interpreter
        [environment, f"VOISIN_DATA_DIR={trial.directory}", sys.executable, *demo, *options],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    if ended.returncode or not summary.exists():
        raise BenchmarkInvalidError(f"the demo ended with {ended.returncode}: {ended.stderr}")
    found: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return found
