"""The ``voisin`` command: follow a trace, reconcile, verify a chain."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from api.embedded import CHAIN, DATABASE
from api.market.command import app as market_app
from api.settings import Settings
from api.witness import create_witness, serve_witness, watching
from api.witness_state import WitnessState
from devnet.__main__ import run
from devnet.export import export as export_chain
from devnet.genesis import ClockProfile
from devnet.opening import RunOptions
from devnet.server import listen
from devnet.store.engines import EngineKind
from devnet.verify import verify as verify_chain
from ledger import tables as ledger_tables
from ledger.clock import SystemClock
from ledger.errors import NotFound, VoisinError
from ledger.proofs import parse_key
from ledger.proofs.witness import Witness
from ledger.store import LedgerStore, migrate, open_engine, open_readers
from ledger.store.privileges import grant
from settlement import tables as service_tables
from settlement.audit.reconciliation.equations import EQUATIONS, Equation
from settlement.engine.view.tracing import trace as trace_of

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
devnet_app = typer.Typer(no_args_is_help=True, help="The embedded chain.")
app.add_typer(devnet_app, name="devnet")
app.add_typer(market_app, name="market")
database_app = typer.Typer(no_args_is_help=True, help="The service's PostgreSQL database.")
app.add_typer(database_app, name="database")

_CONSOLE: Final = Console()
_RECONCILE_TIMEOUT_S: Final = 3_600
Directory = Annotated[
    Path | None, typer.Option("--data", help="Data directory; default: the newest demonstration.")
]


class NoDataError(NotFound):
    """There is no community on this machine yet."""

    def __init__(self, directory: Path) -> None:
        super().__init__("no_data", f"nothing in {directory}; run scripts/demo first")


@app.command()
def trace(
    trace_id: Annotated[
        str, typer.Argument(help="Session id, community/interval/run, or community/member/wallet.")
    ],
    data: Directory = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Follow one trace id from message and reading to line, transfer, transaction and log entry."""
    try:
        with _reading(data) as connection:
            found = trace_of(connection, LedgerStore(), trace_id)
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: {fault}")
        raise typer.Exit(1) from fault
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(title=f"{found['kind']} {trace_id}", title_justify="left")
    for column in ("step", "at", "what", "detail"):
        table.add_column(column, overflow="fold")
    for step in found["steps"]:
        detail = ", ".join(f"{name} {value}" for name, value in step["detail"].items())
        table.add_row(step["step"], str(step["at_s"] or ""), step["title"], detail)
    _CONSOLE.print(table)


@app.command()
def reconcile(
    url: Annotated[
        str | None, typer.Option("--url", help="Base URL of the service that runs.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let the running service compare everything it stores; exit with 1 if something differs."""
    settings = Settings()
    base = url or f"http://{settings.host}:{settings.port}"
    try:
        answer = httpx2.post(f"{base}/reconciliation", timeout=_RECONCILE_TIMEOUT_S)
    except httpx2.TransportError as fault:
        _CONSOLE.print(f"[red]no answer[/] from {base}: {fault}", soft_wrap=True)
        raise typer.Exit(1) from fault
    found = answer.json()
    if answer.is_error:
        _CONSOLE.print(f"[red]{found['code']}[/]: {found['detail']}", soft_wrap=True)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show_breaks(found)
    raise typer.Exit(1 if found["open"] else 0)


def _show_breaks(found: Mapping[str, Any]) -> None:
    title = f"{found['open']} open breaks at block {found['block']}"
    table = Table(title=title, title_justify="left")
    for column in ("equation", "checked", "break", "owner", "age", "subject", "ledger", "other"):
        table.add_column(column, overflow="fold")
    for equation, one in found["equations"].items():
        about = EQUATIONS[Equation(equation)].what
        table.add_row(equation, str(one["checked"]), "", "", "", about, "", "")
        for each in one["breaks"]:
            name, age = f"{equation}-{each['id']}", f"{each['age_s']} s"
            owner, values = each["owner"], (each["ledger"], each["other"])
            table.add_row("", "", name, owner, age, each["subject"], *values)
    _CONSOLE.print(table)


@app.command()
def entry(
    position: Annotated[int, typer.Argument(min=0, help="Position in the journal, from 0.")],
    data: Directory = None,
) -> None:
    """Write an entry of the journal as it is hashed: its text, not a line more."""
    try:
        with _reading(data) as connection:
            found = LedgerStore().entry(connection, position)
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: {fault}")
        raise typer.Exit(1) from fault
    typer.echo(found.leaf(), nl=False)


@devnet_app.command()
def verify(
    directory: Annotated[Path | None, typer.Option("--dir", help="Directory of a chain.")] = None,
    data: Directory = None,
) -> None:
    """Import the chain again with stock py-evm and full validation; print its head."""
    try:
        report = verify_chain(directory or _directory(data) / CHAIN)
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: {fault}")
        raise typer.Exit(1) from fault
    _CONSOLE.print(
        f"{report.blocks} blocks, {report.transactions} transactions, head {report.head_hash}\n"
        f"judged by py-evm (Prague) with the precompiles: {', '.join(report.precompiles)}",
        soft_wrap=True,
    )


@devnet_app.command()
def export(
    target: Annotated[Path, typer.Argument(help="Folder for genesis.json and chain.rlp.")],
    directory: Annotated[Path | None, typer.Option("--dir", help="Directory of a chain.")] = None,
    data: Directory = None,
) -> None:
    """Write the chain for other clients: a genesis in geth's layout and its blocks in RLP."""
    try:
        report = export_chain(directory or _directory(data) / CHAIN, target)
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: {fault}")
        raise typer.Exit(1) from fault
    _CONSOLE.print(f"{report.count} blocks in {report.blocks}, block 0 in {report.genesis}")


@devnet_app.command("run")
def run_devnet(  # noqa: PLR0913 - one parameter for each option
    directory: Annotated[Path, typer.Option("--dir", help="Where the blocks are kept.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for a free one.")] = 8545,
    chain_id: Annotated[int, typer.Option(help="EIP-155 number of a new chain.")] = 31_337,
    clock: Annotated[
        ClockProfile, typer.Option(help="What the block times of a new chain follow.")
    ] = ClockProfile.DISCRETE,
    engine: Annotated[EngineKind, typer.Option(help="What executes.")] = EngineKind.FLAT,
    *,
    accounts: Annotated[bool, typer.Option(help="Fund and unlock anvil's accounts.")] = True,
    fresh: Annotated[bool, typer.Option(help="Forget the chain that is there.")] = False,
) -> None:
    """Run a chain of one node; it answers JSON-RPC by HTTP and websocket."""
    options = RunOptions(
        directory=directory,
        host=host,
        port=port,
        chain_id=chain_id,
        clock=clock,
        engine=engine,
        accounts=accounts,
        fresh=fresh,
    )
    raise typer.Exit(run(options))


@app.command()
def witness(
    directory: Annotated[Path, typer.Option("--dir", help="Where its key and its trees are kept.")],
    name: Annotated[str, typer.Option(help="Name of its key, such as grid.example/w1.")],
    log: Annotated[list[str], typer.Option(help="Key of a log to watch; may be given often.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for a free one.")] = 8_600,
) -> None:
    """Watch logs: cosign each checkpoint that holds all before it, and no other."""
    try:
        logs = watching([parse_key(one) for one in log])
        state = WitnessState(directory, name)
        ours = Witness(name, state.key, logs)
        bound = listen(host, port)
    except (VoisinError, OSError) as fault:
        _CONSOLE.print(f"[red]witness[/]: {fault}")
        raise typer.Exit(1) from fault
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"cosigns as {ours.public_key.encoded()}")
    typer.echo(f"listening on http://{shown}:{bound.getsockname()[1]}")
    serve_witness(create_witness(ours, state, SystemClock()), bound)
    state.close()


@database_app.command()
def prepare(
    owner: Annotated[str, typer.Argument(help="Address, as the owner of the tables.")],
    role: Annotated[str, typer.Option(help="Role that the service will have.")],
) -> None:
    """Bring the tables up to date, and let the service's role add rows but not change evidence."""
    try:
        engine = open_engine(owner)
        try:
            migrate(engine, "ledger", ledger_tables.metadata)
            migrate(engine, "settlement", service_tables.metadata)
            with engine.begin() as connection:
                grant(
                    connection,
                    role,
                    tables=(*ledger_tables.metadata.tables, *service_tables.metadata.tables),
                    immutable=(*ledger_tables.IMMUTABLE, *service_tables.IMMUTABLE),
                )
        finally:
            engine.dispose()
    except VoisinError as fault:
        _CONSOLE.print(f"[red]{fault.code}[/]: {fault}")
        raise typer.Exit(1) from fault
    _CONSOLE.print(f"The tables are up to date; {role} may add to all and change what may change.")


@contextmanager
def _reading(data: Path | None) -> Iterator[Connection]:
    """Open the books, for reading only."""
    engine = open_readers(Settings().database or _directory(data) / DATABASE)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _directory(given: Path | None) -> Path:
    """Return the data directory asked for, or the one that was written last."""
    if given is not None:
        return given
    base = Settings().data_dir
    found = sorted(base.glob(f"*/{DATABASE}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NoDataError(base)
    return found[-1].parent
