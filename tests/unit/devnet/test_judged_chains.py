from dataclasses import replace
from pathlib import Path

import pytest

from devnet.engine.blocks import encode_block
from devnet.stock import importing
from devnet.stock.importing import BlockInvalidError
from devnet.store import log
from devnet.store.records import BlockRecord
from tests.judged_chains import JudgedChains
from tests.unit.devnet.support import Wallet


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The blocks that py-evm executed, in turn."""
    found: list[bytes] = []
    import_block = importing.import_block

    def noted(chain, raw):
        found.append(raw)
        return import_block(chain, raw)

    monkeypatch.setattr(importing, "import_block", noted)
    return found


def test_a_chain_that_goes_on_is_judged_from_where_it_was(
    tmp_path: Path, wallet: Wallet, executed: list[bytes]
) -> None:
    judged = JudgedChains()
    for number in (1, 2, 3):
        wallet.send()
        assert judged.judge(tmp_path) == (number, wallet.node.head_hash)
        assert judged.judge(tmp_path) == (number, wallet.node.head_hash)
        assert len(executed) == number


def test_a_chain_that_parts_is_judged_from_there_the_next_time(
    tmp_path: Path, wallet: Wallet, executed: list[bytes]
) -> None:
    judged = JudgedChains()
    for _ in range(3):
        wallet.send()
    for before in (3, 6, 7):
        assert judged.judge(tmp_path) == (3, wallet.node.head_hash)
        assert len(executed) == before
        wallet.node.reorganize(1)


def test_a_block_that_breaks_the_rules_is_found_after_good_ones(
    tmp_path: Path, wallet: Wallet
) -> None:
    judged = JudgedChains()
    wallet.send()
    judged.judge(tmp_path)
    wallet.send()
    wallet.node.close()
    first, second = log.read_records(tmp_path)
    block = BlockRecord.decode(second.payload)
    header = replace(block.block().header, gas_used=20_999)
    wrong = replace(block, raw=encode_block(header.encode(), block.block().transactions))
    (tmp_path / log.LOG_FILE).write_bytes(
        log._record(log.Kind.BLOCK, 1, first.payload)
        + log._record(log.Kind.BLOCK, 2, wrong.encode())
    )
    with pytest.raises(BlockInvalidError, match="block 2 breaks the rules"):
        judged.judge(tmp_path)
