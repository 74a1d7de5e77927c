"""Import blocks by py-evm's own rules: every check that it has, one block after the other."""

import logging
from collections.abc import Iterable
from typing import Final

import rlp  # type: ignore[import-untyped] # rlp ships no types
from eth.abc import BlockAPI, ChainAPI
from eth.exceptions import VMError
from eth_keys.exceptions import BadSignature
from eth_typing import BlockNumber
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped] # rlp ships no types

from ledger.errors import Integrity

REFUSALS: Final = (ValidationError, VMError, RLPException, BadSignature)
"""What py-evm raises when a block or a transaction breaks the rules."""

# py-evm writes whole database diffs into its log when a block fails; the errors say enough.
logging.getLogger("eth").setLevel(logging.CRITICAL)


class BlockInvalidError(Integrity):
    """A block breaks the rules of its chain."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__("block_invalid", f"block {number} breaks the rules: {why}")
        self.number: Final = number


def import_block(chain: ChainAPI, raw: bytes) -> BlockAPI:
    """
    Execute the block that ``raw`` encodes on the head of ``chain`` and make it the head.

    Raises
    ------
    BlockInvalidError
        If it does not follow the head, or breaks the rules of its fork; the head stays.
    """
    head = chain.get_canonical_head()
    number = BlockNumber(head.block_number + 1)
    try:
        block: BlockAPI = rlp.decode(raw, sedes=block_class(chain, number))
        # py-evm would take a branch that leaves the chain further down.
        if block.header.parent_hash != head.hash:
            raise BlockInvalidError(number, f"its parent is not 0x{head.hash.hex()}")
        return chain.import_block(block).imported_block
    except REFUSALS as error:
        raise BlockInvalidError(number, str(error)) from error


def import_blocks(chain: ChainAPI, raw_blocks: Iterable[bytes]) -> None:
    """
    Import blocks one after the other.

    Raises
    ------
    BlockInvalidError
        With the first block that breaks the rules; those before it stay.
    """
    for raw in raw_blocks:
        import_block(chain, raw)


def block_class(chain: ChainAPI, number: int) -> type[BlockAPI]:
    """Return py-evm's class for blocks of the fork that rules at ``number``."""
    return chain.get_vm_class_for_block_number(BlockNumber(number)).get_block_class()
