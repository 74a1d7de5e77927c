import threading
import time

from eth_utils.address import to_checksum_address

from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import NOBODY, ask, fault, post, request, text
from tests.unit.devnet.support import Wallet


def wait_for_pool(node: Devnet, pending: str) -> None:
    deadline_s = time.monotonic() + 5
    while ask(node, "txpool_status")["pending"] != pending and time.monotonic() < deadline_s:
        time.sleep(0.01)


class TestSendRawTransaction:
    def test_gives_the_hash_that_the_receipt_has(self, wallet: Wallet) -> None:
        sent = ask(wallet.node, "eth_sendRawTransaction", text(wallet.sign()))
        assert ask(wallet.node, "eth_getTransactionReceipt", sent)["transactionHash"] == sent

    def test_puts_all_that_a_batch_sends_into_one_block(self, wallet: Wallet) -> None:
        sends = [
            request("eth_sendRawTransaction", text(wallet.sign(nonce=nonce))) | {"id": nonce}
            for nonce in range(20)
        ]
        hashes = [reply["result"] for reply in post(wallet.node, sends)]
        found = [ask(wallet.node, "eth_getTransactionReceipt", one) for one in hashes]
        assert [one["blockNumber"] for one in found] == ["0x1"] * len(sends)

    def test_refuses_in_the_words_of_geth(self, wallet: Wallet) -> None:
        node = wallet.node
        raw = text(wallet.sign())
        ask(node, "eth_sendRawTransaction", raw)
        for sent, said in (
            (raw, "already known"),
            (text(wallet.sign(nonce=0, value=0, gas=30_000)), "nonce too low"),
        ):
            error = fault(node, "eth_sendRawTransaction", sent)
            assert error["code"] == -32000
            assert error["message"].startswith(said)

    def test_refuses_what_is_no_transaction(self, wallet: Wallet) -> None:
        for raw in ("0x", "0x02", "0xc0", "0x" + "ff" * 100):
            assert fault(wallet.node, "eth_sendRawTransaction", raw)["code"] == -32000


class TestSendRawTransactionSync:
    def test_gives_the_receipt(self, wallet: Wallet) -> None:
        found = ask(wallet.node, "eth_sendRawTransactionSync", text(wallet.sign()))
        assert found == ask(wallet.node, "eth_getTransactionReceipt", found["transactionHash"])

    def test_waits_for_a_block_that_comes_later(self, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "evm_setAutomine", False)
        found: list[object] = []
        raw = text(wallet.sign())
        thread = threading.Thread(
            target=lambda: found.append(ask(node, "eth_sendRawTransactionSync", raw))
        )
        thread.start()
        wait_for_pool(node, "0x1")
        assert found == []
        ask(node, "evm_mine")
        thread.join(5)
        assert len(found) == 1

    def test_names_the_transaction_when_it_waits_no_longer(self, wallet: Wallet) -> None:
        node = wallet.node
        for timeout_ms in (20, "0x14"):
            nonce = 1 if timeout_ms == 20 else 2
            began_s = time.monotonic()
            raw = text(wallet.sign(nonce=nonce))
            error = fault(node, "eth_sendRawTransactionSync", raw, timeout_ms)
            assert time.monotonic() - began_s < 1
            assert error["code"] == 4
            assert ask(node, "eth_getTransactionByHash", error["data"])["nonce"] == hex(nonce)


class TestTxpool:
    def test_shows_what_is_pending_and_what_is_queued(self, wallet: Wallet) -> None:
        node, who = wallet.node, to_checksum_address(wallet.address)
        ask(node, "evm_setAutomine", False)
        sent = [
            ask(node, "eth_sendRawTransaction", text(wallet.sign(nonce=nonce)))
            for nonce in (0, 1, 5)
        ]
        assert ask(node, "txpool_status") == {"pending": "0x2", "queued": "0x1"}
        content = ask(node, "txpool_content")
        assert list(content["pending"]) == list(content["queued"]) == [who]
        assert [one["hash"] for one in content["pending"][who].values()] == sent[:2]
        assert list(content["pending"][who]) == ["0", "1"]
        assert content["queued"][who]["5"]["blockHash"] is None
        assert ask(node, "txpool_contentFrom", who) == {
            "pending": content["pending"][who],
            "queued": content["queued"][who],
        }
        assert ask(node, "txpool_contentFrom", NOBODY) == {"pending": {}, "queued": {}}
        told = ask(node, "txpool_inspect")["queued"][who]["5"]
        assert told == f"0x{'0' * 38}77: 0 wei + 1000000 gas x 0 wei"

    def test_counts_in_the_pending_nonce(self, wallet: Wallet) -> None:
        node, who = wallet.node, text(wallet.address)
        ask(node, "evm_setAutomine", False)
        for nonce in (0, 1, 5):
            ask(node, "eth_sendRawTransaction", text(wallet.sign(nonce=nonce)))
        assert ask(node, "eth_getTransactionCount", who, "latest") == "0x0"
        assert ask(node, "eth_getTransactionCount", who, "pending") == "0x2"
