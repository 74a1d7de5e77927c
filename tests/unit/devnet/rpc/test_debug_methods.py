import pytest
from eth_utils.crypto import keccak

from devnet.engine.blocks import decode_block
from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import NO_HASH, NOBODY, ask, fault, text, word
from tests.unit.devnet.support import KEEPER, REFUSER, Wallet


class TestRaw:
    def test_blocks_and_headers_hash_to_their_names(self, wallet: Wallet) -> None:
        node = wallet.node
        block = wallet.send().block
        raw = bytes.fromhex(ask(node, "debug_getRawBlock", "0x1")[2:])
        assert decode_block(raw).hash == block.hash
        header = ask(node, "debug_getRawHeader", text(block.hash))
        assert keccak(hexstr=header) == block.hash

    def test_transactions_hash_to_their_names(self, wallet: Wallet) -> None:
        node = wallet.node
        raw, waits = wallet.sign(), text(wallet.sign(nonce=5))
        for method in ("debug_getRawTransaction", "eth_getRawTransactionByHash"):
            assert ask(node, method, NO_HASH) == "0x"
        mined = ask(node, "eth_sendRawTransaction", text(raw))
        assert ask(node, "debug_getRawTransaction", mined) == text(raw)
        assert (
            ask(node, "debug_getRawTransaction", ask(node, "eth_sendRawTransaction", waits))
            == waits
        )

    def test_receipts_are_those_under_the_root(self, wallet: Wallet) -> None:
        mined = wallet.send()
        (raw,) = ask(wallet.node, "debug_getRawReceipts", "latest")
        assert raw == text(mined.receipt.encode())
        assert ask(wallet.node, "debug_getRawReceipts", "0x0") == []

    def test_of_a_block_that_is_not_there_is_not_found(self, node: Devnet) -> None:
        for method in ("debug_getRawBlock", "debug_getRawHeader", "debug_getRawReceipts"):
            assert fault(node, method, "0x9") == {"code": -32000, "message": "header not found"}


class TestTraces:
    def test_show_a_transaction_step_by_step(self, wallet: Wallet) -> None:
        keeper = wallet.deploy(KEEPER)
        mined = wallet.send(to=keeper, data=(5).to_bytes(32, "big"))
        found = ask(wallet.node, "debug_traceTransaction", text(mined.transaction.hash))
        assert found["gas"] == mined.gas_used
        assert found["failed"] is False
        assert [step["op"] for step in found["structLogs"]][:2] == ["PUSH0", "CALLDATALOAD"]

    def test_show_all_of_a_block_under_each_name(self, wallet: Wallet) -> None:
        node = wallet.node
        keeper = wallet.deploy(KEEPER)
        node.miner.set_automatic(automatic=False)
        for nonce in (1, 2):
            node.submit(wallet.sign(nonce=nonce, to=keeper))
        node.mine()
        found = ask(node, "debug_traceBlockByNumber", "latest", {"tracer": "callTracer"})
        assert found == ask(
            node, "debug_traceBlockByHash", node.head_hash, {"tracer": "callTracer"}
        )
        hashes = [text(outcome.transaction.hash) for outcome in node.outcomes(2)]
        assert [one["txHash"] for one in found] == hashes
        alone = ask(node, "debug_traceTransaction", hashes[1], {"tracer": "callTracer"})
        assert found[1]["result"] == alone

    def test_show_a_call_that_is_only_tried(self, wallet: Wallet) -> None:
        node, refuser = wallet.node, text(wallet.deploy(REFUSER))
        found = ask(node, "debug_traceCall", {"to": refuser}, "latest")
        assert found["failed"] is True
        assert found["returnValue"].removeprefix("0x") == word(42)[2:]
        options = {"tracer": "callTracer", "stateOverrides": {refuser: {"code": text(KEEPER)}}}
        changed = ask(node, "debug_traceCall", {"to": refuser}, "latest", options)
        assert "error" not in changed
        assert node.head_number == 1

    def test_of_what_is_not_there_say_so(self, node: Devnet) -> None:
        said = {
            ("debug_traceTransaction", NO_HASH): "transaction not found",
            ("debug_traceBlockByHash", NO_HASH): f"block {NO_HASH} not found",
            ("debug_traceBlockByNumber", "0x9"): "block 0x9 not found",
            ("debug_traceBlockByNumber", "0x0"): "genesis is not traceable",
            ("debug_traceBlockByHash", node.head_hash): "genesis is not traceable",
        }
        for (method, which), message in said.items():
            assert fault(node, method, which) == {"code": -32000, "message": message}

    def test_of_what_went_away_meanwhile_say_so(
        self, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node, snapshot = wallet.node, wallet.node.snapshot()
        mined = wallet.send()
        node.revert(snapshot)
        monkeypatch.setattr(node, "mined", lambda _: mined)
        name = text(mined.transaction.hash)
        assert fault(node, "debug_traceTransaction", name)["message"] == "block 1 not found"

    @pytest.mark.parametrize(
        "options", [5, "x", [], {"tracer": "noTracer"}, {"tracer": 5}, {"tracerConfig": 5}]
    )
    def test_with_options_that_cannot_be_are_refused(self, wallet: Wallet, options: object) -> None:
        name = text(wallet.send().transaction.hash)
        assert fault(wallet.node, "debug_traceTransaction", name, options)["code"] == -32602
        assert (
            fault(wallet.node, "debug_traceCall", {"to": NOBODY}, "latest", options)["code"]
            == -32602
        )
