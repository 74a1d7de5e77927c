"""A day of the demonstration, settled once for all tests that look at it."""

import fcntl
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Settled:
    """A data directory after a run of one day, and what the run wrote."""

    base: Path
    summary: dict[str, Any]

    @property
    def directory(self) -> Path:
        return next(self.base.glob("week-*"))


def demo(base: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start ``scripts.demo_week`` on the data directory ``base``."""
    return subprocess.Popen(
        [
            *("/usr/bin/env", f"VOISIN_DATA_DIR={base}"),
            *(sys.executable, "-m", "scripts.demo_week", "--once", "--days", "1"),
            *("--port", "0", "--json", str(base / "summary.json"), *options),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(base: Path) -> Settled:
    """Run the day to its end, wherever it stands."""
    process = demo(base)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()
    return Settled(base, json.loads((base / "summary.json").read_text()))


@pytest.fixture(scope="session")
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """A settled day, made by whichever worker needs it first; who would change it takes a copy."""
    own = tmp_path_factory.getbasetemp()
    base = (own.parent if hasattr(request.config, "workerinput") else own) / "day"
    base.mkdir(exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        written = base / "summary.json"
        return Settled(base, json.loads(written.read_text())) if written.exists() else finish(base)
