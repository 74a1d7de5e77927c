from dataclasses import replace

import pytest
from eth.constants import EMPTY_SHA3
from eth.vm.forks.prague.constants import HISTORY_STORAGE_ADDRESS

from devnet.engine.blocks import Block, decode_block
from devnet.engine.encoding import keccak
from devnet.engine.executor import address_made_by
from devnet.engine.world import Account, Changes, World
from devnet.genesis import SYSTEM_CONTRACTS
from devnet.stock.engine import StockEngine
from devnet.stock.importing import BlockInvalidError
from devnet.stock.judge import judge
from tests.unit.devnet.stock.support import (
    ADDRESS,
    GENESIS,
    KEEPER,
    carrying_blobs,
    engine,
    keeper,
    mine,
    signed,
)

KEPT_AT = address_made_by(ADDRESS, 0)
SEVEN = (7).to_bytes(32, "big")
NINE = (9).to_bytes(32, "big")


@pytest.fixture
def node() -> StockEngine:
    return engine()


@pytest.fixture
def kept(node: StockEngine) -> StockEngine:
    """Return a chain whose keeper was made in block 1 and holds 7 since block 2."""
    mine(node, keeper(0))
    mine(node, signed(1, to=KEPT_AT, data=SEVEN))
    return node


class TestBuild:
    def test_makes_one_block_of_many_transactions(self, node: StockEngine) -> None:
        sent = (keeper(0), signed(1, to=KEPT_AT, data=SEVEN), signed(2, to=KEPT_AT, data=NINE))
        built = node.build(node.next_header(GENESIS.timestamp_s + 5), sent)
        assert built.block.transactions == sent
        assert [receipt.status for receipt in built.receipts] == [1, 1, 1]
        assert built.receipts[2].logs[0].data == NINE
        assert built.receipts[2].cumulative_gas_used == built.block.header.gas_used

    def test_leaves_out_what_cannot_be_executed(self, node: StockEngine) -> None:
        gap = signed(5)
        built = node.build(node.next_header(GENESIS.timestamp_s + 5), (keeper(0), gap, signed(1)))
        assert built.block.transactions == (keeper(0), signed(1))
        assert [transaction for transaction, _ in built.refused] == [gap]
        assert "nonce" in built.refused[0][1].lower()

    def test_leaves_out_what_cannot_be_paid(self, node: StockEngine) -> None:
        dear = signed(0, value=1)
        built = node.build(node.next_header(GENESIS.timestamp_s + 5), (dear, signed(0)))
        assert [transaction for transaction, _ in built.refused] == [dear]

    def test_fills_half_a_block_so_that_gas_stays_free(self, node: StockEngine) -> None:
        burning = bytes.fromhex("5b5f56")
        sent = [signed(at, to=None, data=burning, gas=16_000_000) for at in range(3)]
        first = node.build(node.next_header(GENESIS.timestamp_s + 5), sent)
        node.commit(first.block)
        # The second would begin below half of 60 million and might end above it: it waits.
        assert first.block.transactions == (sent[0],)
        assert first.refused == ()
        assert first.block.header.gas_used == 16_000_000
        assert node.next_header(GENESIS.timestamp_s + 9).base_fee_per_gas == 0

    def test_takes_no_more_blobs_than_fit(self) -> None:
        rich = replace(GENESIS, balances=(("0x" + ADDRESS.hex(), 10**18),))
        node = engine(rich)
        sent = [carrying_blobs(0, 6), carrying_blobs(1, 4), carrying_blobs(1, 3)]
        built = node.build(node.next_header(GENESIS.timestamp_s + 5), sent)
        assert built.block.transactions == (sent[0], sent[2])
        assert built.refused == ((sent[1], "would exceed maximum blob gas limit"),)
        assert built.block.header.blob_gas_used == 9 * 131_072

    def test_changes_nothing_before_the_block_is_committed(self, node: StockEngine) -> None:
        node.build(node.next_header(GENESIS.timestamp_s + 5), (keeper(0),))
        assert node.number == 0
        assert node.account(ADDRESS, 0) is None

    def test_says_what_it_changed(self, node: StockEngine) -> None:
        world = World(
            {address: Account(1, 0, keccak(code)) for address, code in SYSTEM_CONTRACTS},
            {},
            [code for _, code in SYSTEM_CONTRACTS],
        )
        batches = [
            (keeper(0), signed(1, to=KEPT_AT, data=SEVEN)),
            (),
            (signed(2, to=KEPT_AT, data=NINE), signed(3, to=KEPT_AT, data=bytes(32))),
        ]
        for number, sent in enumerate(batches, start=1):
            built = node.build(node.next_header(GENESIS.timestamp_s + 5 * number), sent)
            node.commit(built.block, built.changes)
            assert world.root_after(built.changes) == built.block.header.state_root
            world.commit(number, built.changes)

    def test_refuses_a_block_that_breaks_the_rules_by_itself(self, node: StockEngine) -> None:
        header = node.next_header(GENESIS.timestamp_s)
        with pytest.raises(BlockInvalidError, match="block 1 breaks the rules"):
            node.build(header, ())


class TestCommit:
    def test_executes_blocks_that_it_did_not_build(self, kept: StockEngine) -> None:
        other = engine()
        for number in (1, 2):
            other.commit(decode_block(kept.block(number).raw))
        assert other.block(2).hash == kept.block(2).hash
        assert other.receipts(2) == kept.receipts(2)

    def test_executes_blocks_of_the_log_whatever_changes_they_name(self, kept: StockEngine) -> None:
        other = engine()
        for number in (1, 2):
            other.adopt(number, kept.block(number).raw, b"\xff")
        assert other.root() == kept.block(2).header.state_root
        account = other.account(KEPT_AT, 2)
        assert account is not None
        assert other.code(account.code_hash) == KEEPER

    def test_refuses_a_block_that_does_not_follow(self, kept: StockEngine) -> None:
        other = engine()
        with pytest.raises(BlockInvalidError, match="does not follow"):
            other.commit(kept.block(2))
        assert other.number == 0

    def test_refuses_a_block_that_says_something_else(self, kept: StockEngine) -> None:
        raw = bytearray(kept.block(1).raw)
        state_root = kept.block(1).header.state_root
        raw[raw.index(state_root)] ^= 1
        with pytest.raises(BlockInvalidError, match="execution gives"):
            engine().commit(decode_block(bytes(raw)))


class TestScratch:
    def test_is_the_state_after_the_block(self, kept: StockEngine) -> None:
        assert [kept.scratch(number).get_storage(KEPT_AT, 0) for number in (1, 2)] == [0, 7]

    def test_executes_in_the_block_asked_for(self, kept: StockEngine) -> None:
        header = kept.next_header(GENESIS.timestamp_s + 99)
        assert kept.scratch(2).block_number == 2
        state = kept.scratch(2, header)
        assert (state.block_number, state.timestamp) == (3, GENESIS.timestamp_s + 99)
        assert state.get_ancestor_hash(2) == kept.block(2).hash

    def test_is_thrown_away(self, kept: StockEngine) -> None:
        kept.scratch(2).set_storage(KEPT_AT, 0, 8)
        assert kept.scratch(2).get_storage(KEPT_AT, 0) == 7


class TestReplay:
    def test_executes_a_block_step_by_step(self, node: StockEngine) -> None:
        mine(node, keeper(0), signed(1, to=KEPT_AT, data=SEVEN), signed(2, to=KEPT_AT, data=NINE))
        replay = node.replay(node.block(1))
        assert replay.state.get_code(KEPT_AT) == b""
        # The system calls are done: block 1 finds its parent's hash (EIP-2935).
        parent = replay.state.get_storage(HISTORY_STORAGE_ADDRESS, 0)
        assert parent.to_bytes(32, "big") == node.block(0).hash
        seen = []
        for index in range(3):
            assert replay.step(index).is_success
            seen.append(replay.state.get_storage(KEPT_AT, 0))
        assert seen == [0, 7, 9]

    def test_keeps_the_order(self, kept: StockEngine) -> None:
        replay = kept.replay(kept.block(1))
        with pytest.raises(IndexError):
            replay.step(1)
        replay.step(0)
        with pytest.raises(IndexError):
            replay.step(1)


class TestProof:
    def test_begins_at_the_state_root(self, kept: StockEngine) -> None:
        proof = kept.proof(2, KEPT_AT, [0, 1])
        assert keccak(proof.account_proof[0]) == kept.block(2).header.state_root
        assert keccak(proof.storage[0].proof[0]) == proof.storage_root
        assert [(one.slot, one.value) for one in proof.storage] == [(0, 7), (1, 0)]
        assert (proof.nonce, proof.balance, proof.code_hash) == (1, 0, keccak(KEEPER))

    def test_shows_that_there_is_no_account(self, kept: StockEngine) -> None:
        proof = kept.proof(2, b"\x99" * 20, [3])
        assert keccak(proof.account_proof[0]) == kept.block(2).header.state_root
        assert (proof.nonce, proof.code_hash, proof.storage[0].value) == (0, EMPTY_SHA3, 0)
        assert proof.storage[0].proof == ()


class TestPatch:
    RICH = b"\x55" * 20

    def patched(self, node: StockEngine) -> Block:
        code = bytes.fromhex("5f5460015260205ff3")
        accounts = {self.RICH: Account(3, 10**18, keccak(code)), KEPT_AT: None}
        node.patch(Changes(accounts, {self.RICH: {1: 11}}, (code,)))
        assert node.steps(2) == 2
        built = node.build(node.next_header(GENESIS.timestamp_s + 50), (signed(2),))
        node.commit(built.block)
        return built.block

    def test_changes_the_state_under_the_next_block(self, kept: StockEngine) -> None:
        self.patched(kept)
        assert kept.account(self.RICH, 3) is not None
        assert kept.scratch(3).get_storage(self.RICH, 1) == 11
        assert kept.scratch(3).get_code(KEPT_AT) == b""
        assert kept.scratch(1).get_code(KEPT_AT) == KEEPER

    def test_is_taken_back_with_its_step(self, kept: StockEngine) -> None:
        self.patched(kept)
        kept.rewind(2, 1)
        assert (kept.number, kept.steps(2), kept.account(self.RICH, 2)) == (2, 1, None)
        assert kept.scratch(2).get_storage(KEPT_AT, 0) == 7


class TestRewind:
    def test_goes_on_from_an_older_block(self, kept: StockEngine) -> None:
        old = kept.block(2)
        kept.rewind(1, 1)
        mine(kept, signed(1, to=KEPT_AT, data=NINE))
        mine(kept, signed(2))
        assert kept.number == 3
        assert kept.block(2).hash != old.hash
        assert kept.scratch(3).get_storage(KEPT_AT, 0) == 9
        raws = [kept.block(number).raw for number in (1, 2, 3)]
        assert judge(GENESIS, raws) == kept.block(3).hash
