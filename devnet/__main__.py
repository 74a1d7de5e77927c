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

from devnet.genesis import ClockProfile
from devnet.opening import RunOptions, open_node
from devnet.server import serve
from devnet.store.engines import EngineKind
from ledger.errors import VoisinError


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


if __name__ == "__main__":
    sys.exit(main())
