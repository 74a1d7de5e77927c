"""The flat engine: one world, states to try things on, and blocks built on its newest state."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from eth.abc import ComputationAPI, StateAPI

from devnet.engine.blocks import Block, Header
from devnet.engine.builder import Built, begin_block, build, state_in
from devnet.engine.executor import apply
from devnet.engine.proof import Proof
from devnet.engine.state import FlatState
from devnet.engine.transactions import Transaction
from devnet.engine.world import Account, Changes, World

Ancestors = Callable[[int], Iterable[bytes]]
"""Gives the hashes of the blocks before block number n, newest first."""


class FlatReplay:
    """A block's transactions, one after the other, on the state they were executed on."""

    def __init__(self, state: FlatState, block: Block) -> None:
        """Stand before the first transaction."""
        self.state: Final = state
        self._block = block

    def step(self, index: int) -> ComputationAPI:
        """Apply transaction ``index``, after all before it."""
        return apply(self.state, self._block.transactions[index])


class FlatEngine:
    """Everything that executes, for one chain."""

    def __init__(self, world: World, first: Header, chain_id: int, ancestors: Ancestors) -> None:
        """Execute on ``world``, which is the state of block 0, ``first``."""
        self.world: Final = world
        self._gas_limit = first.gas_limit
        self._chain_id = chain_id
        self._ancestors = ancestors

    def scratch(self, number: int, header: Header) -> StateAPI:
        """Return a state to be thrown away: after block ``number``, in the block of ``header``."""
        base = self.world.at(number)
        return state_in(base, header, self._chain_id, self._ancestors(header.block_number))

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        return self.world.code(code_hash)

    def next_header(self, timestamp_s: int) -> Header:
        """
        Return the header of the block to be, as far as it is known before execution.

        The base fee begins at 0, and no block uses enough gas to raise it.
        """
        number = self.world.number + 1
        return Header(
            parent_hash=next(iter(self._ancestors(number))),
            state_root=b"",
            block_number=number,
            gas_limit=self._gas_limit,
            timestamp=timestamp_s,
        )

    def replay(self, block: Block) -> FlatReplay:
        """Return the state in which ``block`` began, with its transactions."""
        base = self.world.at(block.number - 1)
        ancestors = self._ancestors(block.number)
        state = state_in(base, block.header, self._chain_id, ancestors)
        begin_block(state, block.header)
        return FlatReplay(state, block)

    def proof(self, number: int, address: bytes, slots: tuple[int, ...]) -> Proof:
        """Return the proof of an account after block ``number``."""
        world = self.world if number == self.world.number else self.world.as_of(number)
        return world.proof(address, slots)

    def build(self, header: Header, transactions: Sequence[Transaction]) -> Built:
        """
        Execute ``transactions`` on the newest state and seal them into the block of ``header``.

        The caller takes it with ``commit``, or throws the engine away.
        """
        ancestors = self._ancestors(header.block_number)
        return build(self.world, header, self._chain_id, ancestors, transactions)

    def account(self, address: bytes, number: int) -> Account | None:
        """Return an account after block ``number``; None if it is empty."""
        return self.world.account_at(address, number)

    def commit(self, block: Block, changes: Changes) -> None:
        """Take a block that was just built, as the newest."""
        self.world.commit(block.number, changes)

    def adopt(self, number: int, raw: bytes, changes: bytes) -> None:
        """Take a block from the log, as the newest; ``changes`` are trusted until the end."""
        del raw
        self.world.adopt(number, Changes.decode(changes))

    def patch(self, changes: Changes) -> None:
        """Change the newest state by hand."""
        self.world.patch(changes)

    def steps(self, number: int) -> int:
        """Return how many times the state of block ``number`` was set."""
        return self.world.steps(number)

    def rewind(self, number: int, steps: int) -> None:
        """Go back to block ``number`` as it was after ``steps`` changes."""
        self.world.rewind(number, steps)

    def root(self) -> bytes:
        """Return the root of the newest state."""
        return self.world.root()
