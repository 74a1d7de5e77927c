import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account

from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import NOBODY, ask, fault, text, word
from tests.unit.devnet.support import CHAIN_ID, KEEPER, TELLER, TIMER, Wallet

# Answers with the block's number.
NUMBER = "0x435f5260205ff3"
# Answers with the coins of whoever calls.
COINS = "0x33315f5260205ff3"


class TestCall:
    def test_runs_with_accounts_changed(self, wallet: Wallet) -> None:
        node, teller = wallet.node, text(wallet.deploy(TELLER))
        for part in ("state", "stateDiff"):
            change = {teller: {part: {word(0): word(7)}}}
            assert ask(node, "eth_call", {"to": teller}, "latest", change) == word(7)
        changes: dict[str, object] = {NOBODY: {"code": COINS}, teller: {"balance": "0x9"}}
        asked = {"from": teller, "to": NOBODY}
        assert ask(node, "eth_call", asked, "latest", changes) == word(9)
        assert ask(node, "eth_call", {"to": teller}) == word(0)

    def test_runs_in_a_block_changed(self, wallet: Wallet) -> None:
        node, timer = wallet.node, text(wallet.deploy(TIMER))
        block = {"time": "0x10", "number": "0x63"}
        assert ask(node, "eth_call", {"to": timer}, "latest", None, block) == word(0x10)
        number = {NOBODY: {"code": NUMBER}}
        assert ask(node, "eth_call", {"to": NOBODY}, "latest", number, block) == word(0x63)

    def test_runs_in_the_block_asked_for(self, wallet: Wallet) -> None:
        node = wallet.node
        wallet.send()
        number = {NOBODY: {"code": NUMBER}}
        for which, found in (
            ("latest", 1),
            ("0x0", 0),
            ("pending", 2),
            ({"blockNumber": "0x0"}, 0),
        ):
            assert ask(node, "eth_call", {"to": NOBODY}, which, number) == word(found)

    @pytest.mark.parametrize(
        ("accounts", "block"),
        [
            (5, None),
            ([], None),
            ({"0x1": {}}, None),
            ({NOBODY: 5}, None),
            ({NOBODY: {"coins": "0x1"}}, None),
            ({NOBODY: {"balance": 1}}, None),
            ({NOBODY: {"state": []}}, None),
            ({NOBODY: {"stateDiff": {"0x0": word(1)}}}, None),
            ({NOBODY: {"state": {}, "stateDiff": {}}}, None),
            ({NOBODY: {"nonce": "0x1" + "0" * 16}}, None),
            (None, 5),
            (None, {"height": "0x1"}),
            (None, {"time": 5}),
        ],
    )
    def test_with_changes_that_cannot_be_is_refused(
        self, node: Devnet, accounts: object, block: object
    ) -> None:
        error = fault(node, "eth_call", {"to": NOBODY}, "latest", accounts, block)
        assert error["code"] == -32602

    def test_beyond_its_coins_is_refused(self, node: Devnet) -> None:
        error = fault(node, "eth_call", {"from": NOBODY, "to": NOBODY, "value": "0x1"})
        assert error["code"] == -32000
        assert error["message"].startswith("insufficient funds for gas * price + value")


class TestEstimateGas:
    def test_sees_accounts_changed(self, wallet: Wallet) -> None:
        node, teller = wallet.node, text(wallet.deploy(TELLER))
        plain = ask(node, "eth_estimateGas", {"to": NOBODY})
        assert plain == hex(21_000)
        change = {NOBODY: {"code": text(KEEPER)}}
        asked = {"to": NOBODY, "data": word(5)}
        assert int(ask(node, "eth_estimateGas", asked, "latest", change), 16) > 40_000
        assert int(ask(node, "eth_estimateGas", {"to": teller}, "earliest"), 16) == 21_000


class TestCreateAccessList:
    def test_names_the_slots_that_are_touched(self, wallet: Wallet) -> None:
        teller = text(wallet.deploy(TELLER))
        found = ask(wallet.node, "eth_createAccessList", {"to": teller})
        assert found["accessList"] == [{"address": teller, "storageKeys": [word(0)]}]
        assert int(found["gasUsed"], 16) > 21_000
        assert "error" not in found


class TestFillTransaction:
    def test_gives_what_is_left_to_sign(self, wallet: Wallet) -> None:
        node, who = wallet.node, text(wallet.address)
        wallet.send()
        found = ask(node, "eth_fillTransaction", {"from": who, "to": NOBODY, "data": "0x12"})
        filled = found["tx"]
        assert (filled["nonce"], filled["chainId"], filled["type"]) == ("0x1", hex(CHAIN_ID), "0x2")
        assert int(filled["gas"], 16) >= 21_016
        assert "blockHash" not in filled
        raw = bytes.fromhex(found["raw"][2:])
        assert raw[0] == 2
        fields = rlp.decode(raw[1:])
        assert len(fields) == 12
        assert fields[-3:] == [b"", b"", b""]
        assert fields[1] == b"\1"
        assert fields[7] == b"\x12"

    def test_can_be_signed_and_sent(self, wallet: Wallet) -> None:
        node, who = wallet.node, text(wallet.address)
        filled = ask(node, "eth_fillTransaction", {"from": who, "to": NOBODY})["tx"]
        fields = ("nonce", "chainId", "gas", "value", "maxFeePerGas", "maxPriorityFeePerGas")
        signed = Account.sign_transaction(
            {name: filled[name] for name in fields} | {"to": NOBODY, "data": filled["input"]},
            wallet.account.key,
        )
        sent = ask(node, "eth_sendRawTransaction", text(signed.raw_transaction))
        assert ask(node, "eth_getTransactionReceipt", sent)["status"] == "0x1"

    def test_keeps_what_is_given(self, node: Devnet) -> None:
        given = {
            "nonce": "0x5",
            "gas": "0x7530",
            "maxFeePerGas": "0x9",
            "maxPriorityFeePerGas": "0x2",
        }
        filled = ask(node, "eth_fillTransaction", {"from": NOBODY, "to": NOBODY} | given)["tx"]
        assert {name: filled[name] for name in given} == given

    def test_of_no_object_is_refused(self, node: Devnet) -> None:
        assert fault(node, "eth_fillTransaction", "0x")["code"] == -32602
