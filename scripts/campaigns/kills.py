"""
Kill a node again and again while it acknowledges transactions, and look at what is left.

``python -m scripts.campaigns.kills --kills 1000 --seed 1``

Half of the kills come at any instant, opening included; the others at a point of writing a block.
After each, the chain is opened and verified, and copies of it are damaged and opened.
"""

import contextlib
import logging
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final, NoReturn

import typer

from devnet.engine.encoding import integer, keccak
from devnet.node.chain import Devnet
from devnet.store.faults import POINTS
from devnet.store.history import Mined
from devnet.store.log import LOG_FILE
from devnet.verify import verify
from ledger.clock import SystemClock
from ledger.errors import Integrity
from scripts.campaigns.damage import DamageTally, flip, tear
from scripts.campaigns.senders import GENESIS, Sender, senders

_SENDERS: Final = 3
_BATCH: Final = 4
_KILLS_A_CHAIN: Final = 6
_WORK_US_MAX: Final = 150_000
_PASSES_MAX: Final = 10
_CHILD_TIMEOUT_S: Final = 60
_US_PER_S: Final = 1_000_000
_DIGEST: Final = 32
_PIPE_CHUNK: Final = 1 << 16


class AcknowledgedLostError(Integrity):
    """A node that was killed came back without what it had acknowledged, or with another."""

    def __init__(self, what: str) -> None:
        super().__init__("acknowledged_lost", what)


@dataclass(slots=True)
class ChainUnderFire:
    """One chain that is killed a few times in a row."""

    directory: Path
    """Where it is."""
    acknowledged: dict[bytes, bytes] = field(default_factory=dict)
    """By transaction hash: the digest of the outcome that its sender saw."""
    kills: int = 0
    """How often it was killed."""


@dataclass(slots=True)
class Tally:
    """What a campaign came to."""

    kills: Counter[str] = field(default_factory=Counter)
    """By where they hit: ``any instant``, or a point of writing."""
    acknowledged: int = 0
    """Transactions whose senders saw them mined; each was found again, unchanged."""
    in_doubt: int = 0
    """Transactions found that nobody was told about."""
    damage: DamageTally = field(default_factory=DamageTally)
    """What damaged copies came to."""


def campaign(directory: Path, kills: int, seed: int) -> Tally:
    """
    Kill a node ``kills`` times and check what each kill left.

    Parameters
    ----------
    seed
        Decides instants, points and damages.

    Raises
    ------
    AcknowledgedLostError
        If an acknowledged transaction is gone or its outcome is another.
    DamageMissedError
        If damage was not noticed where it was.
    """
    rng = random.Random(seed)  # noqa: S311 - a repeatable campaign, no secret
    tally = Tally()
    chain = ChainUnderFire(directory / "0")
    for number in range(kills):
        if chain.kills == _KILLS_A_CHAIN:
            shutil.rmtree(chain.directory)
            chain = ChainUnderFire(directory / str(number))
        chain.directory.mkdir(exist_ok=True)
        point = POINTS[number // 2 % len(POINTS)] if number % 2 else ""
        _kill_once(chain, rng, point)
        tally.kills[point or "any instant"] += 1
        found = check(chain)
        if chain.kills == _KILLS_A_CHAIN or number == kills - 1:
            tally.acknowledged += len(chain.acknowledged)
            tally.in_doubt += found - len(chain.acknowledged)
        _damage(chain.directory, directory / "copy", rng, tally.damage)
    return tally


def check(chain: ChainUnderFire) -> int:
    """
    Open a chain whose node was killed, look for what it acknowledged, and verify it.

    Returns
    -------
    int
        How many transactions it holds.

    Raises
    ------
    AcknowledgedLostError
        If an acknowledged transaction is gone or its outcome is another.
    """
    with contextlib.closing(Devnet.open(chain.directory, GENESIS, SystemClock())) as node:
        for transaction, digest in chain.acknowledged.items():
            mined = node.mined(transaction)
            if mined is None or outcome_digest(mined) != digest:
                fate = "gone" if mined is None else "another"
                raise AcknowledgedLostError(f"{transaction.hex()} is {fate}: {chain.directory}")
        head_hash = node.head_hash
    report = verify(chain.directory)
    under_way = chain.kills * _SENDERS * _BATCH
    known = len(chain.acknowledged)
    if report.head_hash != head_hash or not known <= report.transactions <= known + under_way:
        raise AcknowledgedLostError(
            f"{report.transactions} transactions for {known} acknowledged: {chain.directory}"
        )
    return report.transactions


def outcome_digest(mined: Mined) -> bytes:
    """Return what a receipt says, with where it is, in 32 bytes."""
    return keccak(mined.receipt.encode() + mined.block.hash + integer(mined.index))


def _kill_once(chain: ChainUnderFire, rng: random.Random, point: str) -> None:
    """Let a node work until it is killed, and take note of what it acknowledged."""
    reading, writing = os.pipe()
    passes = rng.randint(1, _PASSES_MAX)
    child = multiprocessing.get_context("fork").Process(
        target=_work, args=(chain.directory, writing, point, passes)
    )
    child.start()
    os.close(writing)
    if not point:
        time.sleep(rng.randrange(_WORK_US_MAX) / _US_PER_S)
        child.kill()
    said = _read_all(reading)
    _check_killed(child)
    chain.kills += 1
    for at in range(0, len(said), 2 * _DIGEST):
        chain.acknowledged[said[at : at + _DIGEST]] = said[at + _DIGEST : at + 2 * _DIGEST]


def _check_killed(child: ForkProcess) -> None:
    child.join(_CHILD_TIMEOUT_S)
    if child.exitcode != -signal.SIGKILL:
        raise AcknowledgedLostError(f"the node ended by itself: {child.exitcode}")


def _read_all(descriptor: int) -> bytes:
    """Return what the child said until it died; each saying is written at once."""
    said = b""
    while chunk := os.read(descriptor, _PIPE_CHUNK):
        said += chunk
    os.close(descriptor)
    return said


def _work(directory: Path, descriptor: int, point: str, passes: int) -> NoReturn:
    """Send without end from several threads; say which transactions are mined, and how."""
    node = Devnet.open(directory, GENESIS, SystemClock(), breakable=True)
    if point:
        node.faults.kill_at(point, passes)
    with ThreadPoolExecutor(_SENDERS) as pool:
        sending = [pool.submit(_send, node, sender, descriptor) for sender in senders(_SENDERS)]
        for done in as_completed(sending):
            done.result()
    raise SystemExit(1)


def _send(node: Devnet, sender: Sender, descriptor: int) -> None:
    nonce = node.next_nonce(sender.address)
    while True:
        sent = [node.submit(sender.sign(nonce + ahead)) for ahead in range(_BATCH)]
        for submission in sent:
            submission.mined.result(_CHILD_TIMEOUT_S)
            mined = node.mined(submission.hash)
            if mined is None:
                raise AcknowledgedLostError(submission.hash.hex())
            os.write(descriptor, submission.hash + outcome_digest(mined))
        nonce += _BATCH


def _damage(directory: Path, copy: Path, rng: random.Random, tally: DamageTally) -> None:
    if not (directory / LOG_FILE).exists() or not (directory / LOG_FILE).stat().st_size:
        return
    for harm in (tear, flip):
        shutil.copytree(directory, copy)
        harm(copy, rng, tally)
        shutil.rmtree(copy)


def main(
    kills: Annotated[int, typer.Option(min=1, help="How often the node is killed.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Decides instants, points and damages.")] = 1,
) -> None:
    """Kill a node again and again and say what was left each time; the chain stays if it broke."""
    logging.getLogger("devnet").setLevel(logging.ERROR)
    directory = Path(mkdtemp(prefix="kills-"))
    began_s = time.monotonic()
    tally = campaign(directory, kills, seed)
    shutil.rmtree(directory)
    where = ", ".join(f"{count} {name}" for name, count in sorted(tally.kills.items()))
    typer.echo(f"{kills} kills with seed {seed} in {time.monotonic() - began_s:.0f} s: {where}")
    typer.echo(
        f"{tally.acknowledged} transactions acknowledged, 0 lost, 0 receipts changed; "
        f"{tally.in_doubt} more found that nobody was told about; every head verified"
    )
    typer.echo(
        f"{tally.damage.torn} torn tails: {tally.damage.cut_off} cut off, "
        f"{tally.damage.torn - tally.damage.cut_off} refused by number; "
        f"{tally.damage.flipped} flipped bits: {tally.damage.refused} refused by number"
    )


if __name__ == "__main__":
    typer.run(main)
