"""Run the process under test, and look at its memory."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.benchmarks.rows import BenchmarkInvalidError

_STOP_TIMEOUT_S: Final = 30
_KB: Final = 1_024


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves stations."""

    pid: int
    """Its id."""
    port: int
    """Where it listens."""

    def resident_kb(self) -> int:
        """Return how much memory it holds, in kB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(one for one in status.splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1])


@contextmanager
def serving(
    directory: Path, count: int, kind: str, certificate: Path | None = None
) -> Iterator[Process]:
    """Let another process serve ``count`` stations while the block runs."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "scripts.benchmarks.charging.served"]
    command += [str(directory), str(count), kind]
    command += [] if certificate is None else ["--certificate", str(certificate)]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise BenchmarkInvalidError("the process under test has no pipes")
        try:
            yield Process(process.pid, int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(_STOP_TIMEOUT_S)
