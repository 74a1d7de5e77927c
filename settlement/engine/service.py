"""The service: what every use case needs, put together once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, select

from contracts.typed_data import Domain
from ledger.clock import Clock
from ledger.errors import NotFound, VoisinError
from ledger.store import LedgerStore
from ledger.store.faults import explained
from settlement.chain.deployment import Contracts
from settlement.chain.gateway import ChainGateway, ChainIdentity
from settlement.chain.indexer import Indexer
from settlement.chain.outbox import Outbox
from settlement.engine.community import Rules
from settlement.engine.intake import Verdict
from settlement.tables import wallet


class UnknownWalletError(NotFound):
    """No party of the community holds the wallet, or the party has none."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_wallet", f"{name} is no wallet or party of the community")


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a use case works with; made by the composition root."""

    database: Engine
    """The one database, written by one thread."""
    readers: Engine
    """The same database, for reading only."""
    book: LedgerStore
    """The double-entry ledger in it."""
    gateway: ChainGateway
    """The chain."""
    identity: ChainIdentity
    """Which chain it is."""
    outbox: Outbox
    """Transactions of the service's key."""
    contracts: Contracts
    """The community's contracts."""
    indexer: Indexer
    """Reader of their events."""
    clock: Clock
    """The domain clock."""
    rules: Rules
    """The community's rules."""
    salt_key: bytes
    """Key of every salt, 32 bytes."""
    log_key: Ed25519PrivateKey
    """Key that signs checkpoints of the log."""

    @property
    def domain(self) -> Domain:
        """EIP-712 domain of readings and mandates."""
        return _domain(self.identity.chain_id, self.contracts.trade.address)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one write transaction; it commits at the end, or nothing of it is kept."""
        with explained(), self.database.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with explained(), self.readers.connect() as connection:
            yield connection


@cache
def _domain(chain_id: int, contract: str) -> Domain:
    """Return the domain, the same object each time, since it keeps its hash."""
    return Domain(name="Voisin", version="1", chain_id=chain_id, verifying_contract=contract)


def unwrap(taken: Verdict | VoisinError) -> Verdict:
    """Return the verdict, or raise the refusal; call it outside the transaction that kept it."""
    if isinstance(taken, VoisinError):
        raise taken
    return taken


def wallet_of(connection: Connection, party: str) -> str:
    """
    Return the wallet of ``party``, lower case.

    Raises
    ------
    UnknownWalletError
        If it has none.
    """
    found = connection.execute(select(wallet.c.address).where(wallet.c.party == party)).scalar()
    if found is None:
        raise UnknownWalletError(party)
    return str(found)


def party_of(connection: Connection, address: str) -> str:
    """
    Return the party that holds ``address``.

    Raises
    ------
    UnknownWalletError
        If nobody does.
    """
    found = connection.execute(select(wallet.c.party).where(wallet.c.address == address)).scalar()
    if found is None:
        raise UnknownWalletError(address)
    return str(found)
