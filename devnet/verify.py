"""Check a chain from its files alone: every block again, by stock py-evm."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devnet.genesis import load_genesis
from devnet.precompile import PRECOMPILE_NAME
from devnet.stock.judge import judge
from devnet.store.log import Kind, read_records
from devnet.store.records import BlockRecord, RewindRecord
from ledger.errors import Integrity


class ChangedByHandError(Integrity):
    """The chain was changed as no block could, which tools for tests do; nobody can verify it."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__("changed_by_hand", f"block {number}: {what}; such a chain is for tests")
        self.number: Final = number


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found, after every block was accepted."""

    blocks: int
    """Number of blocks after block 0."""
    transactions: int
    """Number of transactions in them."""
    head_hash: str
    """Hash of the newest block, as 0x hex."""
    precompiles: tuple[str, ...]
    """What the rules have besides stock Prague."""


def verify(directory: Path) -> VerifyReport:
    """
    Import the blocks of ``directory`` into a fresh chain with full validation.

    Nothing is written and no lock is taken: a node may have the directory open. A record that is
    just being written counts as not there.

    Raises
    ------
    GenesisMissingError
        If there is no chain.
    BlockRecordDamagedError
        If a record on disk is damaged.
    BlockInvalidError
        If a block breaks the rules.
    ChangedByHandError
        If the state was changed, or a transaction sent, as only tools for tests do.
    """
    genesis = load_genesis(directory)
    blocks = read_chain(directory)
    head = judge(genesis, [block.raw for block in blocks])
    return VerifyReport(
        blocks=len(blocks),
        transactions=sum(len(block.receipts) for block in blocks),
        head_hash="0x" + head.hex(),
        precompiles=(PRECOMPILE_NAME,),
    )


def read_chain(directory: Path) -> list[BlockRecord]:
    """
    Return the blocks of ``directory``, from number 1 on, without those that were taken back.

    Raises
    ------
    BlockRecordDamagedError
        If a record on disk is damaged.
    ChangedByHandError
        If the state was changed, or a transaction sent, as only tools for tests do.
    """
    blocks: list[BlockRecord] = []
    patched: set[int] = set()
    for record in read_records(directory):
        if record.kind is Kind.BLOCK:
            blocks.append(BlockRecord.decode(record.payload))
        elif record.kind is Kind.PATCH:
            patched.add(len(blocks))
        else:
            back = RewindRecord.decode(record.payload)
            del blocks[back.number :]
            patched = {number for number in patched if number < back.number}
            # Block 0 comes with no change of its state, any other with one.
            if back.steps > min(back.number, 1):
                patched.add(back.number)
    for number in sorted(patched):
        raise ChangedByHandError(number, "the state after it was set by hand")
    for number, block in enumerate(blocks, start=1):
        if block.senders:
            raise ChangedByHandError(number, "it holds a transaction that its sender did not sign")
    return blocks
