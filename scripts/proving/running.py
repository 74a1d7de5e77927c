"""Run the tools of the contracts, each from its own place."""

import os
import subprocess
from pathlib import Path
from typing import Final

from ledger.errors import Integrity

ROOT: Final = Path(__file__).parents[2]
CONTRACTS: Final = ROOT / "contracts"
ACCEPTED: Final = CONTRACTS / "test" / "accepted"
TOOLS: Final = CONTRACTS / ".venv" / "bin"


class NotProvenError(Integrity):
    """A part of the proof failed."""

    def __init__(self, what: str) -> None:
        super().__init__("not_proven", what)


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with forge's settings added and the tools on the PATH."""
    inherited = dict(os.environ)  # noqa: TID251 - a child needs the PATH that the script made
    return inherited | settings | {"PATH": f"{TOOLS}{os.pathsep}{inherited['PATH']}"}


def run(*command: str, **settings: str) -> None:
    """
    Run a tool in the contracts' folder and let it speak.

    Raises
    ------
    NotProvenError
        If it says by its exit code that something is wrong.
    """
    done = subprocess.run(command, cwd=CONTRACTS, env=environment(**settings), check=False)  # noqa: S603 - our own commands
    if done.returncode != 0:
        raise NotProvenError(f"{' '.join(command[:2])} failed")


def hear(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in the contracts' folder and return what it said, whatever its exit code."""
    return subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=CONTRACTS,
        env=environment(**settings),
        check=False,
        capture_output=True,
        text=True,
    )
