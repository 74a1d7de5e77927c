import inspect
import logging
from typing import Any

import orjson
import pytest

from devnet.node.chain import Devnet
from devnet.rpc import dispatch
from devnet.rpc.dispatch import METHODS, Answering, Weight, answer, parse, respond, weigh
from devnet.rpc.errors import Method
from tests.unit.devnet.rpc.support import NOBODY, ask, fault, post, request, text
from tests.unit.devnet.support import Wallet


class TestMethods:
    @pytest.mark.parametrize("name", METHODS)
    def test_take_as_many_parameters_as_they_say(self, name: str) -> None:
        method = METHODS[name]
        signature = inspect.signature(method.run)
        for count in range(method.needed, method.most + 1):
            signature.bind(None, *range(count))
        with pytest.raises(TypeError):
            signature.bind(None, *range(method.most + 1))

    def test_that_need_parameters_do_not_run_without(self) -> None:
        for name, method in METHODS.items():
            given = list(inspect.signature(method.run).parameters.values())[1 : 1 + method.needed]
            assert all(one.default is inspect.Parameter.empty for one in given), name


class TestWeigh:
    def test_knows_what_is_quick(self) -> None:
        quick = ("eth_blockNumber", "eth_sendRawTransaction", "eth_getTransactionReceipt", "none")
        for name in quick:
            assert weigh(request(name)) is Weight.QUICK
        odd: tuple[Any, ...] = (5, None, "x", {}, {"method": []}, parse(b"{"))
        for asked in odd:
            assert weigh(asked) is Weight.QUICK

    def test_knows_what_computes_and_what_waits(self) -> None:
        for name in ("eth_call", "eth_getLogs", "debug_traceTransaction", "eth_getProof"):
            assert weigh(request(name)) is Weight.HEAVY
        assert weigh(request("eth_sendRawTransactionSync")) is Weight.WAITING

    def test_takes_the_heaviest_of_a_batch(self) -> None:
        call, number = request("eth_call"), request("eth_blockNumber")
        wait = request("eth_sendRawTransactionSync")
        assert weigh([number]) is Weight.QUICK
        assert weigh([call]) is Weight.HEAVY
        assert weigh([number, number]) is Weight.HEAVY
        assert weigh([number, wait, call]) is Weight.WAITING


class TestOneRequest:
    @pytest.mark.parametrize("request_id", [None, 0, -5, 1.5, "a", "", 2**63])
    def test_is_answered_under_its_id(self, node: Devnet, request_id: object) -> None:
        reply = post(node, request("eth_chainId") | {"id": request_id})
        assert reply == {"jsonrpc": "2.0", "id": request_id, "result": "0x539"}

    @pytest.mark.parametrize("request_id", [True, [], [1], {}, {"a": 1}])
    def test_with_no_proper_id_is_invalid(self, node: Devnet, request_id: object) -> None:
        reply = post(node, request("eth_chainId") | {"id": request_id})
        assert (reply["id"], reply["error"]["code"]) == (None, -32600)

    def test_without_an_id_is_done_and_not_answered(self, wallet: Wallet) -> None:
        note = request("eth_sendRawTransaction", text(wallet.sign()))
        del note["id"]
        assert respond(wallet.node, orjson.dumps(note)) == b""
        assert wallet.node.head_number == 1

    @pytest.mark.parametrize("depth", [1_100, 100_000])
    def test_that_is_nested_too_deep_is_no_json(self, node: Devnet, depth: int) -> None:
        reply = orjson.loads(respond(node, b"[" * depth + b"]" * depth))
        assert reply["error"] == {"code": -32700, "message": "parse error"}

    def test_that_is_nested_less_deep_is_wrong_in_its_type(self, node: Devnet) -> None:
        nested = b"[" * 500 + b"]" * 500
        body = b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[%b]}' % nested
        assert orjson.loads(respond(node, body))["error"]["code"] == -32602

    def test_for_notifications_needs_a_websocket(self, node: Devnet) -> None:
        error = fault(node, "eth_subscribe", "newHeads")
        assert error == {"code": -32601, "message": "notifications not supported"}


class TestABatch:
    def test_of_one_is_answered_by_a_list_of_one(self, node: Devnet) -> None:
        assert post(node, [request("eth_chainId")]) == [
            {"jsonrpc": "2.0", "id": 1, "result": "0x539"}
        ]

    def test_stops_answering_when_the_answer_is_too_long(
        self, node: Devnet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "MAX_ANSWER_BYTES", 100)
        asked: list[Any] = [request("eth_chainId") | {"id": at} for at in range(5)]
        replies = post(node, [*asked, 7])
        assert [reply["id"] for reply in replies] == [0, 1, 2, 3, 4, None]
        assert [reply.get("result") for reply in replies[:3]] == ["0x539"] * 3
        assert {reply["error"]["code"] for reply in replies[3:]} == {-32003}
        assert replies[3]["error"]["message"] == "response too large"

    def test_waits_for_the_blocks_of_all_that_it_sent(self, wallet: Wallet) -> None:
        raws = [text(wallet.sign(nonce=nonce)) for nonce in range(3)]
        replies = post(wallet.node, [request("eth_sendRawTransaction", raw) for raw in raws])
        for reply in replies:
            receipt = ask(wallet.node, "eth_getTransactionReceipt", reply["result"])
            assert receipt["status"] == "0x1"


class TestFaults:
    def test_of_a_closed_node_are_named(self, node: Devnet, wallet: Wallet) -> None:
        raw = text(wallet.sign())
        node.close()
        assert fault(node, "eth_sendRawTransaction", raw) == {
            "code": -32000,
            "message": "the node is closed",
        }

    def test_of_the_disk_are_internal_and_logged(
        self, node: Devnet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_node: Devnet) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setitem(METHODS, "eth_chainId", Method(broken, 0, 0))
        with caplog.at_level(logging.ERROR):
            error = fault(node, "eth_chainId")
        assert error["code"] == -32603
        assert "No space left on device" in error["message"]
        assert "eth_chainId failed to write" in caplog.text

    def test_of_overrides_are_wrong_parameters(self, node: Devnet) -> None:
        both: dict[str, Any] = {NOBODY: {"state": {}, "stateDiff": {}}}
        error = fault(node, "eth_call", {"to": NOBODY}, "latest", both)
        assert error["code"] == -32602
        assert "both 'state' and 'stateDiff'" in error["message"]


class TestASentTransaction:
    def test_leaves_its_block_to_be_waited_for(self, wallet: Wallet) -> None:
        answering = Answering(wallet.node)
        reply = answer(answering, request("eth_sendRawTransaction", text(wallet.sign())))
        (mined,) = answering.mined
        mined.result(5)
        sent = bytes.fromhex(orjson.loads(reply)["result"][2:])
        assert wallet.node.mined(sent) is not None

    def test_that_has_to_wait_is_not_waited_for(self, wallet: Wallet) -> None:
        answering = Answering(wallet.node)
        raw = text(wallet.sign(nonce=1))
        assert b"result" in answer(answering, request("eth_sendRawTransaction", raw))
        assert answering.mined == []
