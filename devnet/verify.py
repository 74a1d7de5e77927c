"""Check a chain from its files alone: every block again, by py-evm's own rules."""

from dataclasses import dataclass
from pathlib import Path

from eth.db.atomic import AtomicDB

from devnet.chain import replay
from devnet.genesis import load_genesis, new_chain
from devnet.log import read_blocks
from devnet.precompile import PRECOMPILE_NAME


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
    """
    chain = new_chain(load_genesis(directory), AtomicDB())
    history = replay(chain, read_blocks(directory))
    head = history.head_number
    return VerifyReport(
        blocks=head,
        transactions=sum(len(history.outcomes(number)) for number in range(head + 1)),
        head_hash="0x" + chain.get_canonical_head().hash.hex(),
        precompiles=(PRECOMPILE_NAME,),
    )
