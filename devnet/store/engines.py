"""What the node asks of whatever executes transactions."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from eth.abc import ComputationAPI, StateAPI

from devnet.engine.blocks import Block, Header
from devnet.engine.builder import Built
from devnet.engine.proof import Proof
from devnet.engine.transactions import Transaction
from devnet.engine.world import Account, Changes


class EngineKind(StrEnum):
    """Which engine executes; both come to the same blocks."""

    FLAT = "flat"
    """Ours: flat state, own tries, py-evm's opcodes."""
    STOCK = "stock"
    """py-evm as it comes, plus the P-256 precompile."""


class Replay(Protocol):
    """A block's transactions, one after the other, on the state they were executed on."""

    @property
    def state(self) -> StateAPI:
        """The state before the next transaction."""
        ...

    def step(self, index: int) -> ComputationAPI:
        """Apply transaction ``index``, after all before it."""
        ...


class Engine(Protocol):
    """Executes; knows the state after each block, and nothing of logs, pools and clocks."""

    def scratch(self, number: int, header: Header) -> StateAPI:
        """Return a state to be thrown away: after block ``number``, in the block of ``header``."""
        ...

    def account(self, address: bytes, number: int) -> Account | None:
        """Return an account after block ``number``; None if it is empty."""
        ...

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        ...

    def next_header(self, timestamp_s: int) -> Header:
        """Return the header of the block to be, as far as it is known before execution."""
        ...

    def replay(self, block: Block) -> Replay:
        """Return the state in which ``block`` began, with its transactions."""
        ...

    def proof(self, number: int, address: bytes, slots: tuple[int, ...]) -> Proof:
        """Return the proof of an account after block ``number``."""
        ...

    def build(self, header: Header, transactions: Sequence[Transaction]) -> Built:
        """Execute ``transactions`` on the newest state and seal the block of ``header``."""
        ...

    def commit(self, block: Block, changes: Changes) -> None:
        """Take a block that was built, as the newest."""
        ...

    def adopt(self, number: int, raw: bytes, changes: bytes) -> None:
        """Take a block from the log, as the newest: its RLP and its encoded changes."""
        ...

    def root(self) -> bytes:
        """Return the root of the newest state."""
        ...

    def patch(self, changes: Changes) -> None:
        """Change the newest state by hand."""
        ...

    def steps(self, number: int) -> int:
        """Return how many times the state of block ``number`` was set: by it, by hand."""
        ...

    def rewind(self, number: int, steps: int) -> None:
        """Go back to block ``number`` as it was after ``steps`` changes."""
        ...
