"""The stations' endpoint alone: a database and a web server, no chain behind it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from api.desk import Desk
from api.embedded import server_config
from api.ocpp.endpoint import ANSWER_TIMEOUT_S, stations_route
from api.ocpp.switchboard import Switchboard
from devnet.server import listen
from ledger.clock import Clock, SystemClock
from ledger.store import LedgerStore, migrate, open_engine, open_readers
from ledger.store.writer import Writer
from ledger.tables import metadata as ledger_tables
from settlement.engine.service import Service
from settlement.tables import metadata, party, station

DATABASE: Final = "stations.sqlite"
OPERATOR: Final = "operator"

_START_POLL_S: Final = 0.01
_JOURNAL_KEY: Final = b"\x07" * 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that runs."""

    service: Service
    """A service with a database, and nothing that needs a chain."""
    desk: Desk
    """Where reports are judged."""
    switchboard: Switchboard
    """Where stations are asked."""
    url: str
    """Where stations connect, ``ws://127.0.0.1:PORT/ocpp``."""


def bare_service(directory: Path, clock: Clock | None = None) -> Service:
    """Return a service with an empty database in ``directory``, and no chain."""
    engine = open_engine(directory / DATABASE)
    migrate(engine, "ledger", ledger_tables)
    migrate(engine, "settlement", metadata)
    book = LedgerStore()
    with engine.begin() as connection:
        book.begin(connection, _JOURNAL_KEY)
    absent = cast("Any", None)
    return Service(
        database=engine,
        readers=open_readers(directory / DATABASE),
        lease=absent,
        book=book,
        gateway=absent,
        identity=absent,
        outbox=absent,
        contracts=absent,
        indexer=absent,
        clock=clock or SystemClock(),
        rules=absent,
        salt_key=b"",
        log_key=absent,
    )


def stations(count: int) -> list[tuple[str, str]]:
    """Return the id and the password of each station."""
    return [(f"CA-{number}", f"password of station {number}") for number in range(count)]


def admit(service: Service, passwords: Sequence[tuple[str, str]]) -> None:
    """Let stations in: id and password of each."""
    with service.writing() as connection:
        connection.execute(party.insert().values(id=OPERATOR, role="operator"))
        connection.execute(
            station.insert(),
            [
                {
                    "station_id": station_id,
                    "party": OPERATOR,
                    "meter_id": f"0x{number:064x}",
                    "password_hash": sha256(password.encode()).hexdigest(),
                }
                for number, (station_id, password) in enumerate(passwords)
            ],
        )


@asynccontextmanager
async def endpoint(
    service: Service,
    *,
    tls: ssl.SSLContext | None = None,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> AsyncIterator[Endpoint]:
    """Serve the stations of ``service`` on a free port while the block runs."""
    desk, switchboard = Desk(), Switchboard()
    with Writer(service.database, service.clock, book=service.book) as writer:
        route = stations_route(
            service, desk, writer, switchboard, answer_timeout_s=answer_timeout_s
        )
        async with listening(Starlette(routes=[route]), tls) as port:
            scheme = "ws" if tls is None else "wss"
            url = f"{scheme}://127.0.0.1:{port}/ocpp"
            yield Endpoint(service, desk, switchboard, url)
        await desk.idle()
        desk.close()
    service.database.dispose()
    service.readers.dispose()


@asynccontextmanager
async def listening(app: ASGIApp, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve ``app`` as the service does, on a free port of this machine; yield the port."""
    listener: socket.socket = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(app, tls))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(_START_POLL_S)
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()
