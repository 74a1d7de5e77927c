"""
The least service that uses the chain: a database, a key, a token, and one mint per business key.

It is made of the service's own outbox, indexer and delivery, so what holds for it under fire holds
for the service.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table, Text, func, select

from contracts.typed_data import keccak
from ledger.store import migrate, open_engine, open_readers
from settlement.chain.calls import Contract, creation
from settlement.chain.delivery import Reactions, advance
from settlement.chain.gateway import ChainGateway
from settlement.chain.identity import hold_chain
from settlement.chain.indexer import FinalEvent, Indexer
from settlement.chain.outbox import Call, Outbox, created_address
from settlement.chain.sending.fees import FeePolicy
from settlement.chain.sending.intents import Outstanding
from settlement.chain.sending.steps import NO_STEPS, Steps
from settlement.chain.web3_gateway import CallRevertedError, Web3Gateway
from settlement.tables import intent, metadata

SIGNER: Final = bytes.fromhex("7f" * 32)
"""Key of the worker; public, for campaigns and tests alone."""
DATABASE: Final = "worker.sqlite"

_GAS: Final = 120_000
_DEPLOY_GAS: Final = 4_000_000
_ADDRESS_LENGTH: Final = 20
_own: Final = MetaData()

effect: Final = Table(
    "effect",
    _own,
    Column("holder", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("transaction_hash", Text, nullable=False),
)
"""What final events came to; nothing keeps two rows of one mint apart, so that they would show."""
outcome: Final = Table(
    "outcome",
    _own,
    Column("business_key", Text, nullable=False),
    Column("what", Text, nullable=False),
)
"""Intents that were reverted or cancelled."""


def holder_of(business_key: str) -> str:
    """Return the address that the mint of ``business_key`` goes to, and no other mint."""
    return "0x" + keccak(business_key.encode())[-_ADDRESS_LENGTH:].hex()


class Worker:
    """A host of deliveries over a database; opening it again goes on."""

    def __init__(  # noqa: PLR0913 - what tests and campaigns vary
        self,
        database: Path | str,
        url: str,
        *,
        depth: int = 0,
        page: int = 100,
        policy: FeePolicy | None = None,
        steps: Steps = NO_STEPS,
        engine: Engine | None = None,
    ) -> None:
        """
        Open the database and see that it is the chain's at ``url``.

        ``engine`` is one that writes to it alone, if there is one already.

        Raises
        ------
        Integrity
            If the chain is another, or somebody else used the key.
        """
        self.gateway: ChainGateway = Web3Gateway(url)
        """The chain."""
        self.database: Final = engine or open_engine(database)
        """The database."""
        self.readers: Final = open_readers(database)
        """The same, for reading."""
        migrate(self.database, "settlement", metadata)
        _own.create_all(self.database)
        with self.database.begin() as connection:
            identity = hold_chain(connection, self.gateway)
            self.outbox: Final = Outbox(
                SIGNER, identity.chain_id, policy=policy or FeePolicy(), steps=steps
            )
            """The transactions."""
            self.outbox.quote = self.gateway.fees()
            self.token: Final = Contract.at("EnergyEuro", created_address(self.outbox.address, 0))
            """The token, created by the first transaction."""
            self.outbox.plan(
                connection,
                business_key="deploy/EnergyEuro",
                trace_id="deployment",
                call=Call(None, creation("EnergyEuro", self.outbox.address), "deploy", _DEPLOY_GAS),
            )
            self.outbox.check_nonce(connection, self.gateway)
        self.indexer: Final = Indexer((self.token,), depth, page)
        """The reader of the token's events."""

    def close(self) -> None:
        """Give the database back."""
        self.database.dispose()
        self.readers.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one write transaction."""
        with self.database.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with self.readers.connect() as connection:
            yield connection

    def plan(self, connection: Connection, business_key: str, *, amount_micros: int = 1) -> str:
        """Intend one mint; return the hash of its transaction. Idempotent by ``business_key``."""
        data = self.token.encode("mint", holder_of(business_key), amount_micros)
        return self.plan_call(connection, business_key, data)

    def plan_call(self, connection: Connection, business_key: str, data: bytes) -> str:
        """Intend any call of the token."""
        return self.outbox.plan(
            connection,
            business_key=business_key,
            trace_id=business_key,
            call=Call(self.token.address, data, "EnergyEuro.mint", _GAS),
        )

    def advance(self) -> int:
        """Deliver and read; return how many intents still wait."""
        return advance(
            self,
            Reactions(
                explain=self._explain,
                failed=_failed,
                superseded=_superseded,
                happened=_happened,
            ),
        )

    def states(self) -> dict[str, str]:
        """Return the state of every intent by business key, the deployment's left out."""
        with self.reading() as connection:
            rows = connection.execute(
                select(intent.c.business_key, intent.c.state).where(intent.c.nonce > 0)
            ).all()
        return {row.business_key: row.state for row in rows}

    def minted(self) -> dict[str, int]:
        """Return how many final mints the database holds, by holder."""
        with self.reading() as connection:
            rows = connection.execute(
                select(effect.c.holder, func.count()).group_by(effect.c.holder)
            ).all()
        return {str(holder): int(count) for holder, count in rows}

    def _explain(self, connection: Connection, one: Outstanding) -> str:
        call = self.outbox.call_of(connection, one.newest.hash)
        try:
            self.gateway.call(call.to or "", call.data, self.outbox.address)
        except CallRevertedError as fault:
            decoded = self.token.decode_error(fault.data)
            return str(fault) if decoded is None else decoded.name
        return "reverted then, passes now"


def _failed(connection: Connection, one: Outstanding, error: str) -> None:
    connection.execute(outcome.insert().values(business_key=one.business_key, what=error))


def _superseded(connection: Connection, one: Outstanding) -> None:
    connection.execute(outcome.insert().values(business_key=one.business_key, what="cancelled"))


def _happened(connection: Connection, events: Sequence[FinalEvent]) -> None:
    for event in events:
        if event.name == "Transfer":
            connection.execute(
                effect.insert().values(
                    holder=event.arguments["to"],
                    amount_micros=event.arguments["value"],
                    transaction_hash=event.transaction_hash,
                )
            )
