"""
Run the chain: one transaction, one block, durable before anybody sees it.

Stock py-evm builds blocks (``mine_all``) that stock py-evm refuses, because it leaves out the
system calls before and after the transactions. Here a block is built by the very code that imports
blocks, so what is written is what any later import accepts.
"""

import logging
import threading
from pathlib import Path
from typing import Final, Self

import rlp  # type: ignore[import-untyped] # rlp ships no types
from eth.abc import BlockAPI, BlockHeaderAPI, ChainAPI, SignedTransactionAPI, StateAPI
from eth.constants import ZERO_ADDRESS, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.exceptions import VMError
from eth_keys.main import KeyAPI
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped] # rlp ships no types

from devnet.admission import (
    Refusal,
    TransactionRefusedError,
    check_state,
    check_stateless,
    decode_transaction,
)
from devnet.genesis import Genesis, new_chain, settle_genesis
from devnet.history import History
from devnet.log import BlockLog, DirectoryLock
from devnet.precompile import VoisinVM
from ledger.clock import Clock
from ledger.errors import Integrity, WrongState

_log: Final = logging.getLogger(__name__)

# py-evm writes whole database diffs into its log when a block fails; the errors say enough.
logging.getLogger("eth").setLevel(logging.CRITICAL)


class BlockInvalidError(Integrity):
    """A block of the log breaks the rules of the chain."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__("block_invalid", f"block {number} breaks the rules: {why}")
        self.number: Final = number


class SlowSignaturesError(Integrity):
    """Signatures would be checked in pure Python, which is too slow and not constant-time."""

    def __init__(self, backend: str) -> None:
        super().__init__("slow_signatures", f"eth-keys uses {backend}; install coincurve")


class DevnetClosedError(WrongState):
    """The node was closed."""

    def __init__(self) -> None:
        super().__init__("devnet_closed", "the node is closed")


class Devnet:
    """A chain in a directory, open for sending and reading from any thread."""

    def __init__(self, directory: Path, genesis: Genesis, clock: Clock) -> None:
        """Open the chain; ``Devnet.open`` is the way in."""
        self.genesis: Final = genesis
        self.lock: Final = threading.RLock()
        """Held by whoever reads several things that must belong together."""
        self._clock = clock
        self._held = DirectoryLock(directory)
        try:
            settle_genesis(directory, genesis)
            self._file = BlockLog(directory)
            try:
                self.chain: Final = new_chain(genesis, AtomicDB())
                self.history: Final = replay(self.chain, self._file.recover())
            except Integrity:
                self._file.close()
                raise
        except Integrity:
            self._held.release()
            raise
        self._closed = False

    @classmethod
    def open(cls, directory: Path, genesis: Genesis, clock: Clock) -> Self:
        """
        Open the chain in ``directory``, or start it there.

        Parameters
        ----------
        directory
            Where the blocks are kept; made if it is missing.
        clock
            The domain clock that block times follow.

        Raises
        ------
        DirectoryInUseError
            If another node has the directory open for 10 s.
        GenesisDiffersError
            If the directory holds a chain with another start.
        BlockRecordDamagedError
            If a record on disk is damaged.
        BlockInvalidError
            If a block on disk breaks the rules.
        SlowSignaturesError
            If signatures would be checked in pure Python.
        """
        backend = fast_signatures()
        directory.mkdir(parents=True, exist_ok=True)
        devnet = cls(directory, genesis, clock)
        _log.info(
            "chain %d open at block %d, signatures by %s",
            genesis.chain_id,
            devnet.head_number,
            backend,
        )
        return devnet

    def close(self) -> None:
        """Give the directory back; closing twice does nothing."""
        with self.lock:
            if self._closed:
                return
            self._closed = True
            self._file.close()
            self._held.release()

    @property
    def head_number(self) -> int:
        """Number of the newest block."""
        return self.history.head_number

    @property
    def head_hash(self) -> str:
        """Hash of the newest block, as 0x hex."""
        return "0x" + self.head.hash.hex()

    @property
    def head(self) -> BlockHeaderAPI:
        """Header of the newest block."""
        with self.lock:
            return self.header(self.history.head_number)

    def header(self, number: int) -> BlockHeaderAPI:
        """Return the header of block ``number``, which must be there."""
        block = self.history.block(number)
        if block is None:
            raise IndexError(number)
        return block.header

    def state_at(self, header: BlockHeaderAPI) -> StateAPI:
        """Return the state after the block of ``header``, to read or to try things on."""
        return self.chain.get_vm(header).state

    def next_header(self) -> BlockHeaderAPI:
        """Return the header of the block to be, as far as it is known before execution."""
        parent = self.head
        return self.chain.create_header_from_parent(
            parent,
            timestamp=max(parent.timestamp + 1, self._clock.now_s()),
            gas_limit=parent.gas_limit,
            coinbase=ZERO_ADDRESS,
            parent_beacon_block_root=ZERO_HASH32,
        )

    def send_raw(self, raw: bytes) -> str:
        """
        Mine one signed transaction into a block of its own and return its hash, as 0x hex.

        When it returns, the block is on disk. A transaction that the contract reverts is mined too.

        Raises
        ------
        TransactionRefusedError
            If it may not enter a block; the chain is as before.
        LogUnusableError
            If an earlier write to disk failed.
        DevnetClosedError
            If the node was closed.
        """
        transaction = decode_transaction(raw)
        with self.lock:
            if self._closed:
                raise DevnetClosedError
            if self.history.mined(transaction.hash) is not None:
                raise TransactionRefusedError(Refusal.KNOWN)
            check_stateless(transaction, self.genesis.chain_id, self.genesis.gas_limit)
            header = self.next_header()
            check_state(transaction, self.chain.get_vm(header).state, header)
            block = build_block(self.chain, header, transaction)
            self._file.append(block.number, rlp.encode(block))
            self.chain.persist_block(block)
            self.history.add(block, block.get_receipts(self.chain.chaindb))
        return "0x" + transaction.hash.hex()


def fast_signatures() -> str:
    """
    Return the name of the library that checks signatures.

    Raises
    ------
    SlowSignaturesError
        If it is eth-keys' own, in pure Python.
    """
    backend = type(KeyAPI().backend).__name__
    if backend != "CoinCurveECCBackend":
        raise SlowSignaturesError(backend)
    return "coincurve"


def build_block(
    chain: ChainAPI, header: BlockHeaderAPI, transaction: SignedTransactionAPI
) -> BlockAPI:
    """
    Execute ``transaction`` on the state of the head and return the sealed block.

    The chain does not have the block yet: ``persist_block`` makes it the head.

    Raises
    ------
    TransactionRefusedError
        If the EVM does not take the transaction.
    """
    draft = VoisinVM.get_block_class()(header, transactions=(transaction,), uncles=())
    try:
        return chain.get_vm(header).import_block(draft).block
    except (ValidationError, VMError) as error:
        raise TransactionRefusedError(Refusal.NOT_EXECUTABLE, str(error)) from error


def replay(chain: ChainAPI, blocks: tuple[bytes, ...]) -> History:
    """
    Import ``blocks``, numbered from 1, with every check that py-evm has.

    Raises
    ------
    BlockInvalidError
        If one breaks the rules.
    """
    history = History(chain.get_canonical_block_by_number(chain.get_canonical_head().block_number))
    for number, encoded in enumerate(blocks, start=1):
        try:
            block = rlp.decode(encoded, sedes=VoisinVM.get_block_class())
            imported = chain.import_block(block).imported_block
        except (ValidationError, VMError, RLPException) as error:
            raise BlockInvalidError(number, str(error)) from error
        history.add(imported, imported.get_receipts(chain.chaindb))
    return history
