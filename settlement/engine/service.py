"""The service: what every use case needs, put together once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, select

from contracts.typed_data import Domain
from ledger.clock import Clock
from ledger.errors import NotFound, VoisinError
from ledger.proofs import NoteKey, Signature
from ledger.proofs.witness import Submission
from ledger.store import LedgerStore
from ledger.store.faults import explained
from ledger.store.lease import Lease
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


class WitnessPort(Protocol):
    """Whoever watches the log and cosigns its checkpoints."""

    @property
    def key(self) -> NoteKey:
        """Key of its cosignatures."""
        ...

    def add_checkpoint(self, submission: Submission) -> Signature:
        """
        Return its cosignature under a checkpoint, checked.

        Raises
        ------
        HeldDiffersError
            If it holds another tree than the submission goes on from.
        NotConsistentError
            If it does not find the checkpoint to hold the tree that it cosigned.
        WitnessSilentError
            If it does not answer, or with anything else.
        """
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What several pieces of work share (``settlement.engine.turns``)."""

    connection: Connection
    """The one transaction."""
    then: list[Callable[[], None]] = field(default_factory=list)
    """What is to be done after the delivery that was asked for."""


_TURN: Final[ContextVar[Turn | None]] = ContextVar("turn", default=None)


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a use case works with; made by the composition root."""

    database: Engine
    """The one database, written by one thread."""
    readers: Engine
    """The same database, for reading only."""
    lease: Lease
    """The right to be the one that writes to it."""
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
    witnesses: tuple[WitnessPort, ...] = ()
    """Who is asked to cosign them."""

    @property
    def domain(self) -> Domain:
        """EIP-712 domain of readings and mandates."""
        return _domain(self.identity.chain_id, self.contracts.trade.address)

    def close(self) -> None:
        """Give the database back, and the right to write to it."""
        self.database.dispose()
        self.readers.dispose()
        self.lease.release()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """
        Open the one write transaction; it commits at the end, or nothing of it is kept.

        In a turn it is a part of the turn's: kept or not on its own, committed with the others.
        """
        taking = _TURN.get()
        if taking is None:
            with explained(), self.database.begin() as connection:
                yield connection
        else:
            with explained(), taking.connection.begin_nested():
                yield taking.connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads; in a turn it sees what the turn has written."""
        taking = _TURN.get()
        if taking is None:
            with explained(), self.readers.connect() as connection:
                yield connection
        else:
            yield taking.connection


def current_turn() -> Turn | None:
    """Return the turn that is being taken, or None."""
    return _TURN.get()


@contextmanager
def turn(service: Service) -> Iterator[Turn]:
    """Let everything that is written in the block be one transaction."""
    with explained(), service.database.begin() as connection:
        taking = Turn(connection)
        token = _TURN.set(taking)
        try:
            yield taking
        finally:
            _TURN.reset(token)


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
