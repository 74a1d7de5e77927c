"""What clients ask beyond sending and reading: proofs, traces, overrides, access lists."""

import pytest
from trie import HexaryTrie

from devnet.engine.encoding import keccak, rlp_decode
from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import ask, fault, text
from tests.unit.devnet.support import KEEPER, REFUSER, TELLER, TIMER, Wallet


class TestProof:
    def test_leads_from_the_state_root_to_account_and_slot(self, wallet: Wallet) -> None:
        keeper = wallet.deploy(KEEPER)
        for number in (5, 6):
            wallet.send(to=keeper, data=number.to_bytes(32, "big"))
        for block, value in (("0x2", 5), ("latest", 6)):
            found = ask(wallet.node, "eth_getProof", text(keeper), ["0x0"], block)
            root = ask(wallet.node, "eth_getBlockByNumber", block)["stateRoot"]
            nodes = [decoded(one) for one in found["accountProof"]]
            account = HexaryTrie.get_from_proof(bytes.fromhex(root[2:]), keccak(keeper), nodes)
            assert rlp_decode(account)[2] == bytes.fromhex(found["storageHash"][2:])
            (slot,) = found["storageProof"]
            assert int(slot["value"], 16) == value
            held = HexaryTrie.get_from_proof(
                bytes.fromhex(found["storageHash"][2:]),
                keccak(bytes(32)),
                [decoded(one) for one in slot["proof"]],
            )
            assert rlp_decode(held) == bytes([value])


class TestOverrides:
    def test_a_call_sees_what_it_asks_to_be_changed(self, wallet: Wallet) -> None:
        teller = text(wallet.deploy(TELLER))
        changed = {teller: {"stateDiff": {"0x" + "00" * 32: "0x" + "2a".rjust(64, "0")}}}
        assert int(ask(wallet.node, "eth_call", {"to": teller}, "latest", changed), 16) == 42
        assert int(ask(wallet.node, "eth_call", {"to": teller}, "latest"), 16) == 0

    def test_a_call_runs_in_the_block_it_asks_for(self, wallet: Wallet) -> None:
        timer = text(wallet.deploy(TIMER))
        at = ask(wallet.node, "eth_call", {"to": timer}, "latest", {}, {"time": "0xffffff"})
        assert int(at, 16) == 0xFFFFFF

    def test_an_unknown_one_is_named(self, node: Devnet) -> None:
        error = fault(node, "eth_call", {}, "latest", {"0x" + "11" * 20: {"money": "0x1"}})
        assert error["message"] == "invalid argument 2: there is no override money"


class TestTraces:
    def test_every_step_of_a_transaction(self, wallet: Wallet) -> None:
        mined = wallet.send(to=wallet.deploy(KEEPER), data=b"\1" * 32)
        trace = ask(wallet.node, "debug_traceTransaction", text(mined.transaction.hash))
        assert trace["gas"] == mined.gas_used
        assert [step["op"] for step in trace["structLogs"]][-1] == "STOP"
        assert any(step["op"] == "SSTORE" for step in trace["structLogs"])

    def test_the_calls_of_a_block(self, wallet: Wallet) -> None:
        refuser = wallet.deploy(REFUSER)
        mined = wallet.send(to=refuser)
        options = {"tracer": "callTracer"}
        number = hex(mined.block.number)
        (found,) = ask(wallet.node, "debug_traceBlockByNumber", number, options)
        assert found["txHash"] == text(mined.transaction.hash)
        assert found["result"]["error"] == "execution reverted"

    def test_a_call_that_nobody_sent(self, wallet: Wallet) -> None:
        refuser = text(wallet.deploy(REFUSER))
        trace = ask(wallet.node, "debug_traceCall", {"to": refuser}, "latest", {})
        assert trace["failed"] is True

    def test_an_origin_that_delegates_and_creates_costs_what_it_cost(self, wallet: Wallet) -> None:
        # CREATE with 64 bytes of init code: 6040 5f 5f f0 00.
        creator = wallet.deploy(bytes.fromhex("60405f5ff000"))
        permit = {"chainId": 1_337, "address": text(creator), "nonce": wallet.nonce() + 1}
        wallet.send(authorizationList=[wallet.account.sign_authorization(permit)])
        mined = wallet.send(to=wallet.address)
        assert mined.succeeded
        trace = ask(wallet.node, "debug_traceTransaction", text(mined.transaction.hash))
        assert trace["gas"] == mined.gas_used
        assert any(step["op"] == "CREATE" for step in trace["structLogs"])

    def test_an_unknown_tracer_is_refused(self, wallet: Wallet) -> None:
        mined = wallet.send()
        given = (text(mined.transaction.hash), {"tracer": "jsTracer"})
        assert "jsTracer" in fault(wallet.node, "debug_traceTransaction", *given)["message"]


class TestAccessList:
    def test_names_the_slots_that_are_touched(self, wallet: Wallet) -> None:
        keeper = text(wallet.deploy(KEEPER))
        request = {"from": text(wallet.address), "to": keeper, "data": "0x" + "11" * 32}
        found = ask(wallet.node, "eth_createAccessList", request)
        assert found["accessList"] == [{"address": keeper, "storageKeys": ["0x" + "00" * 32]}]


class TestRaw:
    def test_a_transaction_comes_back_as_it_was_sent(self, wallet: Wallet) -> None:
        raw = wallet.sign()
        sent = ask(wallet.node, "eth_sendRawTransaction", text(raw))
        assert ask(wallet.node, "debug_getRawTransaction", sent) == text(raw)
        assert ask(wallet.node, "debug_getRawBlock", "latest") == text(wallet.node.head.raw)


class TestBadInput:
    @pytest.mark.parametrize(
        ("method", "given", "code"),
        [
            ("eth_getProof", ["0x" + "11" * 20, "0x0"], -32602),
            ("eth_getProof", ["0x" + "11" * 20, ["0x" + "0" * 66]], -32602),
            ("debug_traceCall", [{}, "latest", 5], -32602),
            ("anvil_setBalance", ["0x11", "0x1"], -32602),
            ("anvil_mine", ["0xffffffff"], -32602),
            ("evm_setAutomine", ["yes"], -32602),
            ("eth_newFilter", [5], -32602),
            ("eth_sendTransaction", [5], -32602),
            ("txpool_contentFrom", ["0x1"], -32602),
        ],
    )
    def test_is_named_with_the_code_of_geth(
        self, node: Devnet, method: str, given: list[object], code: int
    ) -> None:
        assert fault(node, method, *given)["code"] == code


def decoded(node: str) -> object:
    return rlp_decode(bytes.fromhex(node[2:]))
