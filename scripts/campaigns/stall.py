"""
Send from many threads at once and see that nothing is lost, stuck or mined twice.

``python -m scripts.campaigns.stall --threads 8 --each 2000``
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Final

import typer

from devnet.node.chain import Devnet
from devnet.node.submissions import Submission
from devnet.verify import read_chain, verify
from ledger.clock import SystemClock
from ledger.errors import Integrity
from scripts.campaigns.senders import GENESIS, senders

_STUCK_TIMEOUT_S: Final = 60


class StalledError(Integrity):
    """A transaction was lost, stayed stuck, or came twice."""

    def __init__(self, what: str) -> None:
        super().__init__("campaign_stalled", what)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load."""

    transactions: int
    """How many were sent, and mined."""
    blocks: int
    """In how many blocks they came."""
    seconds: float
    """From the first submission to the last acknowledgement."""


def load(directory: Path, threads: int, each: int) -> Load:
    """
    Send ``each`` transactions from each of ``threads`` threads, and check the chain they make.

    Raises
    ------
    StalledError
        If one is not mined within a minute, not mined at all, or mined twice.
    """
    signed = [[one.sign(nonce) for nonce in range(each)] for one in senders(threads)]
    with contextlib.closing(Devnet.open(directory, GENESIS, SystemClock())) as node:
        began_s = perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            sent = [
                one for batch in pool.map(lambda raws: _send(node, raws), signed) for one in batch
            ]
        _await(sent)
        seconds = perf_counter() - began_s
        _check_pool(node)
        head_hash = node.head_hash
    counted = Counter(
        transaction.hash
        for record in read_chain(directory)
        for transaction in record.block().transactions
    )
    wrong = [one.hash.hex() for one in sent if counted[one.hash] != 1]
    if wrong or len(counted) != len(sent):
        raise StalledError(f"{len(counted)} of {len(sent)} mined; not exactly once: {wrong[:3]}")
    report = verify(directory)
    if report.head_hash != head_hash:
        raise StalledError(f"the files lead to {report.head_hash}, the node to {head_hash}")
    return Load(report.transactions, report.blocks, seconds)


def _send(node: Devnet, raws: Sequence[bytes]) -> list[Submission]:
    return [node.submit(raw) for raw in raws]


def _await(sent: Sequence[Submission]) -> None:
    for number, submission in enumerate(sent):
        try:
            submission.mined.result(_STUCK_TIMEOUT_S)
        except TimeoutError as error:
            stuck = sum(not one.mined.done() for one in sent)
            raise StalledError(f"transaction {number} is stuck, with {stuck} in all") from error


def _check_pool(node: Devnet) -> None:
    if len(node.pool):
        raise StalledError(f"{len(node.pool)} transactions stayed in the pool")


def main(
    threads: Annotated[int, typer.Option(min=1, help="Threads that send at once.")] = 8,
    each: Annotated[int, typer.Option(min=1, help="Transactions of each thread.")] = 2_000,
) -> None:
    """Put a load on a node and say what came of it."""
    with TemporaryDirectory() as directory:
        done = load(Path(directory), threads, each)
    rate = done.transactions / done.seconds
    typer.echo(
        f"{done.transactions} transactions in {done.blocks} blocks and {done.seconds:.1f} s, "
        f"{rate:.0f} a second: each mined exactly once, the chain verified"
    )


if __name__ == "__main__":
    typer.run(main)
