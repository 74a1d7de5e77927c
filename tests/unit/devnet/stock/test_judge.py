from dataclasses import replace

import pytest

from devnet.engine.blocks import decode_block, encode_block
from devnet.stock.importing import BlockInvalidError
from devnet.stock.judge import judge
from tests.unit.devnet.stock.support import GENESIS, engine, keeper, mine, signed


@pytest.fixture
def raws() -> list[bytes]:
    node = engine()
    return [mine(node, keeper(0), signed(1)), mine(node), mine(node, signed(2))]


class TestJudge:
    def test_names_the_newest_block(self, raws: list[bytes]) -> None:
        assert judge(GENESIS, raws) == decode_block(raws[-1]).hash

    def test_names_block_zero_when_there_is_nothing_else(self) -> None:
        assert judge(GENESIS, []) == engine().block(0).hash

    @pytest.mark.parametrize(
        "field", ["state_root", "transaction_root", "receipt_root", "bloom", "requests_hash"]
    )
    def test_refuses_a_root_that_execution_does_not_give(
        self, raws: list[bytes], field: str
    ) -> None:
        block = decode_block(raws[0])
        length = len(getattr(block.header, field))
        header = replace(block.header, **{field: b"\x01" * length})
        with pytest.raises(BlockInvalidError, match="block 1"):
            judge(GENESIS, [encode_block(header.encode(), block.transactions)])

    def test_refuses_gas_that_was_not_used(self, raws: list[bytes]) -> None:
        block = decode_block(raws[0])
        header = replace(block.header, gas_used=block.header.gas_used + 1)
        with pytest.raises(BlockInvalidError, match="block 1"):
            judge(GENESIS, [encode_block(header.encode(), block.transactions)])

    def test_refuses_a_gap(self, raws: list[bytes]) -> None:
        with pytest.raises(BlockInvalidError, match="its parent is not") as caught:
            judge(GENESIS, [raws[0], raws[2]])
        assert caught.value.number == 2

    def test_refuses_a_block_twice(self, raws: list[bytes]) -> None:
        with pytest.raises(BlockInvalidError, match="its parent is not"):
            judge(GENESIS, [raws[0], raws[0]])

    def test_refuses_what_is_no_block(self) -> None:
        with pytest.raises(BlockInvalidError, match="block 1"):
            judge(GENESIS, [b"\xc0"])
