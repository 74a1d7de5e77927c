"""Put the same transfers through our node, anvil and hardhat, and hold them side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median_low
from typing import Final

from scripts.benchmarks.measuring import NS_PER_MS, each, per_second
from scripts.benchmarks.rivals.erc20_load import SENDERS, Load, at_once_ns, one_by_one_ns
from scripts.benchmarks.rivals.nodes import (
    ANVIL,
    BARE,
    HARDHAT,
    VOISIN,
    VOISIN_WALL,
    Node,
    install,
    max_fee_wei,
    running,
)
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

COMMAND: Final = "scripts/bench devnet"

_ROUNDS: Final = 3
_LONE_TRANSFERS: Final = 100
_JOINT_TRANSFERS: Final = 1_000
_WARM_TRANSFERS: Final = 50
_WARM_EACH: Final = 10
# By the wall clock a chain makes a block a second once its times lead the clock; the transfers that
# do not count use up the lead.
_WALL_LONE_TRANSFERS: Final = 10
_WALL_WARM_TRANSFERS: Final = 4
_MEDIAN: Final = 50
_TAIL: Final = 99
_HUNDRED: Final = 100
_WHAT: Final = {
    ANVIL: "anvil 1.7.1, the same transfers in the same run, blocks in memory",
    HARDHAT: "hardhat 3.18.0, the same transfers in the same run, blocks in memory",
}
_RIVAL: Final = {VOISIN: ANVIL, VOISIN_WALL: ANVIL, ANVIL: HARDHAT, HARDHAT: ANVIL}
_ALONE: Final = (
    "itself, for want of a rival: anvil and hardhat could not be installed from npm here"
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked of a node."""

    max_fee_wei: int
    """What every transaction offers per gas, in wei."""
    turns: int
    """How often the node has its turn."""
    warm: int
    """Transfers of the single sender, in a turn, that do not count."""
    lone: int
    """All transfers of the single sender in a turn."""


@dataclass(slots=True)
class _Times:
    """How long the transfers of one node took, in ns."""

    lone_ns: list[int] = field(default_factory=list)
    joint_ns: list[int] = field(default_factory=list)

    def measure(self, node: Node, load: Load, warm: int) -> None:
        """
        Put the load through a fresh node; the first transfers of each kind do not count.

        Parameters
        ----------
        warm
            How many of the single sender's.

        Raises
        ------
        BenchmarkInvalidError
            If a transfer failed or is not on the chain at the end.
        """
        with node.connect() as client:
            one_by_one_ns(client, load.setup)
            one_by_one_ns(client, load.lone[:warm])
            self.lone_ns += one_by_one_ns(client, load.lone[warm:])
        at_once_ns(node, [one[:_WARM_EACH] for one in load.joint])
        self.joint_ns.append(at_once_ns(node, [one[_WARM_EACH:] for one in load.joint]))
        # Nodes hang up on who was silent for some seconds.
        with node.connect() as client:
            if load.arrived(client) != load.transfers:
                raise BenchmarkInvalidError(f"{node.name} did not make all transfers")


def rows(directory: Path) -> tuple[Row, ...]:
    """
    Return the rows of every node; ours stand beside anvil's figures.

    The nodes take turns, so that whatever else the machine does disturbs all; each turn has a new
    process with a new chain, because a long chain makes some of them slower. Where the rivals
    cannot be installed, ours are held against themselves and say so.

    Raises
    ------
    BenchmarkInvalidError
        If a node cannot be started, or a transfer fails.
    """
    there = install()
    plans = {name: _plan(name) for name in _RIVAL if there or name not in _WHAT}
    joint = _JOINT_TRANSFERS + SENDERS * _WARM_EACH
    loads = {plan: Load(plan.max_fee_wei, plan.lone, joint) for plan in set(plans.values())}
    times = {name: _Times() for name in plans}
    for turn in range(_ROUNDS):
        for name, plan in plans.items():
            if turn < plan.turns:
                with running(name, directory / f"rivals-{turn}") as node:
                    times[name].measure(node, loads[plan], plan.warm)
    figures = {name: _figures(taken) for name, taken in times.items()}
    rival = VOISIN if ANVIL not in figures else ANVIL
    floor = _floor(directory, loads[plans[VOISIN]], figures[rival]["erc20_p50_ms"], rival)
    return (floor, *(row for name in figures for row in _rows(name, figures)))


def _floor(directory: Path, load: Load, rival: tuple[Decimal, str], name: str) -> Row:
    """Return what a transfer takes at least: its requests and its write, without a chain."""
    with running(BARE, directory) as node, node.connect() as client:
        one_by_one_ns(client, load.lone[:_WARM_TRANSFERS])
        median_ns = percentile_ns(one_by_one_ns(client, load.lone[_WARM_TRANSFERS:]), _MEDIAN)
    value, unit = each(median_ns, 1, NS_PER_MS), "ms"
    what = f"{name}'s erc20_p50_ms; ours here is the same server without a chain: HTTP and disk"
    return Row("erc20_floor_p50_ms", value, unit, Baseline(rival[0], what, Sense.FASTER), COMMAND)


def _plan(name: str) -> _Plan:
    fee_wei = max_fee_wei(name)
    if name == VOISIN_WALL:
        return _Plan(fee_wei, 1, _WALL_WARM_TRANSFERS, _WALL_WARM_TRANSFERS + _WALL_LONE_TRANSFERS)
    return _Plan(fee_wei, _ROUNDS, _WARM_TRANSFERS, _WARM_TRANSFERS + _LONE_TRANSFERS)


def percentile_ns(times_ns: list[int], percent: int) -> int:
    """Return the least time that ``percent`` of a hundred do not exceed, in ns."""
    rank = -(-len(times_ns) * percent // _HUNDRED)
    return sorted(times_ns)[rank - 1]


def _figures(times: _Times) -> Mapping[str, tuple[Decimal, str]]:
    transfers = _JOINT_TRANSFERS // SENDERS * SENDERS
    median_ns = percentile_ns(times.lone_ns, _MEDIAN)
    tail_ns = percentile_ns(times.lone_ns, _TAIL)
    return {
        "erc20_p50_ms": (each(median_ns, 1, NS_PER_MS), "ms"),
        "erc20_p99_ms": (each(tail_ns, 1, NS_PER_MS), "ms"),
        f"erc20_pipelined_{SENDERS}": (
            per_second(transfers, median_low(times.joint_ns)),
            "tx/s",
        ),
    }


def _rows(name: str, figures: Mapping[str, Mapping[str, tuple[Decimal, str]]]) -> tuple[Row, ...]:
    rival, what = _RIVAL[name], _WHAT[_RIVAL[name]]
    if rival not in figures:
        rival, what = name, _ALONE
    return tuple(
        Row(
            f"{name}_{figure}",
            value,
            unit,
            Baseline(figures[rival][figure][0], what, Sense.FASTER),
            COMMAND,
        )
        for figure, (value, unit) in figures[name].items()
    )
