"""Keep what we are measured beside in environments of its own, each from its lock."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.benchmarks.rows import BenchmarkInvalidError

_LOCK: Final = "requirements.lock"
_STAMP: Final = ".voisin-lock"


def interpreter(folder: Path) -> Path:
    """
    Return the Python that has what the lock in ``folder`` names, hashes checked.

    It is made there if it is not; quick when nothing changed.

    Raises
    ------
    BenchmarkInvalidError
        If it cannot be installed.
    """
    environment, lock = folder / ".venv", folder / _LOCK
    python, stamp = environment / "bin" / "python", environment / _STAMP
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    run([sys.executable, "-m", "venv", "--clear", str(environment)])
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    run([str(python), "-m", "pip", "install", *options, "--requirement", str(lock)])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run(command: list[str], asked: str = "", directory: Path | None = None) -> str:
    """
    Return what a command prints when it reads ``asked``.

    Raises
    ------
    BenchmarkInvalidError
        If it fails.
    """
    done = subprocess.run(  # noqa: S603 - our own files, by their own interpreter
        command, check=False, capture_output=True, input=asked, text=True, cwd=directory
    )
    if done.returncode:
        raise BenchmarkInvalidError(f"{command[-1]} failed: {done.stderr[-300:]}")
    return done.stdout
