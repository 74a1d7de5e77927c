"""
Compose the embedded default: chain, database, service and web server in one process.

One directory holds everything: the chain's log and the database. Opening it again after any kind
of end goes on where it stood.
"""

import asyncio
import gc
import hashlib
import hmac
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter
from starlette.types import ASGIApp

from api.app import create_app
from api.delivery.deliverer import telling
from api.dependencies import Context
from api.desk import Desk
from api.live.attendant import attended
from api.live.timekeeper import timekept
from api.settings import Settings
from api.tls import tls_context
from devnet.genesis import ClockProfile, Genesis
from devnet.node.chain import Devnet
from devnet.provider import InProcessProvider
from devnet.server import listen, serve
from ledger.clock import Clock, SteadyClock, SystemClock
from ledger.store import LedgerStore, migrate, open_engine, open_readers
from ledger.store.lease import Lease
from ledger.store.writer import Writer
from ledger.tables import metadata as ledger_tables
from ledger.units import UnixSeconds
from settlement.chain.deployment import hold_settlement, plan_deployment
from settlement.chain.gateway import ChainGateway
from settlement.chain.identity import kept_identity
from settlement.chain.indexer import Indexer
from settlement.chain.outbox import Outbox
from settlement.chain.web3_gateway import Web3Gateway
from settlement.charging.documents.issuer import Issuer, parse_issuer
from settlement.engine.bills.catalog import BadCatalogError, read_catalog
from settlement.engine.checkpoints.http_witness import parse_witnesses
from settlement.engine.community import Rules
from settlement.engine.restart.protocol import Restart, Step, restart
from settlement.engine.restart.steps import standard_steps
from settlement.engine.service import Service
from settlement.tables import metadata

DATABASE: Final = "voisin.sqlite"
CHAIN: Final = "chain"
CHAIN_ID: Final = 3_300

_START_POLL_S: Final = 0.01
_DENIED: Final = "ASGI callable returned without completing handshake."
_WEBSOCKET_BYTES_MAX: Final = 2**20
"""Frames up to here reach ``api.ocpp``, which says what is wrong with those that are too large."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The service's keys, derived from one seed on the embedded devnet."""

    signer: bytes
    """Key of the outbox, 32 bytes."""
    salt: bytes
    """Key of every salt, 32 bytes."""
    log: bytes
    """Ed25519 key of the log's checkpoints, 32 bytes."""

    @staticmethod
    def derive(seed: str) -> "Secrets":
        """Return the keys of a seed; the same seed gives the same community on any machine."""
        return Secrets(
            signer=hmac.digest(seed.encode(), b"voisin/service/signer", hashlib.sha256),
            salt=hmac.digest(seed.encode(), b"voisin/service/salt", hashlib.sha256),
            log=hmac.digest(seed.encode(), b"voisin/service/log", hashlib.sha256),
        )


@asynccontextmanager
async def embedded_chain(
    directory: Path, clock: Clock, genesis_s: UnixSeconds
) -> AsyncIterator[tuple[Devnet, str]]:
    """Open the devnet in ``directory`` and serve it on a free port; yield it and its URL."""
    profile = ClockProfile.WALL if isinstance(clock, SystemClock) else ClockProfile.DISCRETE
    genesis = Genesis(chain_id=CHAIN_ID, timestamp_s=genesis_s, clock=profile)
    devnet = await asyncio.to_thread(Devnet.open, directory / CHAIN, genesis, clock)
    node = serve(devnet, "127.0.0.1", 0)
    try:
        yield devnet, node.url
    finally:
        await asyncio.to_thread(node.stop)
        devnet.close()


def open_service(
    directory: Path,
    gateway: ChainGateway,
    clock: Clock,
    rules: Rules,
    secrets: Secrets,
    *,
    database: str = "",
) -> tuple[Service, Restart]:
    """
    Open the database, whatever end it had, and start; return the service and how that went.

    Parameters
    ----------
    directory
        Where the database is, unless ``database`` says otherwise.
    database
        Address of a PostgreSQL database, or nothing.

    Raises
    ------
    BadCatalogError
        If the tariffs of stations cannot be read.
    SecondWriterError
        If another process writes to the database.
    ChainUnavailable
        If the node does not answer, and the database has not met its chain yet.
    WrongState
        If the database's tables are of another version, or the rules settle other periods than its
        contract.
    """
    # Who cannot open it must not keep others, or itself the next time, from it.
    with ExitStack() as undo:
        engine = open_engine(database or directory / DATABASE)
        undo.callback(engine.dispose)
        lease = Lease.take(engine)
        undo.callback(lease.release)
        migrate(engine, "ledger", ledger_tables)
        migrate(engine, "settlement", metadata)
        epoch, book = lease.begin_epoch(), LedgerStore()
        with engine.begin() as connection:
            book.begin(connection, hmac.digest(secrets.salt, b"voisin/journal", hashlib.sha256))
            identity = kept_identity(connection) or gateway.identity()
            outbox = Outbox(secrets.signer, identity.chain_id)
            hold_settlement(connection, rules.interval_s, rules.settlement_s)
            contracts = plan_deployment(connection, outbox, rules.settlement_s)
            newest_s = book.newest_s(connection)
        service = Service(
            database=engine,
            readers=open_readers(database or directory / DATABASE),
            lease=lease,
            book=book,
            gateway=gateway,
            identity=identity,
            outbox=outbox,
            contracts=contracts,
            indexer=Indexer(contracts.all()),
            clock=SteadyClock(clock, newest_s) if isinstance(clock, SystemClock) else clock,
            rules=_with_tariffs(rules, Settings().tariffs),
            salt_key=secrets.salt,
            log_key=Ed25519PrivateKey.from_private_bytes(secrets.log),
            witnesses=parse_witnesses(Settings().witnesses),
        )
        undo.pop_all()
    steps = (Step("lease", lambda: f"epoch {epoch}"), *standard_steps(service))
    return service, restart(steps)


def _with_tariffs(rules: Rules, catalog: Path | None) -> Rules:
    """Return rules in which the stations of a catalog have the tariffs that it says."""
    if catalog is None:
        return rules
    found = read_catalog(
        _text_of(catalog), rules.currency, lambda name: _text_of(catalog.parent / name)
    )
    return replace(rules, station_tariffs={**rules.station_tariffs, **found})


def _text_of(path: Path) -> str:
    """
    Return the text of a file.

    Raises
    ------
    BadCatalogError
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise BadCatalogError(path.name, f"cannot be read: {fault}") from fault


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers."""

    service: Service
    """The service."""
    desk: Desk
    """Its desk."""
    url: str
    """Base URL, no slash at the end."""


def server_config(app: ASGIApp, tls: ssl.SSLContext | None) -> uvicorn.Config:
    """Return how ``app`` is served; thousands of stations hold a websocket each."""
    logging.getLogger("uvicorn.error").addFilter(_no_denial)
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws_max_size=_WEBSOCKET_BYTES_MAX,
        # Deflate would keep a window of many kilobytes for each station.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
        lifespan="off",
        ssl_context_factory=None if tls is None else lambda _config, _usual: tls,
    )


def _no_denial(record: logging.LogRecord) -> bool:
    """Return whether a record says something; a station refused by HTTP is no fault of ours."""
    return record.msg != _DENIED


@asynccontextmanager
async def serving(
    opened: tuple[Service, Restart],
    *,
    host: str,
    port: int,
    status: Callable[[], Mapping[str, Any]],
    more: Sequence[APIRouter] = (),
) -> AsyncIterator[Running]:
    """
    Serve web, API and OCPP on ``host`` and ``port`` (0: any free one) while the block runs.

    By TLS, if the settings name a certificate. A service whose start did not succeed only reads. It
    is closed at the end.

    Raises
    ------
    CertificateUnusableError
        If the certificate cannot be used.
    """
    service, started = opened
    settings = Settings()
    tls = _tls(settings)
    desk = Desk()
    writer = Writer(service.database, service.clock, book=service.book)
    listener = listen(host, port)
    scheme = "http" if tls is None else "https"
    url = f"{scheme}://{host}:{listener.getsockname()[1]}"
    context = Context(
        service=service,
        desk=desk,
        writer=writer,
        status=status,
        restart=started,
        issuer=_issuer(settings, url),
        private_addresses=_private_addresses(settings, host),
    )
    config = server_config(create_app(context, *more), tls)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    writer.start()
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(_START_POLL_S)
    try:
        async with (
            telling(context),
            attended(service, desk, context.stations, context.board),
            timekept(service, desk, context.readings_came),
        ):
            with _kept_heap():
                yield Running(service, desk, url)
    finally:
        context.stopping.set()
        server.should_exit = True
        await task
        listener.close()
        desk.close()
        writer.close()
        service.close()


@contextmanager
def _kept_heap() -> Iterator[None]:
    """
    Let the garbage collector pass by what a service is made of.

    Modules, contracts and tables stay as long as it serves. Walking over all of them holds every
    thread up for a tenth of a second, whoever is waiting for a refund just then.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Return what to serve by TLS with, if the settings name a certificate."""
    certificate = settings.tls_certificate
    return None if certificate is None else tls_context(certificate, settings.tls_key)


def _issuer(settings: Settings, url: str) -> Issuer:
    """Return who issues charge detail records, reached at ``url`` unless settings say otherwise."""
    found = Issuer() if settings.issuer is None else parse_issuer(settings.issuer.read_text())
    return replace(found, public_url=settings.public_url.rstrip("/") or url)


def _private_addresses(settings: Settings, host: str) -> bool:
    """Return whether subscribers may be on private addresses: only if all users are local ones."""
    if settings.private_addresses is not None:
        return settings.private_addresses
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def web3_gateway(url: str) -> ChainGateway:
    """Return the gateway to a node by its JSON-RPC URL."""
    return Web3Gateway(url)


def embedded_gateway(devnet: Devnet) -> ChainGateway:
    """Return the gateway to the chain in this process, whose questions need no wire."""
    return Web3Gateway(InProcessProvider(devnet))
