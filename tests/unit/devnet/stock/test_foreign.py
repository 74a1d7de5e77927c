import json
from dataclasses import replace
from pathlib import Path

import pytest

from devnet.engine.blocks import decode_block
from devnet.engine.encoding import BadRlpError
from devnet.precompile import P256_ADDRESS
from devnet.stock.engine import StockEngine
from devnet.stock.foreign import (
    ForeignGenesisError,
    fork_schedule,
    open_foreign_chain,
    read_foreign_genesis,
    split_blocks,
)
from devnet.stock.importing import BlockInvalidError
from tests.unit.devnet.stock.support import GENESIS, engine

VECTORS = Path(__file__).parents[3] / "integration" / "data" / "rpc-compat"
GENESIS_JSON = (VECTORS / "genesis.json").read_bytes()
CHAIN_RLP = (VECTORS / "chain.rlp").read_bytes()


@pytest.fixture(scope="module")
def foreign() -> StockEngine:
    return StockEngine(open_foreign_chain(GENESIS_JSON, CHAIN_RLP))


class TestOpenForeignChain:
    def test_reaches_the_head_that_geth_exported(self, foreign: StockEngine) -> None:
        head = json.loads((VECTORS / "headfcu.json").read_bytes())["params"][0]["headBlockHash"]
        assert "0x" + foreign.block(54).hash.hex() == head

    def test_executes_every_block_of_every_fork_again_step_by_step(
        self, foreign: StockEngine
    ) -> None:
        for number in range(1, 55):
            block, receipts = foreign.block(number), foreign.receipts(number)
            replay = foreign.replay(block)
            for index, receipt in enumerate(receipts):
                replay.step(index)
                assert replay.gas_used == receipt.cumulative_gas_used

    def test_has_the_precompile_from_osaka_on(self, foreign: StockEngine) -> None:
        has = [
            P256_ADDRESS in foreign.scratch(number).computation_class.get_precompiles()
            for number in (47, 48, 54)
        ]
        assert has == [False, True, True]

    def test_knows_the_next_base_fee(self, foreign: StockEngine) -> None:
        assert foreign.next_header(550).base_fee_per_gas == 0x16DFE9B

    def test_builds_blocks_of_every_fork_again(self, foreign: StockEngine) -> None:
        chain = StockEngine(open_foreign_chain(GENESIS_JSON, CHAIN_RLP))
        chain.rewind(0, 1)
        for number in range(1, 55):
            block = foreign.block(number)
            # What is built here has neither uncles nor withdrawals.
            if not block.withdrawals and not block.uncles:
                built = chain.build(block.header, block.transactions)
                assert built.block.hash == block.hash
                assert built.receipts == foreign.receipts(number)
            chain.commit(block)
        assert chain.block(54).hash == foreign.block(54).hash

    def test_refuses_a_changed_block(self) -> None:
        changed = bytearray(CHAIN_RLP)
        first = next(split_blocks(CHAIN_RLP))
        changed[first.index(decode_block(first).header.receipt_root)] ^= 1
        with pytest.raises(BlockInvalidError, match="block 1 "):
            open_foreign_chain(GENESIS_JSON, bytes(changed))

    def test_opens_what_our_own_genesis_file_says(self) -> None:
        chain = StockEngine(open_foreign_chain(GENESIS.to_json(), b""))
        assert chain.block(0).hash == engine().block(0).hash


class TestForkSchedule:
    def test_turns_times_into_numbers(self) -> None:
        blocks = [decode_block(raw) for raw in split_blocks(CHAIN_RLP)]
        schedule = fork_schedule(read_foreign_genesis(GENESIS_JSON), blocks)
        assert {number: rules.fork for number, rules in schedule} == {
            0: "homestead",
            3: "tangerine-whistle",
            6: "spurious-dragon",
            9: "byzantium",
            12: "constantinople",
            15: "petersburg",
            18: "istanbul",
            21: "muir-glacier",
            24: "berlin",
            27: "london",
            30: "arrow-glacier",
            33: "gray-glacier",
            36: "paris",
            39: "shanghai",
            42: "cancun",
            45: "prague",
            48: "prague",
        }

    def test_takes_petersburg_with_constantinople_if_nobody_says_otherwise(self) -> None:
        genesis = read_foreign_genesis(GENESIS_JSON)
        config = {"homesteadBlock": 0, "constantinopleBlock": 4}
        schedule = fork_schedule(replace(genesis, config=config), [])
        assert [(number, rules.fork) for number, rules in schedule] == [
            (0, "homestead"),
            (4, "petersburg"),
        ]

    def test_lets_no_older_fork_begin_after_the_merge(self) -> None:
        genesis = read_foreign_genesis(GENESIS_JSON)
        merged = {**genesis.header, "difficulty": 0}
        config = {"londonBlock": 0, "grayGlacierBlock": 5}
        schedule = fork_schedule(replace(genesis, config=config, header=merged), [])
        assert [(number, rules.fork) for number, rules in schedule] == [(0, "paris")]

    def test_refuses_a_fork_to_come_that_a_block_reaches(self) -> None:
        genesis = read_foreign_genesis(GENESIS_JSON)
        blocks = [decode_block(raw) for raw in split_blocks(CHAIN_RLP)]
        later = replace(genesis, config={**genesis.config, "amsterdamTime": 541})
        assert fork_schedule(later, blocks)[-1][0] == 48
        reached = replace(genesis, config={**genesis.config, "amsterdamTime": 540})
        with pytest.raises(ForeignGenesisError, match="amsterdamTime"):
            fork_schedule(reached, blocks)


class TestReadForeignGenesis:
    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"[]",
            b"{}",
            b'{"config": {}}',
            b'{"config": {"chainId": 1}}',
            b'{"config": {"chainId": 1}, "gasLimit": "many"}',
            b'{"config": {"chainId": 1}, "gasLimit": 5, "coinbase": "0x01"}',
            b'{"config": {"chainId": 1}, "gasLimit": 5, "alloc": {"0x01": {}}}',
            b'{"config": {"chainId": 1}, "gasLimit": 5, "nonce": "0x10000000000000000"}',
        ],
    )
    def test_refuses_what_is_no_genesis(self, text: bytes) -> None:
        with pytest.raises(ForeignGenesisError):
            read_foreign_genesis(text)


class TestSplitBlocks:
    def test_finds_each_block(self) -> None:
        raws = list(split_blocks(CHAIN_RLP))
        assert len(raws) == 54
        assert b"".join(raws) == CHAIN_RLP

    @pytest.mark.parametrize("tail", [b"\x80", b"\xc1", b"\xf8\x40", b"\xfb"])
    def test_refuses_what_is_no_block(self, tail: bytes) -> None:
        with pytest.raises(BadRlpError):
            list(split_blocks(b"\xc0" + tail))
