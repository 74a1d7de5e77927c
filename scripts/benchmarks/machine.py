"""Say what machine this is, and lend its disk."""

import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from api.settings import Settings

_PROCESSOR: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Trial:
    """Where an area may write, and how much it is to do."""

    directory: Path
    """Empty directory on the disk that the service uses."""
    days: int
    """How many days the demo is to settle."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend a directory on the service's own disk; a disk in memory would make commits free."""
    data_dir = Settings().data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=data_dir) as directory:
        yield Path(directory)


def facts() -> tuple[str, ...]:
    """Return what the figures depend on; no name and no path of the machine."""
    return (
        f"{os.cpu_count()} CPUs ({_processor()})",
        f"{platform.system()} on {platform.machine()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"py-evm {version('py-evm')}",
        f"coincurve {version('coincurve')}",
    )


def _processor() -> str:
    """Return the processor's model, where the system says it."""
    if _PROCESSOR.exists():
        for line in _PROCESSOR.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
