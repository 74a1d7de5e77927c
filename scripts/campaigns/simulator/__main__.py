"""
Play seeds and say what went wrong on purpose, and whether anything else did.

``python -m scripts.campaigns.simulator --seeds 1..20 --steps 300``
"""

import logging
import re
from collections import Counter
from time import perf_counter
from typing import Annotated, Final

import structlog
import typer

from ledger.errors import InvalidRequest
from scripts.campaigns.simulator.following import DivergedError
from scripts.campaigns.simulator.simulation import Outcome, play

_COMMAND: Final = "python -m scripts.campaigns.simulator"
_RANGE: Final = re.compile(r"(\d+)(?:\.\.(\d+))?")
_QUIET: Final = ("refused_", "given_up_")
STEPS: Final = 300
"""Steps of a seed, unless it is said otherwise."""


class BadSeedsError(InvalidRequest):
    """Seeds are written as 7 or as 1..20."""

    def __init__(self, text: str) -> None:
        super().__init__("bad_seeds", f"{text!r} is neither a number nor two with .. between")


def seeds_of(text: str) -> range:
    """
    Return the seeds that ``text`` names, the last one included.

    Raises
    ------
    BadSeedsError
        If it names none.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadSeedsError(text)
    first, last = found.groups()
    return range(int(first), int(last or first) + 1)


def line_of(outcome: Outcome) -> str:
    """Return what came of a seed: steps, faults, trace; the difference if there is one."""
    kinds = _listed(faults_of(outcome))
    line = f"seed {outcome.seed}: {outcome.steps} steps, {kinds}; trace {outcome.trace[:16]}"
    if outcome.difference is None:
        return line
    replay = f"{_COMMAND} --seeds {outcome.seed} --steps {outcome.asked}"
    return f"{line}\n  step {outcome.steps}: {outcome.difference}\n  again: {replay}"


def faults_of(outcome: Outcome) -> Counter[str]:
    """Return how often each kind of fault happened, without what the service refused."""
    return Counter(
        {
            str(name): count
            for name, count in outcome.counted.items()
            if not str(name).startswith(_QUIET)
        }
    )


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


def row_of(outcomes: list[Outcome], seconds: float, command: str) -> str:
    """Return the row of the table of faults: what, how many, what came of it, how to see it."""
    total: Counter[str] = Counter()
    for one in outcomes:
        total += faults_of(one)
    steps = sum(one.steps for one in outcomes)
    broken = [one.seed for one in outcomes if one.difference is not None]
    result = f"seeds {broken} differ" if broken else "0 differences from the model, every law holds"
    rate = round(steps * 60 / seconds)
    faults = f"{sum(total.values())} faults ({_listed(total)})"
    return (
        f"| the whole service, simulated | seeds {outcomes[0].seed}..{outcomes[-1].seed}, "
        f"{steps} steps ({rate} a minute): {faults} | {result} | `{command}` |"
    )


def simulate(count: int, seed: int) -> str:
    """
    Play ``count`` seeds from ``seed`` on; return what was done to them, in words.

    Raises
    ------
    DivergedError
        If one differs from the model or breaks a law: which, where, and how to see it again.
    """
    total: Counter[str] = Counter()
    for one in range(seed, seed + count):
        outcome = play(one, STEPS)
        if outcome.difference is not None:
            raise DivergedError(line_of(outcome))
        total += faults_of(outcome)
    return (
        f"{count * STEPS:,} steps with {sum(total.values()):,} faults ({_listed(total)}): "
        "the books as the model says after each, every law at the end"
    )


def main(
    seeds: Annotated[
        str, typer.Option(help="One seed, or the first and the last: 1..20.")
    ] = "1..5",
    steps: Annotated[int, typer.Option(min=1, help="Steps of each seed.")] = STEPS,
) -> None:
    """Play seeds; exit with 1 if one differs from the model or breaks a law."""
    # What the service warns of here is done to it on purpose.
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    outcomes = []
    began_s = perf_counter()
    for seed in seeds_of(seeds):
        outcomes.append(play(seed, steps))
        typer.echo(line_of(outcomes[-1]))
    command = f"{_COMMAND} --seeds {seeds} --steps {steps}"
    typer.echo(row_of(outcomes, perf_counter() - began_s, command))
    if any(one.difference is not None for one in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
