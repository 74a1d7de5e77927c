"""Write a chain for other clients: a genesis in the layout of geth, and its blocks in RLP."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from devnet.genesis import load_genesis
from devnet.verify import read_chain

GENESIS_NAME: Final = "genesis.json"
BLOCKS_NAME: Final = "chain.rlp"

# Every fork before Shanghai is there from block 0; without their names some clients assume none.
_BLOCK_FORKS: Final = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "muirGlacierBlock",
    "berlinBlock",
    "londonBlock",
    "arrowGlacierBlock",
    "grayGlacierBlock",
    "mergeNetsplitBlock",
)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    genesis: Path
    """Block 0, for ``init``."""
    blocks: Path
    """The blocks after it, for ``import``."""
    count: int
    """How many they are."""


def export(directory: Path, target: Path) -> ExportReport:
    """
    Write the chain of ``directory`` into the folder ``target``, made if it is missing.

    Raises
    ------
    GenesisMissingError
        If there is no chain.
    BlockRecordDamagedError
        If a record on disk is damaged.
    ChangedByHandError
        If nobody else could take the chain, because it was changed as no block could.
    """
    genesis = load_genesis(directory)
    blocks = read_chain(directory)
    document: dict[str, Any] = orjson.loads(genesis.to_json())
    document["config"] |= dict.fromkeys(_BLOCK_FORKS, 0) | {"terminalTotalDifficultyPassed": True}
    del document["config"]["voisin"]
    document["nonce"] = "0x0"
    target.mkdir(parents=True, exist_ok=True)
    report = ExportReport(target / GENESIS_NAME, target / BLOCKS_NAME, len(blocks))
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    report.genesis.write_bytes(orjson.dumps(document, option=options))
    with report.blocks.open("wb") as file:
        file.writelines(block.raw for block in blocks)
    return report
