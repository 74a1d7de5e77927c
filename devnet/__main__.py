"""
Run a node: ``python -m devnet --dir D --port P --chain-id N``.

It prints ``listening on URL`` when it answers, and stops on SIGINT or SIGTERM.
"""

import argparse
import logging
import shutil
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from devnet.genesis import GENESIS_FILE, ClockProfile, Genesis, load_genesis
from devnet.keys import public_accounts
from devnet.node.chain import Devnet
from devnet.node.foreign import open_foreign
from devnet.server import serve
from devnet.store.engines import EngineKind
from ledger.clock import Clock, ReplayClock, SystemClock
from ledger.errors import VoisinError

_PURSE_WEI: Final = 10_000 * 10**18


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a node is to be run."""

    directory: Path
    """Where the blocks are kept."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8545
    """Port to listen on; 0 for a free one."""
    chain_id: int = 31_337
    """EIP-155 number of a new chain."""
    clock: ClockProfile = ClockProfile.DISCRETE
    """What the block times of a new chain follow."""
    engine: EngineKind = EngineKind.FLAT
    """What executes."""
    accounts: bool = False
    """Whether anvil's ten accounts have coins and the node signs for them."""
    faults: bool = False
    """Whether the node may be broken on purpose."""
    fresh: bool = False
    """Whether to forget the chain that is there."""
    foreign: tuple[Path, Path] | None = None
    """A foreign chain to serve instead: genesis in geth's layout, and blocks in RLP."""


def main() -> int:
    """Run until a signal comes; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    return run(_options())


def run(options: RunOptions) -> int:
    """Run a node until SIGINT or SIGTERM comes; return the exit status."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        devnet = open_node(options)
        try:
            node = serve(devnet, options.host, options.port)
            sys.stdout.write(f"listening on {node.url}\n")
            sys.stdout.flush()
            stopped.wait()
            node.stop()
        finally:
            devnet.close()
    except (VoisinError, OSError) as error:
        sys.stderr.write(f"devnet: {error}\n")
        return 1
    return 0


def open_node(options: RunOptions) -> Devnet:
    """
    Open the chain that ``options`` name.

    Raises
    ------
    VoisinError
        If it cannot be opened; see ``Devnet.open`` and ``open_foreign``.
    """
    if options.foreign is not None:
        genesis_path, blocks_path = options.foreign
        return open_foreign(genesis_path.read_bytes(), blocks_path.read_bytes())
    if options.fresh:
        shutil.rmtree(options.directory, ignore_errors=True)
    genesis = _genesis(options)
    clock: Clock = SystemClock()
    if genesis.clock is ClockProfile.DISCRETE:
        # Nobody drives it here but who asks for time to pass.
        clock = ReplayClock(genesis.timestamp_s)
    devnet = Devnet.open(
        options.directory, genesis, clock, options.engine, breakable=options.faults
    )
    if options.accounts:
        devnet.keys.update(
            {bytes.fromhex(one.address[2:]): one.private_key for one in public_accounts()}
        )
    return devnet


def _options() -> RunOptions:
    parser = argparse.ArgumentParser(prog="python -m devnet", description="Run a chain of one node")
    parser.add_argument("--dir", type=Path, required=True, help="where the blocks are kept")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=8545, help="port to listen on, 0 for a free one"
    )
    parser.add_argument("--chain-id", type=int, default=31_337, help="EIP-155 number of the chain")
    parser.add_argument(
        "--clock", choices=[*ClockProfile], default=ClockProfile.DISCRETE, help="what time follows"
    )
    parser.add_argument(
        "--engine", choices=[*EngineKind], default=EngineKind.FLAT, help="what executes"
    )
    parser.add_argument("--accounts", action="store_true", help="fund and unlock anvil's accounts")
    parser.add_argument("--faults", action="store_true", help="let tests break the node")
    parser.add_argument("--fresh", action="store_true", help="forget the chain that is there")
    parser.add_argument(
        "--foreign", type=Path, nargs=2, metavar=("GENESIS", "CHAIN"), help="serve this chain"
    )
    given = parser.parse_args()
    return RunOptions(
        directory=given.dir,
        host=given.host,
        port=given.port,
        chain_id=given.chain_id,
        clock=ClockProfile(given.clock),
        engine=EngineKind(given.engine),
        accounts=given.accounts,
        faults=given.faults,
        fresh=given.fresh,
        foreign=tuple(given.foreign) if given.foreign else None,
    )


def _genesis(options: RunOptions) -> Genesis:
    """Return the start that the directory has, or a new one at the present instant."""
    if (options.directory / GENESIS_FILE).exists():
        # A chain keeps its instant, its balances and its clock; only the number is asked for again.
        there = load_genesis(options.directory)
        return Genesis(
            options.chain_id, there.timestamp_s, there.gas_limit, there.balances, there.clock
        )
    funded = public_accounts() if options.accounts else ()
    balances = tuple(sorted((one.address.lower(), _PURSE_WEI) for one in funded))
    return Genesis(options.chain_id, SystemClock().now_s(), balances=balances, clock=options.clock)


if __name__ == "__main__":
    sys.exit(main())
