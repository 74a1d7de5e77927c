"""Start our node or a rival as a process of its own, and end it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from devnet.genesis import ClockProfile
from scripts.benchmarks.rivals.client import Client
from scripts.benchmarks.rows import BenchmarkInvalidError

VOISIN: Final = "voisin"
VOISIN_WALL: Final = "voisin_wall"
ANVIL: Final = "anvil"
HARDHAT: Final = "hardhat"
BARE: Final = "bare"
CHAIN_ID: Final = 31_337
"""EIP-155 number of all chains, so that a signature is good on any of them."""

_ROOT: Final = Path(__file__).parents[3]
_PEERS: Final = _ROOT / "tests" / "peers"
_MODULES: Final = _PEERS / "node_modules"
_LOOPBACK: Final = "127.0.0.1"
_INSTALL_TIMEOUT_S: Final = 300
_START_TIMEOUT_S: Final = 30
_STOP_TIMEOUT_S: Final = 10
_POLL_MS: Final = 20
_MS_PER_S: Final = 1_000
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_RIVAL_FEE_WEI: Final = 20 * 10**9
_RIVALS: Final = (ANVIL, HARDHAT)
_CLOCKS: Final = {VOISIN: ClockProfile.DISCRETE, VOISIN_WALL: ClockProfile.WALL}


@dataclass(frozen=True, slots=True)
class Node:
    """A node that answers."""

    name: str
    """What it is called in the rows."""
    port: int
    """TCP port on the loopback interface."""

    def connect(self) -> Client:
        """Return a connection of its own."""
        return Client(_LOOPBACK, self.port)


def install() -> bool:
    """Install what ``tests/peers`` locks where it is not, and say whether it is there."""
    try:
        subprocess.run(  # noqa: S603 - our own script
            [str(_ROOT / "scripts" / "peers")],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INSTALL_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def running(name: str, directory: Path, *options: str) -> Iterator[Node]:
    """
    Start a node on a free port with a chain of its own, and kill it at the end.

    Parameters
    ----------
    directory
        Where our node keeps its blocks; the rivals keep theirs in memory.
    options
        Further arguments of the node's program.

    Raises
    ------
    BenchmarkInvalidError
        If it does not answer.
    """
    node = Node(name, _free_port())
    process = subprocess.Popen(  # noqa: S603 - the programs are ours or pinned by a lock
        [*_command(node, directory), *options],
        cwd=_PEERS if name in _RIVALS else _ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(node, process)
        yield node
    finally:
        # The whole group goes; what a node started itself must not outlive it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_TIMEOUT_S)


def max_fee_wei(name: str) -> int:
    """Return what to offer per gas: nothing on our chain, more than the base fee elsewhere."""
    return _RIVAL_FEE_WEI if name in _RIVALS else 0


def _command(node: Node, directory: Path) -> list[str]:
    chain, port = str(CHAIN_ID), str(node.port)
    if node.name in _CLOCKS:
        kept = ["--dir", str(directory / node.name), "--chain-id", chain, "--accounts"]
        told = ["--clock", str(_CLOCKS[node.name]), "--host", _LOOPBACK, "--port", port]
        return [sys.executable, "-m", "devnet", *kept, *told]
    if node.name == BARE:
        path = str(directory / f"{node.name}.log")
        return [sys.executable, "-m", "scripts.benchmarks.rivals.bare", path, _LOOPBACK, port]
    if node.name == ANVIL:
        machine = os.uname().machine
        package = f"anvil-linux-{_ARCHITECTURES.get(machine, machine)}"
        program = str(_MODULES / "@foundry-rs" / package / "bin" / "anvil")
        return [program, "--silent", "--chain-id", chain, "--host", _LOOPBACK, "--port", port]
    binaries = _MODULES / ".bin"
    quiet = ("/usr/bin/env", "HARDHAT_DISABLE_TELEMETRY_PROMPT=true")
    asked = ("node", "--chain-id", chain, "--hostname", _LOOPBACK, "--port", port)
    return [*quiet, str(binaries / "node"), str(binaries / "hardhat"), *asked]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait(node: Node, process: subprocess.Popen[bytes]) -> None:
    until_s = monotonic() + _START_TIMEOUT_S
    while monotonic() < until_s and process.poll() is None:
        try:
            with node.connect() as client:
                if int(client.call("eth_chainId"), 16) == CHAIN_ID:
                    return
        except OSError:
            sleep(_POLL_MS / _MS_PER_S)
    raise BenchmarkInvalidError(f"{node.name} does not answer")
