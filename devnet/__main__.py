"""
Run a node: ``python -m devnet --dir D --port P --chain-id N``.

It prints ``listening on URL`` when it answers, and stops on SIGINT or SIGTERM.
"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from devnet.chain import Devnet
from devnet.genesis import GENESIS_FILE, Genesis, load_genesis
from devnet.server import serve
from ledger.clock import Clock, SystemClock
from ledger.errors import VoisinError


def main() -> int:
    """Run until a signal comes; return the exit status."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    clock = SystemClock()
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        devnet = Devnet.open(options.dir, _genesis(options, clock), clock)
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devnet", description="Run a chain of one node")
    parser.add_argument("--dir", type=Path, required=True, help="where the blocks are kept")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=8545, help="port to listen on, 0 for a free one"
    )
    parser.add_argument("--chain-id", type=int, default=31_337, help="EIP-155 number of the chain")
    return parser.parse_args()


def _genesis(options: argparse.Namespace, clock: Clock) -> Genesis:
    """Return the start that the directory has, or a new one at the present instant."""
    timestamp_s = clock.now_s()
    if (options.dir / GENESIS_FILE).exists():
        # A chain keeps its instant and its balances; only the number is asked for again.
        there = load_genesis(options.dir)
        return Genesis(options.chain_id, there.timestamp_s, there.gas_limit, there.balances)
    return Genesis(options.chain_id, timestamp_s)


if __name__ == "__main__":
    sys.exit(main())
