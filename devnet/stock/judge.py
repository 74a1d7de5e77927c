"""Judge blocks by py-evm, which shares none of our state, trie, executor or builder."""

from collections.abc import Iterable

from eth.db.atomic import AtomicDB

from devnet.genesis import Genesis, new_chain
from devnet.stock.importing import import_blocks


def judge(genesis: Genesis, raw_blocks: Iterable[bytes]) -> bytes:
    """
    Import ``raw_blocks`` on block 0 of ``genesis`` and return the hash of the newest block.

    Every block is executed again by py-evm in a database of its own; its roots, gas, logs and
    requests must be what the block says.

    Parameters
    ----------
    raw_blocks
        The RLP of each block, from block 1 on.

    Raises
    ------
    BlockInvalidError
        With the first block that breaks the rules.
    """
    chain = new_chain(genesis, AtomicDB())
    import_blocks(chain, raw_blocks)
    return bytes(chain.get_canonical_head().hash)
