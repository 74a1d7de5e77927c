"""Serve a chain that others made: in memory, executed by stock py-evm, never extended."""

from collections.abc import Iterator
from typing import Final, NoReturn

from devnet.engine.builder import Built
from devnet.engine.world import Account
from devnet.stock.engine import StockEngine
from devnet.stock.foreign import open_foreign_chain
from devnet.store.engines import Engine
from devnet.store.history import LogEntry, Mined, Past, outcomes_of
from devnet.store.storage import fits
from ledger.errors import NotPermitted


class ForeignChainFixedError(NotPermitted):
    """A chain that others made gets no blocks here."""

    def __init__(self) -> None:
        super().__init__("foreign_chain_fixed", "a foreign chain is only read: it gets no blocks")


class ForeignStorage:
    """Blocks, outcomes and events of a foreign chain; the same surface as ``Storage``."""

    takes_blobs: Final = True
    """Whether transactions with blobs may be sent."""

    def __init__(self, genesis_json: bytes, chain_rlp: bytes) -> None:
        """
        Import the blocks with every check that py-evm has.

        Parameters
        ----------
        genesis_json
            A genesis in geth's layout, forks included.
        chain_rlp
            Its blocks in RLP, one behind the other.

        Raises
        ------
        ForeignGenesisError
            If no chain can start from it.
        BlockInvalidError
            If a block breaks the rules of its fork.
        """
        stock = StockEngine(open_foreign_chain(genesis_json, chain_rlp))
        self.engine: Final[Engine] = stock
        """Holds the states and executes."""
        blocks = [stock.block(number) for number in range(stock.number + 1)]
        self._pasts: Final = [
            Past(block, outcomes_of(block, stock.receipts(block.number))) for block in blocks
        ]
        self._numbers: Final = {block.hash: block.number for block in blocks}
        self._mined: Final = {
            outcome.transaction.hash: outcome for past in self._pasts for outcome in past.outcomes
        }

    @property
    def head(self) -> Past:
        """The newest block."""
        return self._pasts[-1]

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with that hash, if there is one."""
        return self._numbers.get(block_hash)

    def past(self, number: int) -> Past | None:
        """Return block ``number`` with its outcomes, if there is one."""
        return self._pasts[number] if 0 <= number < len(self._pasts) else None

    def mined(self, transaction: bytes) -> Mined | None:
        """Return the transaction of that hash with its outcome, if it was mined."""
        return self._mined.get(transaction)

    def logs(
        self,
        first: int,
        last: int,
        addresses: frozenset[bytes],
        topics: tuple[frozenset[bytes], ...],
    ) -> Iterator[LogEntry]:
        """Return the events of blocks ``first`` to ``last`` that fit, in order."""
        for past in self._pasts[first : last + 1]:
            for outcome in past.outcomes:
                for entry in outcome.logs:
                    if fits(entry, addresses, topics):
                        yield entry

    def add(self, _built: Built, _senders: dict[int, bytes]) -> NoReturn:
        """Refuse."""
        raise ForeignChainFixedError

    def change(
        self, _address: bytes, _account: Account, _code: bytes | None, _slots: dict[int, int]
    ) -> NoReturn:
        """Refuse."""
        raise ForeignChainFixedError

    def rewind(self, _number: int, _steps: int) -> NoReturn:
        """Refuse."""
        raise ForeignChainFixedError

    def close(self) -> None:
        """Do nothing: there is no file."""
