from pathlib import Path

import pytest

from devnet.keys import public_accounts
from devnet.node.chain import Devnet
from devnet.verify import ChangedByHandError, verify
from tests.unit.devnet.rpc.support import ask, fault, text
from tests.unit.devnet.support import KEEPER, TELLER, Wallet

SOMEBODY = "0x" + "5b" * 20


class TestSnapshots:
    def test_going_back_takes_blocks_and_balances_back(self, wallet: Wallet) -> None:
        node = wallet.node
        before = ask(node, "eth_blockNumber")
        mark = ask(node, "evm_snapshot")
        wallet.send()
        ask(node, "anvil_setBalance", SOMEBODY, "0x7")
        assert ask(node, "eth_getBalance", SOMEBODY) == "0x7"
        assert ask(node, "evm_revert", mark) is True
        assert ask(node, "eth_blockNumber") == before
        assert ask(node, "eth_getBalance", SOMEBODY) == "0x0"

    def test_a_snapshot_is_used_up(self, wallet: Wallet) -> None:
        mark = ask(wallet.node, "evm_snapshot")
        assert ask(wallet.node, "evm_revert", mark) is True
        assert ask(wallet.node, "evm_revert", mark) is False

    def test_going_back_leaves_a_chain_that_verifies(self, tmp_path: Path, wallet: Wallet) -> None:
        wallet.send()
        mark = ask(wallet.node, "anvil_snapshot")
        wallet.send(value=0)
        ask(wallet.node, "anvil_revert", mark)
        wallet.send(data=b"\1", gas=50_000)
        assert verify(tmp_path).head_hash == wallet.node.head_hash


class TestTime:
    def test_moves_ahead_for_the_next_block(self, wallet: Wallet) -> None:
        node = wallet.node
        at_s = wallet.send().block.header.timestamp
        ask(node, "evm_increaseTime", 3_600)
        assert wallet.send().block.header.timestamp >= at_s + 3_600

    def test_is_set_for_the_next_block_alone(self, wallet: Wallet) -> None:
        node = wallet.node
        wanted_s = node.head.header.timestamp + 500_000
        ask(node, "evm_setNextBlockTimestamp", wanted_s)
        assert wallet.send().block.header.timestamp == wanted_s
        assert wallet.send().block.header.timestamp == wanted_s + 1

    def test_never_goes_back(self, wallet: Wallet) -> None:
        at_s = wallet.send().block.header.timestamp
        error = fault(wallet.node, "evm_setNextBlockTimestamp", at_s)
        assert error["code"] == -32000
        assert "is not later" in error["message"]


class TestMining:
    def test_blocks_come_when_told(self, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "evm_setAutomine", False)
        sent = ask(node, "eth_sendRawTransaction", text(wallet.sign()))
        assert ask(node, "eth_getTransactionReceipt", sent) is None
        assert ask(node, "eth_getTransactionByHash", sent)["blockNumber"] is None
        assert ask(node, "txpool_status") == {"pending": "0x1", "queued": "0x0"}
        ask(node, "evm_mine")
        assert ask(node, "eth_getTransactionReceipt", sent)["status"] == "0x1"

    def test_many_blocks_keep_their_distance(self, node: Devnet) -> None:
        ask(node, "anvil_mine", "0x3", "0x3c")
        times = [node.block(number).header.timestamp for number in (1, 2, 3)]
        assert (times[1] - times[0], times[2] - times[1]) == (60, 60)

    def test_a_dropped_transaction_is_gone(self, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "evm_setAutomine", False)
        sent = ask(node, "eth_sendRawTransaction", text(wallet.sign()))
        assert ask(node, "anvil_dropTransaction", sent) == sent
        assert ask(node, "eth_getTransactionByHash", sent) is None


class TestStateByHand:
    def test_is_there_at_once_and_marked_for_ever(self, tmp_path: Path, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "anvil_setCode", SOMEBODY, text(TELLER))
        ask(node, "anvil_setNonce", SOMEBODY, "0x9")
        ask(node, "anvil_setStorageAt", SOMEBODY, "0x0", text(b"\2".rjust(32, b"\0")))
        assert int(ask(node, "eth_call", {"to": SOMEBODY}, "latest"), 16) == 2
        assert ask(node, "eth_getTransactionCount", SOMEBODY) == "0x9"
        wallet.send()
        with pytest.raises(ChangedByHandError):
            verify(tmp_path)

    def test_a_nonce_that_was_raised_takes_late_transactions_out(self, wallet: Wallet) -> None:
        node = wallet.node
        ask(node, "evm_setAutomine", False)
        sent = ask(node, "eth_sendRawTransaction", text(wallet.sign()))
        ask(node, "anvil_setNonce", text(wallet.address), "0x5")
        assert ask(node, "eth_getTransactionByHash", sent) is None

    def test_an_impersonated_account_sends_without_a_key(
        self, tmp_path: Path, wallet: Wallet
    ) -> None:
        node = wallet.node
        keeper = wallet.deploy(KEEPER)
        request = {"from": SOMEBODY, "to": text(keeper), "data": "0x" + "07".rjust(64, "0")}
        assert fault(node, "eth_sendTransaction", request)["message"] == "unknown account"
        ask(node, "anvil_impersonateAccount", SOMEBODY)
        sent = ask(node, "eth_sendTransaction", request)
        assert ask(node, "eth_getTransactionReceipt", sent)["from"] == SOMEBODY
        assert int(ask(node, "eth_getStorageAt", text(keeper), "0x0"), 16) == 7
        ask(node, "anvil_stopImpersonatingAccount", SOMEBODY)
        assert fault(node, "eth_sendTransaction", request)["message"] == "unknown account"
        with pytest.raises(ChangedByHandError, match="did not sign"):
            verify(tmp_path)


class TestBuiltInAccounts:
    def test_the_node_signs_for_them(self, tmp_path: Path, node: Devnet) -> None:
        account = public_accounts()[0]
        address = account.address.lower()
        node.keys[bytes.fromhex(address[2:])] = account.private_key
        assert ask(node, "eth_accounts") == [address]
        sent = ask(node, "eth_sendTransaction", {"from": address, "to": SOMEBODY})
        assert ask(node, "eth_getTransactionReceipt", sent)["status"] == "0x1"
        assert verify(tmp_path).transactions == 1

    def test_without_them_the_faucet_is_dry(self, node: Devnet) -> None:
        assert "dry" in fault(node, "devnet_faucet", SOMEBODY)["message"]


class TestFaults:
    @pytest.mark.parametrize(
        ("method", "given"), [("devnet_killAt", "synced"), ("devnet_stall", 5)]
    )
    def test_are_refused_unless_asked_for_at_the_start(
        self, node: Devnet, method: str, given: object
    ) -> None:
        assert "--faults" in fault(node, method, given)["message"]

    def test_a_reorganization_keeps_the_transactions(self, wallet: Wallet) -> None:
        sent = [wallet.send() for _ in range(3)]
        before = wallet.node.head_hash
        ask(wallet.node, "devnet_reorganize", 2)
        assert wallet.node.head_hash != before
        for one in sent:
            found = ask(wallet.node, "eth_getTransactionReceipt", text(one.transaction.hash))
            assert found["status"] == "0x1"
