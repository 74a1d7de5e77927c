"""
Make faults in the contracts one by one and see that a check notices each.

``scripts/prove --mutate --minutes 60 --only src/libraries/*``

What was judged is kept in ``.voisin/mutants.jsonl``, so a campaign goes on where it was stopped; a
changed source is judged anew. Survivors without a reason in contracts/test/accepted/mutants.toml
end it as a failure.
"""

import queue
import random
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Final

import typer

from scripts.campaigns.mutation import report
from scripts.campaigns.mutation.faults import mutants
from scripts.campaigns.mutation.judging import Workspace
from scripts.campaigns.mutation.kept import Judgments, checks, digest
from scripts.campaigns.mutation.schema import Numbered, numbered, schema
from scripts.campaigns.mutation.solidity import sources
from scripts.proving.running import ROOT

_STATE: Final = ROOT / ".voisin" / "mutants.jsonl"
_ORDER: Final = 20_251_014
_NO_CODE: Final = "src/interfaces/"
_ALL: Final = "*"


class Campaign:
    """All faults of the sources, and what is known of them."""

    def __init__(self, *, with_python: bool) -> None:
        self.with_python = with_python
        self.texts = sources()
        made = (
            mutant
            for file, text in self.texts.items()
            if not file.startswith(_NO_CODE)
            for mutant in mutants(file, text)
        )
        self.faults = list(numbered(self.texts, made))
        self.judgments = Judgments(_STATE, checks(with_python=with_python))

    def found(self, only: str) -> dict[str, str]:
        """Return who noticed each fault in the sources that ``only`` names, by the fault's name."""
        known = self.judgments.known()
        hashes = {file: digest(text) for file, text in self.texts.items()}
        return {
            one.mutant.name: known.get((one.mutant.name, hashes[one.mutant.file]), "")
            for one in self.faults
            if fnmatch(one.mutant.file, only)
        }

    def run(self, waiting: list[Numbered], *, minutes: int, jobs: int) -> None:
        """Judge what waits, until all is judged or time is up."""
        until_s = perf_counter() + minutes * 60
        made = schema(self.texts, self.faults)
        typer.echo(f"{len(made.asleep)} faults in one piece, {len(made.left_over)} each alone")
        todo: queue.SimpleQueue[Numbered] = queue.SimpleQueue()
        alone = {one.number for one in made.left_over}
        for one in sorted(waiting, key=lambda one: one.number in alone):
            todo.put(one)
        with TemporaryDirectory() as directory:
            places = [
                Workspace(Path(directory) / str(job), self.texts, made) for job in range(jobs)
            ]
            first = places[0].prepare()
            for place in places[1:]:
                place.prepare(first)
            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(lambda place: self._work(place, todo, until_s), places))

    def _work(self, place: Workspace, todo: "queue.SimpleQueue[Numbered]", until_s: float) -> None:
        """Judge in one place what nobody else does."""
        while perf_counter() < until_s:
            try:
                fault = todo.get_nowait()
            except queue.Empty:
                return
            noticed = place.judge(fault, with_python=self.with_python)
            mutant = fault.mutant
            self.judgments.keep(mutant, digest(self.texts[mutant.file]), noticed)
            typer.echo(f"{noticed:8} {mutant.name}")


def main(
    only: Annotated[str, typer.Option(help="Sources, as src/libraries/*.")] = _ALL,
    minutes: Annotated[int, typer.Option(min=0, help="When to stop, if not done.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, help="Faults at once.")] = 2,
    *,
    python: Annotated[bool, typer.Option(help="Let tests/contracts judge survivors too.")] = True,
    write: Annotated[bool, typer.Option(help="Write docs/reference/mutation.md.")] = False,
) -> None:
    """
    Judge mutants and say who survived.

    Raises
    ------
    typer.BadParameter
        If the page shall be written of some sources only.
    typer.Exit
        If a survivor has no reason, or a reason no survivor.
    """
    if write and only != _ALL:
        raise typer.BadParameter("the page tells of all sources; leave out --only")
    campaign = Campaign(with_python=python)
    found = campaign.found(only)
    waiting = [one for one in campaign.faults if found.get(one.mutant.name) == ""]
    random.Random(_ORDER).shuffle(waiting)  # noqa: S311 - an order, not a secret
    if waiting and minutes:
        campaign.run(waiting, minutes=minutes, jobs=jobs)
        found = campaign.found(only)
    if write:
        command = f"scripts/prove --mutate{'' if python else ' --no-python'} --write"
        report.PAGE.write_text(report.page(found, command), encoding="utf-8")
    typer.echo(report.table(found))
    if faults := report.faults(found, every_source=only == _ALL):
        typer.echo("\n".join(faults), err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
