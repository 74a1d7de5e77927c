from dataclasses import replace

import pytest
from eth._utils.calculations import fake_exponential

from devnet.engine.blocks import encode_block
from devnet.node.chain import Devnet
from devnet.rpc.chain_methods import METHODS, blob_price
from tests.unit.devnet.rpc.support import NO_HASH, ask, fault, text
from tests.unit.devnet.support import KEEPER, Wallet


class TestBlocks:
    def test_are_found_by_number_tag_and_hash(self, wallet: Wallet) -> None:
        wallet.send()
        node = wallet.node
        found = ask(node, "eth_getBlockByNumber", "0x1", True)
        for tag in ("latest", "safe", "finalized", "pending"):
            assert ask(node, "eth_getBlockByNumber", tag, True) == found
        assert ask(node, "eth_getBlockByHash", found["hash"], True) == found
        assert ask(node, "eth_getBlockByNumber", "earliest")["number"] == "0x0"

    def test_say_how_long_they_are(self, wallet: Wallet) -> None:
        block = wallet.send().block
        assert ask(wallet.node, "eth_getBlockByNumber", "0x1")["size"] == hex(len(block.raw))

    def test_show_nothing_when_the_chain_went_another_way_meanwhile(
        self, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = wallet.node
        wallet.send()
        before = node.outcomes(1)
        node.reorganize(1)
        monkeypatch.setattr(node, "outcomes", lambda _number: before)
        assert ask(node, "eth_getBlockByNumber", "0x1") is None

    def test_count_their_transactions(self, wallet: Wallet) -> None:
        wallet.send()
        node = wallet.node
        for which, count in (("0x0", "0x0"), ("0x1", "0x1"), ("0x2", None)):
            assert ask(node, "eth_getBlockTransactionCountByNumber", which) == count
        assert ask(node, "eth_getBlockTransactionCountByHash", node.head_hash) == "0x1"
        assert ask(node, "eth_getBlockTransactionCountByHash", NO_HASH) is None

    def test_have_no_uncles(self, wallet: Wallet) -> None:
        wallet.send()
        node = wallet.node
        assert ask(node, "eth_getUncleCountByBlockNumber", "latest") == "0x0"
        assert ask(node, "eth_getUncleCountByBlockHash", NO_HASH) is None
        assert ask(node, "eth_getUncleByBlockNumberAndIndex", "latest", "0x0") is None
        assert ask(node, "eth_getUncleByBlockHashAndIndex", NO_HASH, "0x0") is None

    def test_of_others_show_their_uncles(
        self, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wallet.send()
        node = wallet.node
        block, parent = node.block(1), node.block(0)
        assert block is not None
        assert parent is not None
        monkeypatch.setattr(node, "block", lambda _: replace(block, uncles=(parent.header,)))
        found = ask(node, "eth_getUncleByBlockNumberAndIndex", "0x1", "0x0")
        assert found["hash"] == text(parent.hash)
        assert found["size"] == hex(len(encode_block(parent.header.encode(), ())))
        assert found["uncles"] == []
        assert ask(node, "eth_getUncleByBlockNumberAndIndex", "0x1", "0x1") is None


class TestTransactions:
    def test_are_found_by_block_and_place(self, wallet: Wallet) -> None:
        node = wallet.node
        mined = wallet.send()
        found = ask(node, "eth_getTransactionByHash", text(mined.transaction.hash))
        assert found == ask(node, "eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0")
        assert found == ask(node, "eth_getTransactionByBlockHashAndIndex", node.head_hash, "0x0")
        assert found["blockTimestamp"] == hex(mined.block.header.timestamp)
        for which, index in (("0x1", "0x1"), ("0x2", "0x0")):
            assert ask(node, "eth_getTransactionByBlockNumberAndIndex", which, index) is None
        assert fault(node, "eth_getTransactionByBlockNumberAndIndex", "0x1", 0)["code"] == -32602

    def test_that_wait_are_in_no_block(self, wallet: Wallet) -> None:
        sent = ask(wallet.node, "eth_sendRawTransaction", text(wallet.sign(nonce=1)))
        found = ask(wallet.node, "eth_getTransactionByHash", sent)
        places = ("blockHash", "blockNumber", "blockTimestamp", "transactionIndex")
        assert [found[name] for name in places] == [None] * 4

    def test_of_a_block_have_their_receipts_in_order(self, wallet: Wallet) -> None:
        node = wallet.node
        node.miner.set_automatic(automatic=False)
        keeper = text(wallet.address)
        for nonce in range(3):
            node.submit(wallet.sign(nonce=nonce, to=bytes.fromhex(keeper[2:])))
        node.mine()
        receipts = ask(node, "eth_getBlockReceipts", "latest")
        assert [one["transactionIndex"] for one in receipts] == ["0x0", "0x1", "0x2"]
        assert [one["cumulativeGasUsed"] for one in receipts] == [
            hex(21_000 * n) for n in (1, 2, 3)
        ]
        assert receipts == ask(node, "eth_getBlockReceipts", node.head_hash)


class TestFeeHistory:
    def fill(self, wallet: Wallet) -> None:
        """Mine a block in which 3 of 4 parts of the gas tip 1 wei, and one tips 9."""
        node, who = wallet.node, text(wallet.address)
        node.miner.set_automatic(automatic=False)
        ask(node, "anvil_setBalance", who, hex(10**18))
        for nonce, tip in enumerate((1, 1, 1, 9)):
            raw = wallet.sign(nonce=nonce, maxPriorityFeePerGas=tip, maxFeePerGas=10)
            node.submit(raw)
        node.mine()

    def test_gives_the_tips_below_which_shares_of_the_gas_were_used(self, wallet: Wallet) -> None:
        self.fill(wallet)
        found = ask(wallet.node, "eth_feeHistory", "0x1", "latest", [0, 50, 75, 75.1, 100])
        assert found["reward"] == [["0x1", "0x1", "0x1", "0x9", "0x9"]]
        assert found["gasUsedRatio"] == [84_000 / 60_000_000]
        assert found["oldestBlock"] == "0x1"

    def test_has_one_base_fee_more_than_blocks(self, wallet: Wallet) -> None:
        for _ in range(3):
            wallet.send()
        found = ask(wallet.node, "eth_feeHistory", 2, "0x2")
        assert found["oldestBlock"] == "0x1"
        assert len(found["baseFeePerGas"]) == len(found["baseFeePerBlobGas"]) == 3
        assert len(found["gasUsedRatio"]) == len(found["blobGasUsedRatio"]) == 2
        assert "reward" not in found

    def test_of_no_block_is_empty(self, node: Devnet) -> None:
        assert ask(node, "eth_feeHistory", "0x0", "latest", [5]) == {
            "oldestBlock": "0x0",
            "gasUsedRatio": None,
        }

    def test_goes_back_to_block_0_at_most(self, wallet: Wallet) -> None:
        wallet.send()
        assert ask(wallet.node, "eth_feeHistory", "1024", "latest")["oldestBlock"] == "0x0"

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ((-1, "latest"), -32602),
            (("-1", "latest"), -32602),
            ((True, "latest"), -32602),
            ((1.5, "latest"), -32602),
            ((1, "0x9"), -32000),
            ((1, "latest", 5), -32602),
            ((1, "latest", ["5"]), -32000),
            ((1, "latest", [True]), -32000),
            ((1, "latest", [-1]), -32000),
            ((1, "latest", [100.5]), -32000),
            ((1, "latest", [50, 49]), -32000),
            ((1, "latest", [50] * 101), -32602),
        ],
    )
    def test_takes_nothing_that_cannot_be(
        self, node: Devnet, given: tuple[object, ...], code: int
    ) -> None:
        assert fault(node, "eth_feeHistory", *given)["code"] == code


class TestBlobPrice:
    def test_rises_by_the_rule_of_its_fork(self, node: Devnet) -> None:
        header = node.head.header
        assert blob_price(replace(header, excess_blob_gas=None)) is None
        assert blob_price(replace(header, excess_blob_gas=0)) == 1
        prague = replace(header, excess_blob_gas=10**8, requests_hash=bytes(32))
        cancun = replace(prague, requests_hash=None)
        assert blob_price(prague) == fake_exponential(1, 10**8, 5_007_716)
        assert blob_price(cancun) == fake_exponential(1, 10**8, 3_338_477)

    def test_is_asked_for_by_itself(self, node: Devnet) -> None:
        assert ask(node, "eth_blobBaseFee") == "0x1"


class TestLogs:
    def test_carry_the_time_of_their_block(self, wallet: Wallet) -> None:
        keeper = wallet.deploy(KEEPER)
        mined = wallet.send(to=keeper)
        (found,) = ask(wallet.node, "eth_getLogs", {"address": text(keeper)})
        assert found["blockTimestamp"] == hex(mined.block.header.timestamp)
        assert found["removed"] is False


def test_what_looks_through_many_blocks_is_heavy() -> None:
    assert METHODS["eth_getLogs"].is_heavy
    assert METHODS["eth_feeHistory"].is_heavy
