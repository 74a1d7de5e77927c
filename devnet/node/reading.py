"""What anybody may ask a chain: blocks, outcomes, events, states and proofs."""

from collections.abc import Iterator
from typing import Final

from eth.abc import StateAPI

from devnet.engine.blocks import Block, Header
from devnet.engine.proof import Proof
from devnet.engine.world import NOBODY, Account
from devnet.genesis import Genesis
from devnet.node.timekeeping import Timekeeper
from devnet.store.engines import Replay
from devnet.store.foreign import ForeignStorage
from devnet.store.history import LogEntry, Mined
from devnet.store.storage import Storage

AnyStorage = Storage | ForeignStorage


class ChainReader:
    """A chain, to be read from any thread."""

    def __init__(self, genesis: Genesis, storage: AnyStorage, time: Timekeeper) -> None:
        """Read what ``storage`` holds."""
        self.genesis: Final = genesis
        """What it began with."""
        self.time: Final = time
        """Gives blocks their times."""
        self._storage: Final[AnyStorage] = storage

    @property
    def head(self) -> Block:
        """The newest block."""
        return self._storage.head.block

    @property
    def head_number(self) -> int:
        """Number of the newest block."""
        return self._storage.head.block.number

    @property
    def head_hash(self) -> str:
        """Hash of the newest block, as 0x hex."""
        return "0x" + self._storage.head.block.hash.hex()

    def block(self, number: int) -> Block | None:
        """Return block ``number``, if there is one."""
        past = self._storage.past(number)
        return None if past is None else past.block

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with that hash, if there is one."""
        return self._storage.number_of(block_hash)

    def outcomes(self, number: int) -> tuple[Mined, ...]:
        """Return the transactions of block ``number`` with their outcomes, in order."""
        past = self._storage.past(number)
        return () if past is None else past.outcomes

    def mined(self, transaction: bytes) -> Mined | None:
        """Return the transaction of that hash with its outcome, if it was mined."""
        return self._storage.mined(transaction)

    def logs(
        self,
        first: int,
        last: int,
        addresses: frozenset[bytes] = frozenset(),
        topics: tuple[frozenset[bytes], ...] = (),
    ) -> Iterator[LogEntry]:
        """
        Return the events of blocks ``first`` to ``last``, both included, in order.

        Parameters
        ----------
        addresses
            The contracts asked for; none means all.
        topics
            Per place the words that fit; none means any.
        """
        return self._storage.logs(first, last, addresses, topics)

    def newest_account(self, address: bytes) -> Account:
        """Return an account as of the newest block."""
        return self._storage.engine.account(address, self.head_number) or NOBODY

    def next_nonce(self, address: bytes) -> int:
        """Return the nonce that the next transaction of ``address`` in a block must have."""
        return self.newest_account(address).nonce

    def scratch(self, number: int, header: Header | None = None) -> StateAPI:
        """
        Return a state to be thrown away, as after block ``number``.

        Parameters
        ----------
        header
            The block in which to execute; block ``number`` itself if None.
        """
        past = self._storage.past(number)
        if past is None:
            raise IndexError(number)
        return self._storage.engine.scratch(number, header or past.block.header)

    def replay(self, number: int) -> Replay:
        """Return the state in which block ``number`` began, with its transactions."""
        past = self._storage.past(number)
        if past is None or not number:
            raise IndexError(number)
        return self._storage.engine.replay(past.block)

    def proof(self, number: int, address: bytes, slots: tuple[int, ...]) -> Proof:
        """Return the proof of an account after block ``number``."""
        return self._storage.engine.proof(number, address, slots)
