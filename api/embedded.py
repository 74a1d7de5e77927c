"""
Compose the embedded default: chain, database, service and web server in one process.

One directory holds everything: the chain's log and the database. Opening it again after any kind
of end goes on where it stood.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select, text

from api.app import create_app
from api.dependencies import Context
from api.desk import Desk
from devnet.genesis import ClockProfile, Genesis
from devnet.node.chain import Devnet
from devnet.server import listen, serve
from ledger.clock import Clock, SystemClock
from ledger.errors import Integrity
from ledger.store import LedgerStore, migrate, open_engine, open_readers
from ledger.store.bulk import upsert
from ledger.tables import metadata as ledger_tables
from ledger.units import UnixSeconds
from settlement.chain.deployment import plan_deployment
from settlement.chain.gateway import ChainGateway
from settlement.chain.indexer import Indexer
from settlement.chain.outbox import Outbox
from settlement.chain.web3_gateway import Web3Gateway
from settlement.engine.community import Rules
from settlement.engine.finality import advance
from settlement.engine.service import Service
from settlement.tables import immutability_triggers, meta, metadata

DATABASE: Final = "voisin.sqlite"
CHAIN: Final = "chain"
CHAIN_ID: Final = 3_300

_START_POLL_S: Final = 0.01


class ChainChangedError(Integrity):
    """The database belongs to another chain than the one that answers."""

    def __init__(self, ours: str, theirs: str) -> None:
        super().__init__("chain_changed", f"the database follows {ours}, the node serves {theirs}")


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
    directory: Path, gateway: ChainGateway, clock: Clock, rules: Rules, secrets: Secrets
) -> Service:
    """
    Open the database and deploy the contracts if that was not done; return the service.

    Raises
    ------
    ChainChangedError
        If the database was made with another chain.
    """
    database = open_engine(directory / DATABASE)
    migrate(database, "ledger", ledger_tables)
    metadata.create_all(database)
    identity = gateway.identity()
    outbox = Outbox(secrets.signer, identity.chain_id)
    book = LedgerStore()
    with database.begin() as connection:
        book.begin(connection, hmac.digest(secrets.salt, b"voisin/journal", hashlib.sha256))
        for statement in immutability_triggers():
            connection.execute(text(statement))
        _pin(connection, f"{identity.chain_id}/{identity.genesis_hash}")
        contracts = plan_deployment(connection, outbox, rules.interval_s)
        outbox.check_nonce(connection, gateway)
    service = Service(
        database=database,
        readers=open_readers(directory / DATABASE),
        book=book,
        gateway=gateway,
        identity=identity,
        outbox=outbox,
        contracts=contracts,
        indexer=Indexer(contracts.all()),
        clock=clock,
        rules=rules,
        salt_key=secrets.salt,
        log_key=Ed25519PrivateKey.from_private_bytes(secrets.log),
    )
    advance(service)
    return service


def _pin(connection: Connection, chain: str) -> None:
    """Bind the database to a chain for ever."""
    connection.execute(
        upsert(connection, meta).values(key="chain", value=chain).on_conflict_do_nothing()
    )
    ours = connection.execute(select(meta.c.value).where(meta.c.key == "chain")).scalar_one()
    if ours != chain:
        raise ChainChangedError(ours, chain)


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers."""

    service: Service
    """The service."""
    desk: Desk
    """Its desk."""
    url: str
    """Base URL, no slash at the end."""


@asynccontextmanager
async def serving(
    service: Service, *, host: str, port: int, status: Callable[[], Mapping[str, Any]]
) -> AsyncIterator[Running]:
    """Serve web, API and OCPP on ``host`` and ``port`` (0: any free one) while the block runs."""
    desk = Desk()
    context = Context(service=service, desk=desk, status=status)
    listener = listen(host, port)
    config = uvicorn.Config(
        create_app(context),
        log_level="warning",
        access_log=False,
        ws_max_size=2**20,
        timeout_graceful_shutdown=2,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(_START_POLL_S)
    try:
        yield Running(service, desk, f"http://{host}:{listener.getsockname()[1]}")
    finally:
        context.stopping.set()
        server.should_exit = True
        await task
        listener.close()
        desk.close()


def web3_gateway(url: str) -> ChainGateway:
    """Return the gateway to a node by its JSON-RPC URL."""
    return Web3Gateway(url)
