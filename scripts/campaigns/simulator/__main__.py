"""
Play seeds and say what went wrong on purpose, and whether anything else did.

``python -m scripts.campaigns.simulator --seeds 1..20 --steps 300``
"""

import re
from collections import Counter
from time import perf_counter
from typing import Annotated, Final

import typer

from ledger.errors import InvalidRequest
from scripts.campaigns.simulator.simulation import Outcome, play

_COMMAND: Final = "python -m scripts.campaigns.simulator"
_RANGE: Final = re.compile(r"(\d+)(?:\.\.(\d+))?")
_QUIET: Final = ("refused_", "given_up_")


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
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(faults_of(outcome).items()))
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


def row_of(outcomes: list[Outcome], seconds: float, command: str) -> str:
    """Return the row of the table of faults: what, how many, what came of it, how to see it."""
    total: Counter[str] = Counter()
    for one in outcomes:
        total += faults_of(one)
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(total.items()))
    steps = sum(one.steps for one in outcomes)
    broken = [one.seed for one in outcomes if one.difference is not None]
    result = f"seeds {broken} differ" if broken else "0 differences from the model, every law holds"
    rate = round(steps * 60 / seconds)
    return (
        f"| the whole service, simulated | seeds {outcomes[0].seed}..{outcomes[-1].seed}, "
        f"{steps} steps ({rate} a minute): {sum(total.values())} faults ({kinds}) | {result} | "
        f"`{command}` |"
    )


def main(
    seeds: Annotated[
        str, typer.Option(help="One seed, or the first and the last: 1..20.")
    ] = "1..5",
    steps: Annotated[int, typer.Option(min=1, help="Steps of each seed.")] = 300,
) -> None:
    """Play seeds; exit with 1 if one differs from the model or breaks a law."""
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
