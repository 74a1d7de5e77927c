import threading
import time
from typing import Any

import pytest
from eth_account import Account

from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import NOBODY, ask, fault, text, word
from tests.unit.devnet.support import KEEPER, START_S, TELLER, Wallet

YEAR_9999_S = 253_402_300_799
KEY = b"\x22" * 32


def time_of(node: Devnet) -> int:
    return node.head.header.timestamp


def transfer(who: str, **fields: object) -> dict[str, object]:
    return {"from": who, "to": NOBODY, "value": "0x1"} | fields


class TestBlocks:
    def test_are_made_when_told(self, node: Devnet) -> None:
        assert ask(node, "evm_mine") == "0x0"
        ask(node, "hardhat_mine", "0x3")
        ask(node, "anvil_mine", 2)
        assert node.head_number == 6

    def test_are_made_so_many_seconds_apart(self, node: Devnet) -> None:
        ask(node, "hardhat_mine", "0x1")
        before_s = time_of(node)
        ask(node, "hardhat_mine", "0x3", "0x3c")
        assert time_of(node) == before_s + 1 + 2 * 60

    def test_come_only_when_told_without_automatic_ones(self, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "evm_setAutomine", False)
        assert ask(node, "anvil_getAutomine") is False
        sent = ask(node, "eth_sendRawTransaction", text(wallet.sign()))
        assert ask(node, "eth_getTransactionByHash", sent)["blockNumber"] is None
        assert ask(node, "eth_getTransactionReceipt", sent) is None
        ask(node, "evm_mine")
        assert ask(node, "eth_getTransactionReceipt", sent)["blockNumber"] == "0x1"
        ask(node, "evm_setAutomine", True)
        assert ask(node, "hardhat_getAutomine") is True

    def test_come_at_intervals(self, node: Devnet) -> None:
        ask(node, "evm_setIntervalMining", 20)
        deadline_s = time.monotonic() + 5
        while node.head_number < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        ask(node, "evm_setIntervalMining", 0)
        assert node.head_number >= 3

    @pytest.mark.parametrize(
        ("method", "given"),
        [
            ("evm_setIntervalMining", 10**18),
            ("evm_setIntervalMining", "0x" + "f" * 64),
            ("anvil_setIntervalMining", 10**11),
            ("evm_increaseTime", "0x" + "f" * 64),
            ("evm_setNextBlockTimestamp", YEAR_9999_S + 1),
            ("evm_setTime", hex(2**64)),
            ("evm_mine", YEAR_9999_S + 1),
            ("hardhat_mine", 100_001),
        ],
    )
    def test_do_not_end_by_a_number_that_is_too_high(
        self, wallet: Wallet, method: str, given: object
    ) -> None:
        assert fault(wallet.node, method, given)["code"] == -32602
        assert wallet.send().block.number == 1

    def test_go_back_to_a_snapshot_once(self, wallet: Wallet) -> None:
        node = wallet.node
        snapshot = ask(node, "evm_snapshot")
        wallet.send()
        assert ask(node, "evm_revert", snapshot) is True
        assert node.head_number == 0
        assert ask(node, "evm_revert", snapshot) is False

    def test_are_replaced_by_others(self, wallet: Wallet) -> None:
        node = wallet.node
        mined = wallet.send()
        ask(node, "devnet_reorganize", 1)
        found = ask(node, "eth_getTransactionReceipt", text(mined.transaction.hash))
        assert found["blockNumber"] == "0x1"
        assert found["blockHash"] == node.head_hash != text(mined.block.hash)
        assert ask(node, "eth_getBlockByHash", text(mined.block.hash)) is None

    def test_hold_no_other_transactions_than_before(self, node: Devnet) -> None:
        assert "nothing else" in fault(node, "anvil_reorg", 1, [["0x", 0]])["message"]
        ask(node, "anvil_reorg", 1, [])


class TestTime:
    def test_moves_ahead_and_stays_there(self, wallet: Wallet) -> None:
        node = wallet.node
        assert ask(node, "evm_increaseTime", "0xe10") == "0xe10"
        assert wallet.send().block.header.timestamp == START_S + 100 + 3_600
        assert wallet.send().block.header.timestamp == START_S + 100 + 3_601

    def test_of_the_next_block_is_set(self, wallet: Wallet) -> None:
        ask(wallet.node, "evm_setNextBlockTimestamp", START_S + 5_000)
        assert wallet.send().block.header.timestamp == START_S + 5_000
        ask(wallet.node, "evm_mine", hex(START_S + 6_000))
        assert time_of(wallet.node) == START_S + 6_000
        ask(wallet.node, "evm_mine", {"blocks": 1})
        assert time_of(wallet.node) == START_S + 6_001

    def test_is_set_and_says_by_how_much(self, wallet: Wallet) -> None:
        assert ask(wallet.node, "evm_setTime", START_S + 1_100) == 1_000
        assert wallet.send().block.header.timestamp == START_S + 1_100

    def test_does_not_go_back(self, wallet: Wallet) -> None:
        wallet.send()
        for method in ("evm_setNextBlockTimestamp", "evm_setTime", "evm_mine"):
            error = fault(wallet.node, method, START_S)
            assert error["code"] == -32000
            assert "is not later than the last block's" in error["message"]


class TestAccounts:
    def test_are_set_part_by_part(self, wallet: Wallet) -> None:
        node, keeper = wallet.node, text(wallet.deploy(KEEPER))
        ask(node, "anvil_setBalance", keeper, "0x64")
        ask(node, "hardhat_setNonce", keeper, "0x7")
        ask(node, "anvil_setStorageAt", keeper, "0x0", word(9))
        ask(node, "hardhat_setCode", keeper, text(TELLER))
        assert ask(node, "eth_getBalance", keeper) == "0x64"
        assert ask(node, "eth_getTransactionCount", keeper) == "0x7"
        assert ask(node, "eth_getStorageAt", keeper, "0x0") == word(9)
        assert ask(node, "eth_call", {"to": keeper}) == word(9)

    @pytest.mark.parametrize(
        ("method", "given"),
        [
            ("anvil_setBalance", ("9" * 5_000,)),
            ("anvil_setBalance", (2**63 * -1,)),
            ("anvil_setBalance", ("0x1" + "0" * 64,)),
            ("anvil_setNonce", (2**64 - 1,)),
            ("anvil_setCode", ("0x1",)),
            ("anvil_setStorageAt", ("0x0", "0x1")),
            ("anvil_setStorageAt", ("0x" + "0" * 65, word(1))),
        ],
    )
    def test_take_no_value_that_cannot_be(
        self, node: Devnet, method: str, given: tuple[object, ...]
    ) -> None:
        assert fault(node, method, NOBODY, *given)["code"] == -32602

    def test_keep_what_a_block_changes_meanwhile(
        self, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node, who = wallet.node, text(wallet.address)
        looked = threading.Event()
        look = node.newest_account

        def slowly(address: bytes) -> Any:
            found = look(address)
            if threading.current_thread() is setter:
                looked.set()
                time.sleep(0.1)
            return found

        monkeypatch.setattr(node, "newest_account", slowly)
        setter = threading.Thread(target=ask, args=(node, "anvil_setBalance", who, "0x5"))
        setter.start()
        assert looked.wait(5)
        monkeypatch.setattr(node, "newest_account", look)
        wallet.send(nonce=0)
        setter.join(5)
        assert ask(node, "eth_getTransactionCount", who) == "0x1"
        assert ask(node, "eth_getBalance", who) == "0x5"


class TestSending:
    def test_for_an_account_without_its_key(self, node: Devnet) -> None:
        ask(node, "anvil_setBalance", NOBODY, "0x64")
        assert fault(node, "eth_sendTransaction", transfer(NOBODY))["message"] == "unknown account"
        ask(node, "hardhat_impersonateAccount", NOBODY)
        sent = ask(node, "eth_sendTransaction", transfer(NOBODY))
        receipt = ask(node, "eth_getTransactionReceipt", sent)
        assert (receipt["from"], receipt["status"]) == (NOBODY, "0x1")
        ask(node, "anvil_stopImpersonatingAccount", NOBODY)
        assert fault(node, "eth_sendTransaction", transfer(NOBODY))["message"] == "unknown account"

    def test_for_an_account_whose_key_the_node_has(self, node: Devnet) -> None:
        account = Account.from_key(KEY)
        node.keys[bytes.fromhex(account.address[2:])] = KEY
        who = account.address.lower()
        assert ask(node, "eth_accounts") == [who]
        ask(node, "anvil_setBalance", who, "0x64")
        first, second = (ask(node, "eth_sendTransaction", transfer(who)) for _ in range(2))
        assert ask(node, "eth_getTransactionReceipt", first)["blockNumber"] == "0x1"
        assert ask(node, "eth_getTransactionByHash", second)["nonce"] == "0x1"
        assert ask(node, "eth_getBalance", NOBODY) == "0x2"

    def test_of_many_at_a_time_gives_each_its_nonce(self, node: Devnet) -> None:
        ask(node, "anvil_setBalance", NOBODY, "0x64")
        ask(node, "anvil_impersonateAccount", NOBODY)
        to = "0x" + "00" * 19 + "98"
        threads = [
            threading.Thread(
                target=ask, args=(node, "eth_sendTransaction", transfer(NOBODY, to=to))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert ask(node, "eth_getTransactionCount", NOBODY) == ask(node, "eth_getBalance", to)
        assert ask(node, "eth_getBalance", to) == "0x8"

    def test_beyond_a_gap_is_answered_at_once(self, node: Devnet) -> None:
        ask(node, "anvil_setBalance", NOBODY, "0x64")
        ask(node, "anvil_impersonateAccount", NOBODY)
        began_s = time.monotonic()
        sent = ask(node, "eth_sendTransaction", transfer(NOBODY, nonce="0x5"))
        assert time.monotonic() - began_s < 1
        assert ask(node, "eth_getTransactionByHash", sent)["blockHash"] is None

    def test_of_no_object_is_refused(self, node: Devnet) -> None:
        wrongs: tuple[object, ...] = ("0x", 5, [], {"to": 5}, {"nonce": "5"})
        for wrong in wrongs:
            assert fault(node, "eth_sendTransaction", wrong)["code"] == -32602

    def test_from_a_dry_faucet_is_refused(self, node: Devnet) -> None:
        assert "the faucet is dry" in fault(node, "devnet_faucet", NOBODY)["message"]


class TestThePool:
    def test_lets_one_transaction_go(self, wallet: Wallet) -> None:
        node = wallet.node
        sent = ask(node, "eth_sendRawTransaction", text(wallet.sign(nonce=1)))
        assert ask(node, "anvil_dropTransaction", sent) == sent
        assert ask(node, "hardhat_dropTransaction", sent) is None
        assert ask(node, "eth_getTransactionByHash", sent) is None

    def test_lets_all_go(self, wallet: Wallet) -> None:
        node = wallet.node
        for nonce in (1, 2):
            ask(node, "eth_sendRawTransaction", text(wallet.sign(nonce=nonce)))
        ask(node, "devnet_dropMempool")
        assert ask(node, "txpool_status") == {"pending": "0x0", "queued": "0x0"}


class TestFaults:
    @pytest.mark.parametrize(
        ("method", "given"), [("devnet_killAt", "synced"), ("devnet_stall", 5)]
    )
    def test_need_a_node_that_is_to_be_broken(
        self, node: Devnet, method: str, given: object
    ) -> None:
        assert fault(node, method, given) == {
            "code": -32000,
            "message": "the node was not started with --faults",
        }


class TestTheNode:
    def test_tells_of_itself(self, wallet: Wallet) -> None:
        wallet.send()
        told = ask(wallet.node, "anvil_nodeInfo")
        assert told["currentBlockNumber"] == "0x1"
        assert told["currentBlockHash"] == wallet.node.head_hash
        assert told["environment"]["chainId"] == 1_337
