"""
Judge the chains that tests make, each block by stock py-evm, and none twice.

Most chains of a run begin with the same blocks: a neighbourhood moves in, or a node opens its own
directory again. A block that was accepted after the same blocks would be accepted once more, so a
chain is judged from where it leaves the ones before it.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from eth.abc import ChainAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB

from devnet.genesis import Genesis, load_genesis, new_chain
from devnet.stock.importing import import_blocks
from devnet.verify import read_chain

KEPT = 24


@dataclass(frozen=True)
class Accepted:
    """Blocks that py-evm took after block 0 of ``genesis``, and its database after them."""

    genesis: Genesis
    raw_blocks: list[bytes]
    database: dict[bytes, bytes]

    def begins(self, genesis: Genesis, raw_blocks: list[bytes]) -> bool:
        """Say whether a chain begins with these blocks."""
        return self.genesis == genesis and raw_blocks[: len(self.raw_blocks)] == self.raw_blocks


@dataclass
class JudgedChains:
    """What was accepted in this process: where chains parted, and how those before went."""

    _forks: deque[Accepted] = field(default_factory=lambda: deque(maxlen=KEPT))
    _chains: deque[tuple[Genesis, list[bytes]]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def judge(self, directory: Path) -> tuple[int, str]:
        """Return number and hash of the newest block of a chain, all of whose blocks are right."""
        genesis = load_genesis(directory)
        raw_blocks = [block.raw for block in read_chain(directory)]
        store, chain, judged = self._begin(genesis, raw_blocks)
        for end in sorted({self._parting(genesis, raw_blocks), len(raw_blocks)}):
            if end <= judged:
                continue
            import_blocks(chain, raw_blocks[judged:end])
            judged = end
            self._forks.append(Accepted(genesis, raw_blocks[:end], dict(store.kv_store)))
        if (genesis, raw_blocks) not in self._chains:
            self._chains.append((genesis, raw_blocks))
        return len(raw_blocks), "0x" + chain.get_canonical_head().hash.hex()

    def _begin(self, genesis: Genesis, raw_blocks: list[bytes]) -> tuple[MemoryDB, ChainAPI, int]:
        """Return the chain up to where one before it was judged, or its block 0."""
        known = [one for one in self._forks if one.begins(genesis, raw_blocks)]
        store = MemoryDB({})
        chain: ChainAPI = new_chain(genesis, AtomicDB(store))
        if not known:
            return store, chain, 0
        longest = max(known, key=lambda one: len(one.raw_blocks))
        # What goes on from it next time must be kept a while longer.
        self._forks.remove(longest)
        self._forks.append(longest)
        store = MemoryDB(dict(longest.database))
        return store, type(chain)(AtomicDB(store)), len(longest.raw_blocks)

    def _parting(self, genesis: Genesis, raw_blocks: list[bytes]) -> int:
        """Return how many blocks this chain has in common with one of those before it."""
        others = (blocks for start, blocks in self._chains if start == genesis)
        pairs = (zip(raw_blocks, other, strict=False) for other in others)
        common = (sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], one)) for one in pairs)
        return max(common, default=0)
