"""``voisin market``: settle a folder of readings, and print what it came to."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from api.market.printing import Reasons, print_community, print_members, print_statement
from api.market.reading.folder import Folder, read_folder
from api.market.writing import Output
from ledger.errors import InvalidRequest, NotFound, VoisinError
from ledger.units import UnixSeconds
from settlement.engine.batch.explaining import Explainer
from settlement.engine.batch.keeping import kept, open_books
from settlement.engine.batch.members import Members
from settlement.engine.batch.model import BatchCommunity
from settlement.engine.batch.running import BatchRun, settle_batch, span_of
from settlement.engine.batch.totals import Totals
from settlement.metering.intervals import IntervalIndex, end_s, start_s
from settlement.trading.exact import Language
from settlement.trading.statements import MemberInterval, of_settlement, statement

app: Final = typer.Typer(no_args_is_help=True, help="Settle neighbors' trades from files.")
BOOKS: Final = "books.sqlite"
_WIDTH: Final = 140
_CONSOLE: Final = Console(width=_WIDTH, highlight=False, soft_wrap=True)


class UnknownMemberError(NotFound):
    """The folder names no such member."""

    def __init__(self, name: str) -> None:
        super().__init__("folder_member", f"community.toml has no member {name}")


class BadInstantError(InvalidRequest):
    """What is asked for is no day and no instant."""

    def __init__(self, text: str) -> None:
        super().__init__("bad_instant", f"{text!r} is no day, and no instant with its offset")


@dataclass(slots=True)
class _Asked:
    """What the command line asks for."""

    data: Path
    member: str | None
    explain: bool
    out: Path | None
    span: tuple[str | None, str | None]
    language: Language


@app.callback()
def market() -> None:
    """Settle neighbors' trades from files."""


@app.command()
def run(  # noqa: PLR0913 - one parameter for each option
    data: Annotated[Path, typer.Option("--data", help="Folder with community.toml and readings.")],
    member: Annotated[
        str | None, typer.Option("--member", help="Print the statement of this member.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for lines, runs, prices, proofs, books.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="First day or instant to settle.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="First day or instant not to settle.")
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", help="Of statements and reasons.")
    ] = Language.EN,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each order why it was served, or was not.")
    ] = False,
) -> None:
    """Settle a folder of readings; print the community's totals and its members' statements."""
    try:
        _run(_Asked(data, member, explain, out, (since, until), language))
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: ", end="")
        _CONSOLE.print(str(fault), markup=False)
        raise typer.Exit(1) from fault


def _run(asked: _Asked) -> None:
    folder = read_folder(asked.data)
    community = folder.batch.community
    accounts = {one.name: one.mandate.member for one in community.members}
    if asked.member is not None and asked.member not in accounts:
        raise UnknownMemberError(asked.member)
    from_s, until_s = (_instant(text, community) for text in asked.span)
    span = span_of(folder.batch, from_s, until_s)
    totals, members = Totals(), Members()
    account = None if asked.member is None else accounts[asked.member]
    said = (asked.language, community.currency)
    reasons, explainer = Reasons(account, *said), Explainer(community)
    intervals: list[MemberInterval] = []
    for one in _settled(folder, span, asked.out):
        totals.add(one)
        members.add(one)
        if asked.explain:
            reasons.add(one.begin_s, explainer.explain(one))
        own = account and of_settlement(account, one.inputs, one.settlement)
        if own:
            intervals.append(own)
    length_s = community.interval_s
    ends = start_s(IntervalIndex(span[0]), length_s), end_s(IntervalIndex(span[-1]), length_s)
    print_community(_CONSOLE, totals, ends, community.currency)
    if account is None:
        print_members(_CONSOLE, members.totals, folder.names, community.currency)
    else:
        print_statement(_CONSOLE, statement(account, intervals), folder.names, said)
    if asked.explain:
        reasons.show(_CONSOLE)
    if asked.out is not None:
        _CONSOLE.print(f"written to {asked.out}")


def _settled(folder: Folder, span: range, out: Path | None) -> Iterator[BatchRun]:
    """Yield the runs; with an output folder, each is stored and written first."""
    runs = settle_batch(folder.batch, span)
    if out is None:
        yield from runs
        return
    with ExitStack() as stack:
        output = stack.enter_context(Output(out, folder.names))
        books = out / BOOKS
        books.unlink(missing_ok=True)
        engine = open_books(books)
        stack.callback(engine.dispose)
        members = Members()
        for one in kept(engine, runs):
            output.add(one)
            members.add(one)
            yield one
        output.statements(members)


def _instant(text: str | None, community: BatchCommunity) -> UnixSeconds | None:
    """Return an instant, or the beginning of a day in the community's time zone."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        found = datetime(day.year, day.month, day.day, tzinfo=community.time_zone)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError as fault:
            raise BadInstantError(text) from fault
        if found.utcoffset() is None:
            raise BadInstantError(text) from None
    return UnixSeconds(int(found.timestamp()))
