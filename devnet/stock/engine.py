"""Run a chain on stock py-evm alone: slow, and beyond doubt."""

from collections.abc import Sequence
from typing import Any, Final, cast

import rlp  # type: ignore[import-untyped] # rlp ships no types
from eth.abc import BlockAndMetaWitness, BlockAPI, BlockHeaderAPI, StateAPI
from eth.chains.base import Chain
from eth.vm.chain_context import ChainContext
from eth.vm.forks.cancun.constants import BEACON_ROOTS_ADDRESS, HISTORY_BUFFER_LENGTH
from eth.vm.forks.prague.constants import HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS
from eth_typing import Address, BlockNumber

from devnet.engine.blocks import Block, Header, Receipt, decode_block, encode_block
from devnet.engine.builder import MAX_BLOCK_BYTES, Built
from devnet.engine.encoding import keccak
from devnet.engine.proof import Proof
from devnet.engine.transactions import Transaction
from devnet.engine.world import EMPTY_CODE, NOBODY, Account, Changes
from devnet.stock.importing import REFUSALS, BlockInvalidError, block_class
from devnet.stock.reading import StateReader, changes_between
from devnet.stock.replay import Replay

_HEAD_BYTES: Final = 1_024
_ELASTICITY: Final = 2


class StockEngine:
    """
    A chain of any fork, on py-evm's own state, executors and tries.

    What reads may run on any thread; what builds, commits, patches or rewinds runs on one.
    """

    def __init__(self, chain: Chain) -> None:
        """Take a chain, ours or a foreign one, with all the blocks that it has."""
        self._chain: Final = chain
        newest = chain.get_canonical_head().block_number
        # py-evm's notion of the newest block never goes back; ours does.
        self._headers: Final = [
            chain.get_canonical_block_header_by_number(BlockNumber(number))
            for number in range(newest + 1)
        ]
        self._roots: Final = [[bytes(header.state_root)] for header in self._headers]
        self._draft: BlockAPI | None = None

    @property
    def number(self) -> int:
        """Number of the newest block."""
        return len(self._headers) - 1

    def block(self, number: int) -> Block:
        """Return block ``number``, which must be there."""
        return decode_block(rlp.encode(self._block(number)))

    def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Return the outcomes of block ``number``, in order."""
        return self._receipts(self._block(number))

    def next_header(self, timestamp_s: int) -> Header:
        """Return the header of the block to be, as far as it is known before execution."""
        parent = self._headers[-1]
        following = self._chain.create_header_from_parent(
            parent, timestamp=timestamp_s, gas_limit=parent.gas_limit
        )
        return Header.decode(cast("list[bytes]", rlp.decode(rlp.encode(following))))

    def scratch(self, number: int, header: Header | None = None) -> StateAPI:
        """
        Return a state to be thrown away, after block ``number``.

        Parameters
        ----------
        header
            The block in which to execute, under the rules of its number; block ``number`` itself if
            None.
        """
        # Both kinds of header have what is read here under the same names.
        within = self._headers[number] if header is None else cast("BlockHeaderAPI", header)
        rules = cast("Any", self._chain.get_vm_class_for_block_number(within.block_number))
        context = rules.create_execution_context(
            within,
            rules.get_prev_hashes(within.parent_hash, self._chain.chaindb),
            ChainContext(self._chain.chain_id),
        )
        state = rules.get_state_class()
        return cast("StateAPI", state(self._chain.chaindb.db, context, self._roots[number][-1]))

    def account(self, address: bytes, number: int) -> Account | None:
        """Return an account after block ``number``; None if it is empty."""
        return self._reader(number).account(address)

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        return b"" if code_hash == EMPTY_CODE else bytes(self._chain.chaindb.db[code_hash])

    def replay(self, block: Block) -> Replay:
        """Return the state in which ``block`` began, with its transactions."""
        drafted = rlp.decode(block.raw, sedes=block_class(self._chain, block.number))
        return Replay(self._chain, drafted, self._roots[block.number - 1][-1])

    def proof(self, number: int, address: bytes, slots: Sequence[int]) -> Proof:
        """Return the proof of an account after block ``number``."""
        return self._reader(number).proof(address, slots)

    def build(self, header: Header, transactions: Sequence[Transaction]) -> Built:
        """
        Execute ``transactions`` on the newest state by the code that imports blocks, and seal them.

        A transaction that cannot be executed is left out and named; the others go on, as far as the
        gas reaches: half of the limit while gas is free, so that it stays so. What the rules derive
        from the parent, such as the base fee, is derived; the rest is taken from ``header``.

        Parameters
        ----------
        transactions
            Checked for what py-evm lets pass, such as another chain's id.

        Raises
        ------
        BlockInvalidError
            If the block breaks the rules for another reason than one of its transactions.
        """
        refused: tuple[tuple[Transaction, str], ...] = ()
        taken = tuple(transactions)
        try:
            done = self._execute(self._drafted(header, taken)) if _fit(header, taken) else None
        except REFUSALS:
            done = None
        if done is None:
            # Only now is it worth the time to execute them one by one.
            taken, refused = self._sift(header, transactions)
            try:
                done = self._execute(self._drafted(header, taken))
            except REFUSALS as error:
                raise BlockInvalidError(header.block_number, str(error)) from error
        self._draft = done.block
        block = decode_block(rlp.encode(done.block))
        found = done.block.get_receipts(self._chain.chaindb)
        raw_receipts = tuple(bytes(receipt.encode()) for receipt in found)
        receipts = tuple(map(Receipt.decode, raw_receipts))
        return Built(block, receipts, raw_receipts, self._changes(done), refused)

    def commit(self, block: Block, changes: Changes | None = None) -> None:
        """
        Make ``block`` the newest; what was just built is not executed again.

        Parameters
        ----------
        changes
            Not needed: what is not known yet is executed.

        Raises
        ------
        BlockInvalidError
            If it does not follow the newest block, or breaks the rules; nothing changes.
        """
        del changes
        self._take(block.number, block.raw)

    def adopt(self, number: int, raw: bytes, changes: bytes = b"") -> None:
        """
        Execute a block from the log, in RLP, and make it the newest.

        Parameters
        ----------
        changes
            Not needed, nor believed.

        Raises
        ------
        BlockInvalidError
            If it does not follow the newest block, or breaks the rules; nothing changes.
        """
        del changes
        self._take(number, raw)

    def root(self) -> bytes:
        """Return the root of the newest state."""
        return self._roots[-1][-1]

    def patch(self, changes: Changes) -> None:
        """Change the newest state by hand."""
        state = self.scratch(self.number)
        codes = {keccak(code): code for code in changes.codes}
        for address, account in changes.accounts.items():
            where, now = Address(address), account or NOBODY
            state.set_nonce(where, now.nonce)
            state.set_balance(where, now.balance)
            if now.code_hash != state.get_code_hash(where):
                state.set_code(where, codes.get(now.code_hash) or self.code(now.code_hash))
            if account is None:
                state.delete_account(where)
        for address, slots in changes.storage.items():
            for slot, value in slots.items():
                state.set_storage(Address(address), slot, value)
        state.persist()
        self._roots[-1].append(bytes(state.state_root))

    def steps(self, number: int) -> int:
        """Return how many times the state of block ``number`` was set: by it, by hand."""
        return len(self._roots[number])

    def rewind(self, number: int, steps: int) -> None:
        """Go back to block ``number`` as it was after ``steps`` changes."""
        del self._headers[number + 1 :]
        del self._roots[number + 1 :]
        del self._roots[number][steps:]
        self._draft = None

    def _reader(self, number: int) -> StateReader:
        return StateReader(self._chain.chaindb.db, self._roots[number][-1])

    def _block(self, number: int) -> BlockAPI:
        return self._chain.get_block_by_hash(self._headers[number].hash)

    def _receipts(self, block: BlockAPI) -> tuple[Receipt, ...]:
        found = block.get_receipts(self._chain.chaindb)
        return tuple(Receipt.decode(receipt.encode()) for receipt in found)

    def _drafted(self, header: Header, transactions: Sequence[Transaction]) -> BlockAPI:
        # Before Shanghai there is no list of withdrawals at all.
        withdrawals = () if header.withdrawals_root is not None else None
        raw = encode_block(header.encode(), tuple(transactions), (), withdrawals)
        drafted: BlockAPI = rlp.decode(raw, sedes=block_class(self._chain, header.block_number))
        return drafted

    def _execute(self, drafted: BlockAPI) -> BlockAndMetaWitness:
        parent = self._headers[-1]
        following = self._chain.create_header_from_parent(parent)
        on_top = following.copy(state_root=self._roots[-1][-1])
        return self._chain.get_vm(on_top).import_block(drafted)

    def _take(self, number: int, raw: bytes) -> None:
        draft, self._draft = self._draft, None
        if draft is None or rlp.encode(draft) != raw:
            draft = self._executed(number, raw)
        self._chain.persist_block(draft)
        self._headers.append(draft.header)
        self._roots.append([bytes(draft.header.state_root)])

    def _executed(self, number: int, raw: bytes) -> BlockAPI:
        try:
            drafted = rlp.decode(raw, sedes=block_class(self._chain, self.number + 1))
            if drafted.header.parent_hash != self._headers[-1].hash:
                raise BlockInvalidError(number, "it does not follow the newest block")
            executed = self._execute(drafted).block
            self._chain.validate_block(executed)
        except REFUSALS as error:
            raise BlockInvalidError(number, str(error)) from error
        if executed.hash != drafted.hash:
            raise BlockInvalidError(number, f"execution gives 0x{executed.hash.hex()}")
        return executed

    def _sift(
        self, header: Header, transactions: Sequence[Transaction]
    ) -> tuple[tuple[Transaction, ...], tuple[tuple[Transaction, str], ...]]:
        """Return the transactions that can be executed in their order, and the refused ones."""
        replay = Replay(self._chain, self._drafted(header, ()), self._roots[-1][-1])
        taken: list[Transaction] = []
        refused: list[tuple[Transaction, str]] = []
        room, gas_max = MAX_BLOCK_BYTES - _HEAD_BYTES, _gas_max(header)
        for transaction in transactions:
            if len(transaction.raw) > room or replay.gas_used + transaction.gas > gas_max:
                break
            try:
                replay.apply(self._drafted(header, (transaction,)).transactions[0])
            except REFUSALS as error:
                refused.append((transaction, str(error)))
            else:
                taken.append(transaction)
                room -= len(transaction.raw)
        return tuple(taken), tuple(refused)

    def _changes(self, done: BlockAndMetaWitness) -> Changes:
        """Return what a block that was just executed does to the state."""
        header, witness = done.block.header, done.meta_witness
        touched: dict[bytes, set[int]] = {
            bytes(address): set(witness.get_slots_queried(address))
            for address in witness.accounts_queried
        }
        # These are written without being read, so py-evm does not count them (EIP-4788, EIP-2935).
        at = header.timestamp % HISTORY_BUFFER_LENGTH
        touched.setdefault(BEACON_ROOTS_ADDRESS, set()).update((at, at + HISTORY_BUFFER_LENGTH))
        before = (header.block_number - 1) % HISTORY_SERVE_WINDOW
        touched.setdefault(HISTORY_STORAGE_ADDRESS, set()).add(before)
        after = StateReader(self._chain.chaindb.db, header.state_root)
        return changes_between(self._reader(self.number), after, touched)


def _gas_max(header: Header) -> int:
    """Return how much gas the transactions may use."""
    is_free = header.base_fee_per_gas == 0
    # A block that uses more than half of its limit raises the base fee (EIP-1559).
    return header.gas_limit // _ELASTICITY if is_free else header.gas_limit


def _fit(header: Header, transactions: Sequence[Transaction]) -> bool:
    """Say whether all of them fit, whatever gas they use."""
    gas = sum(transaction.gas for transaction in transactions)
    size = sum(len(transaction.raw) for transaction in transactions)
    return gas <= _gas_max(header) and size <= MAX_BLOCK_BYTES - _HEAD_BYTES
