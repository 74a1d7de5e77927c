"""
Send transactions under fire and see that each business key has exactly one effect on the chain.

``python -m scripts.campaigns.chain_faults --rounds 300 --seed 1``

A worker with a database on disk plans mints and delivers them to a devnet of its own process. In
every round an adversary does one kind of harm meanwhile: it kills the worker at a named step or at
any instant, kills or stalls the node, reorganizes within finality, takes blocks away, drops the
mempool. Then a worker that nobody harms brings the round to its end.
"""

import logging
import multiprocessing
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final

import typer
from sqlalchemy import func, select

from devnet.store.faults import POINTS
from devnet.verify import verify
from ledger.errors import ChainUnavailable, Integrity
from scripts.campaigns.books.databases import open_alone
from scripts.campaigns.under_fire.node import NodeUnderFire
from scripts.campaigns.under_fire.worker import DATABASE, Worker, holder_of
from settlement.chain.sending.steps import STEPS
from settlement.tables import attempt, intent

DEPTH: Final = 2
"""Blocks that must come after a block for the worker to take it as final."""

_KEYS_A_ROUND: Final = 3
_WORK_MS_MAX: Final = 250
_WAIT_MS_MAX: Final = 1_000
_STALL_MS_MAX: Final = 300
_PASSES_MAX: Final = 4
_MINE_EVERY_S: Final = 0.02
_RETRY_S: Final = 0.01
_ROUND_TIMEOUT_S: Final = 60
_MS: Final = 1_000
_fork: Final = multiprocessing.get_context("fork")


class ExactlyOnceBrokenError(Integrity):
    """A business key has no effect on the chain, or two, or something there has no business key."""

    def __init__(self, what: str) -> None:
        super().__init__("exactly_once_broken", what)


@dataclass(slots=True)
class Tally:
    """What a campaign came to."""

    faults: Counter[str] = field(default_factory=Counter)
    """What was done, by name."""
    kills: int = 0
    """How often a process was ended with SIGKILL: workers and nodes."""
    keys: int = 0
    """Business keys, each with one effect."""
    lost: int = 0
    """Business keys without an effect."""
    duplicated: int = 0
    """Business keys with more than one."""
    unexplained: int = 0
    """Effects and transactions on the chain without a business key."""


class KillAt:
    """Steps that end the process when one of them is reached for the n-th time."""

    def __init__(self, step: str, passes: int) -> None:
        self._step = step
        self._passes = passes

    def reach(self, step: str) -> None:
        """Count, and die."""
        if step == self._step:
            self._passes -= 1
            if not self._passes:
                signal.raise_signal(signal.SIGKILL)


@dataclass(slots=True)
class Battle:
    """What the adversary has before it."""

    directory: Path
    """Where the chain is."""
    database: Path | str
    """Where the worker's database is."""
    node: NodeUnderFire
    """The node."""
    rng: random.Random
    """Decides everything but how fast the machine is."""
    keys: list[str] = field(default_factory=list)
    """All business keys so far."""


def campaign(directory: Path, rounds: int, seed: int, database: Path | str | None = None) -> Tally:
    """
    Do harm in ``rounds`` rounds, and count what came of every business key.

    Raises
    ------
    ExactlyOnceBrokenError
        If a key has not exactly one effect, or a worker stops.
    """
    rng = random.Random(seed)  # noqa: S311 - a repeatable campaign, no secret
    tally = Tally()
    node = NodeUnderFire(directory / "chain")
    battle = Battle(directory, database or directory / DATABASE, node, rng)
    try:
        for number in range(rounds):
            battle.keys += [f"{number}/{key}" for key in range(_KEYS_A_ROUND)]
            name = tuple(_HARMS)[number % len(_HARMS)]
            tally.kills += _HARMS[name](battle)
            tally.faults[name] += 1
            _bring_to_an_end(battle)
        tally.kills += node.kills
        _count(battle, tally)
    finally:
        node.close()
    verify(node.directory)
    if tally.lost or tally.duplicated or tally.unexplained:
        raise ExactlyOnceBrokenError(f"{tally}: {directory}")
    return tally


def _kill_at_a_step(battle: Battle) -> int:
    steps = KillAt(battle.rng.choice(STEPS), battle.rng.randint(1, _PASSES_MAX))
    return _watch(battle, _worker(battle, steps))


def _kill_at_an_instant(battle: Battle) -> int:
    return _watch(battle, _worker(battle), lambda: None, kill=True)


def _kill_the_node(battle: Battle) -> int:
    return _watch(battle, _worker(battle), battle.node.kill)


def _kill_the_node_in_a_block(battle: Battle) -> int:
    point, passes = battle.rng.choice(POINTS), battle.rng.randint(1, _PASSES_MAX)
    battle.node.ask("devnet_killAt", point, passes)
    return _watch(battle, _worker(battle))


def _kill_both(battle: Battle) -> int:
    return _watch(battle, _worker(battle), battle.node.kill, kill=True)


def _stall(battle: Battle) -> int:
    battle.node.ask("devnet_stall", battle.rng.randint(1, _STALL_MS_MAX))
    return _watch(battle, _worker(battle), lambda: None, kill=battle.rng.random() < 0.5)  # noqa: PLR2004 - as often as not


def _reorganize(battle: Battle) -> int:
    depth = battle.rng.randint(1, DEPTH)

    def reorganize() -> None:
        battle.node.ask("devnet_reorganize", depth)

    # What the worker sends stays unfinal until then.
    return _watch(battle, _worker(battle), reorganize, mines=False)


def _take_blocks_away(battle: Battle) -> int:
    """Let the worker see its transactions mined, then go back to before, and lose them all."""
    node, depth = battle.node, battle.rng.randint(1, DEPTH)
    seen_s = battle.rng.randrange(_WORK_MS_MAX) / _MS
    node.ask("evm_setAutomine", False)  # noqa: FBT003 - as in the JSON

    def rewind() -> None:
        snapshot = node.ask("evm_snapshot")
        node.ask("anvil_mine", depth)
        time.sleep(seen_s)
        node.ask("evm_revert", snapshot)
        node.ask("evm_setAutomine", True)  # noqa: FBT003 - as in the JSON
        # As long as before at once: what is final is counted from the highest block there was.
        node.ask("anvil_mine", depth)

    return _watch(battle, _worker(battle), rewind, mines=False)


def _drop_the_mempool(battle: Battle) -> int:
    node = battle.node
    node.ask("evm_setAutomine", False)  # noqa: FBT003 - as in the JSON

    def drop() -> None:
        node.ask("devnet_dropMempool")
        node.ask("evm_setAutomine", True)  # noqa: FBT003 - as in the JSON

    return _watch(battle, _worker(battle), drop, mines=False)


_HARMS: Final[Mapping[str, Callable[[Battle], int]]] = {
    "worker killed at a step": _kill_at_a_step,
    "worker killed at an instant": _kill_at_an_instant,
    "node killed at an instant": _kill_the_node,
    "node killed in a block": _kill_the_node_in_a_block,
    "both killed": _kill_both,
    "node stalled": _stall,
    "reorganized": _reorganize,
    "blocks taken away": _take_blocks_away,
    "mempool dropped": _drop_the_mempool,
}
"""What the adversary can do; each returns how many workers it killed."""


def _worker(battle: Battle, steps: KillAt | None = None) -> ForkProcess:
    """Start a worker that plans the keys of this round and the last, and delivers them all."""
    process = _fork.Process(
        target=_work,
        args=(
            battle.database,
            battle.node.url,
            tuple(battle.keys[-2 * _KEYS_A_ROUND :]),
            steps or KillAt("", 0),
        ),
        daemon=True,
    )
    process.start()
    return process


def _watch(
    battle: Battle,
    process: ForkProcess,
    act: Callable[[], None] = lambda: None,
    *,
    kill: bool = False,
    mines: bool = True,
) -> int:
    """
    Let a worker work, act at some instant, make blocks meanwhile; say whether it was killed.

    Parameters
    ----------
    kill
        Whether the worker is killed at that instant too.
    mines
        Whether blocks are made before it; afterwards they always are.
    """
    # Where no block makes its work final the worker is at it until then, however long it is.
    most_ms = _WORK_MS_MAX if mines else _WAIT_MS_MAX
    at_s = time.monotonic() + battle.rng.randrange(most_ms) / _MS
    until_s = time.monotonic() + _ROUND_TIMEOUT_S
    acted = False
    while process.is_alive() or not acted:
        if not acted and time.monotonic() >= at_s:
            act()
            acted = True
            if kill:
                process.kill()
        battle.node.revive()
        if mines or acted:
            battle.node.try_to_ask("evm_mine")
        time.sleep(_MINE_EVERY_S)
        if time.monotonic() > until_s:
            process.kill()
            raise ExactlyOnceBrokenError(f"a worker is stuck: {battle.directory}")
    process.join()
    if process.exitcode not in {0, -signal.SIGKILL}:
        raise ExactlyOnceBrokenError(f"a worker stopped by itself: {battle.directory}")
    return int(process.exitcode == -signal.SIGKILL)


def _bring_to_an_end(battle: Battle) -> None:
    if _watch(battle, _worker(battle)):
        raise ExactlyOnceBrokenError(f"a worker was killed by nobody: {battle.directory}")


def _count(battle: Battle, tally: Tally) -> None:
    """Compare business keys, database and chain."""
    engine, lease = open_alone(battle.database)
    worker = Worker(battle.database, battle.node.url, depth=DEPTH, engine=engine)
    worker.advance()
    states, minted = worker.states(), worker.minted()
    token, gateway = worker.token, worker.gateway
    for key in battle.keys:
        called = gateway.call(token.address, token.encode("balanceOf", holder_of(key)))
        effects = token.decode_result("balanceOf", called)[0]
        known = minted.get(holder_of(key), 0)
        tally.keys += 1
        tally.lost += effects == 0 or known == 0
        tally.duplicated += effects > 1 or known > 1
        tally.unexplained += states.get(key) != "final"
    [supply] = token.decode_result(
        "totalSupply", gateway.call(token.address, token.encode("totalSupply"))
    )
    with worker.reading() as connection:
        intents = connection.execute(select(func.count()).select_from(intent)).scalar_one()
        attempts = connection.execute(select(func.count()).select_from(attempt)).scalar_one()
    sent = gateway.transaction_count(worker.outbox.address)
    tally.unexplained += abs(supply - tally.keys) + abs(sent - intents) + abs(attempts - intents)
    tally.unexplained += len(set(minted) - {holder_of(key) for key in battle.keys})
    worker.close()
    lease.release()


def _work(database: Path | str, url: str, keys: tuple[str, ...], steps: KillAt) -> None:
    engine, _ = open_alone(database)
    while True:
        with suppress(ChainUnavailable):
            worker = Worker(database, url, depth=DEPTH, steps=steps, engine=engine)
            break
        time.sleep(_RETRY_S)
    with worker.writing() as connection:
        for key in keys:
            worker.plan(connection, key)
    waiting = 1
    while waiting:
        with suppress(ChainUnavailable):
            waiting = worker.advance()
        time.sleep(_RETRY_S)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often harm is done.")] = 300,
    seed: Annotated[int, typer.Option(help="Decides harms, steps, points and instants.")] = 1,
) -> None:
    """Send under fire; say what came of it as a row of the table in docs/reference/faults.md."""
    logging.getLogger("devnet").setLevel(logging.ERROR)
    logging.getLogger("settlement").setLevel(logging.ERROR)
    directory = Path(mkdtemp(prefix="chain-faults-"))
    began_s = time.monotonic()
    tally = campaign(directory, rounds, seed)
    shutil.rmtree(directory)
    done = ", ".join(f"{count} {name}" for name, count in sorted(tally.faults.items()))
    typer.echo(f"{rounds} rounds with seed {seed} in {time.monotonic() - began_s:.0f} s: {done}")
    typer.echo(
        f"| {seed} | {rounds} rounds, {tally.kills} kills | "
        f"`python -m scripts.campaigns.chain_faults --rounds {rounds} --seed {seed}` | "
        f"{tally.keys} business keys | {tally.lost} | {tally.duplicated} | {tally.unexplained} |"
    )


if __name__ == "__main__":
    typer.run(main)
