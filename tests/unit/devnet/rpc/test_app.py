import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from devnet.node.chain import Devnet
from devnet.rpc import listening
from devnet.rpc.app import MAX_BODY_BYTES, MAX_IN_FLIGHT
from devnet.rpc.dispatch import METHODS
from devnet.rpc.errors import Method
from devnet.server import RunningNode, serve
from tests.unit.devnet.rpc.support import request, text, word
from tests.unit.devnet.support import KEEPER, Wallet

TIMEOUT_S = 5


@pytest.fixture
def running(node: Devnet) -> Iterator[RunningNode]:
    started = serve(node)
    yield started
    started.stop()


@pytest.fixture
def client(running: RunningNode) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running.url, timeout=TIMEOUT_S) as opened:
        yield opened


@pytest.fixture
def websocket(running: RunningNode) -> Iterator[ClientConnection]:
    with open_websocket(running) as opened:
        yield opened


def open_websocket(running: RunningNode) -> ClientConnection:
    return connect(running.url.replace("http", "ws", 1), compression=None, close_timeout=0.2)


def say(websocket: ClientConnection, asked: object) -> None:
    websocket.send(json.dumps(asked))


def hear(websocket: ClientConnection) -> Any:
    return json.loads(websocket.recv(TIMEOUT_S))


def converse(websocket: ClientConnection, method: str, *given: object) -> Any:
    say(websocket, request(method, *given))
    return hear(websocket)


class Gate:
    """A method that answers when it is let."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, _node: Devnet) -> bool:
        self.entered.release()
        return self.opened.wait(TIMEOUT_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setitem(METHODS, "test_compute", Method(made, 0, 0, is_heavy=True))
    monkeypatch.setitem(METHODS, "test_wait", Method(made, 0, 0, waits=True))
    yield made
    made.opened.set()


class TestPost:
    def test_answers_json(self, client: httpx2.Client) -> None:
        reply = client.post("/", content=json.dumps(request("eth_chainId")))
        assert reply.headers["content-type"] == "application/json"
        assert reply.json() == {"jsonrpc": "2.0", "id": 1, "result": "0x539"}

    def test_of_a_transaction_is_answered_when_its_receipt_is_there(
        self, client: httpx2.Client, wallet: Wallet
    ) -> None:
        for nonce in range(5):
            raw = text(wallet.sign(nonce=nonce))
            sent = client.post("/", json=request("eth_sendRawTransaction", raw)).json()["result"]
            found = client.post("/", json=request("eth_getTransactionReceipt", sent)).json()
            assert found["result"]["blockNumber"] == hex(nonce + 1)

    def test_of_a_transaction_without_automatic_blocks_is_answered_at_once(
        self, client: httpx2.Client, wallet: Wallet
    ) -> None:
        wallet.node.miner.set_automatic(automatic=False)
        began_s = time.monotonic()
        reply = client.post("/", json=request("eth_sendRawTransaction", text(wallet.sign())))
        assert "result" in reply.json()
        assert time.monotonic() - began_s < 1
        assert wallet.node.head_number == 0

    def test_of_notifications_alone_is_answered_by_nothing(self, client: httpx2.Client) -> None:
        reply = client.post("/", json={"jsonrpc": "2.0", "method": "eth_chainId"})
        assert (reply.status_code, reply.content) == (200, b"")

    def test_that_is_too_long_is_refused_unread(self, running: RunningNode) -> None:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), TIMEOUT_S) as opened:
            head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {MAX_BODY_BYTES + 1}\r\n\r\n"
            opened.sendall(head.encode())
            assert opened.recv(100).startswith(b"HTTP/1.1 413 ")

    def test_that_never_says_its_length_is_refused_when_it_is_too_long(
        self, running: RunningNode
    ) -> None:
        host, port = running.url.removeprefix("http://").split(":")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with socket.create_connection((host, int(port)), TIMEOUT_S) as opened:
            opened.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(MAX_BODY_BYTES // 0x10000 + 1):
                opened.sendall(chunk)
            assert opened.recv(100).startswith(b"HTTP/1.1 413 ")

    def test_of_the_longest_body_is_read(self, client: httpx2.Client) -> None:
        body = json.dumps(request("eth_chainId")).encode()
        reply = client.post("/", content=body.ljust(MAX_BODY_BYTES))
        assert reply.json()["result"] == "0x539"

    def test_that_computes_or_waits_holds_up_nothing_quick(
        self, running: RunningNode, client: httpx2.Client, gate: Gate
    ) -> None:
        def ask(method: str) -> None:
            with httpx2.Client(timeout=2 * TIMEOUT_S) as own:
                own.post(running.url, json=request(method))

        names = ["test_compute"] * 6 + ["test_wait"] * 10
        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        # Some of what computes has to wait for its turn; what waits has turns of its own.
        for _ in range(14):
            assert gate.entered.acquire(timeout=TIMEOUT_S)
        assert client.post("/", json=request("eth_chainId")).json()["result"] == "0x539"
        assert not gate.entered.acquire(timeout=0.05)
        gate.opened.set()
        for thread in threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


class TestPages:
    def test_tell_of_health(self, client: httpx2.Client, wallet: Wallet) -> None:
        wallet.send()
        assert client.get("/health").json() == {"head": 1}

    def test_tell_numbers_in_the_way_of_prometheus(
        self, client: httpx2.Client, wallet: Wallet
    ) -> None:
        wallet.send()
        wallet.node.submit(wallet.sign(nonce=5))
        reply = client.get("/metrics")
        assert reply.headers["content-type"].startswith("text/plain")
        assert "devnet_head_block 1\n" in reply.text
        assert "devnet_pool_pending 0\n" in reply.text
        assert "devnet_pool_queued 1\n" in reply.text


class TestWebsocket:
    def test_answers_as_post_does(self, websocket: ClientConnection) -> None:
        assert converse(websocket, "eth_chainId")["result"] == "0x539"
        say(websocket, [request("eth_chainId"), request("eth_nothing")])
        assert [("error" in reply) for reply in hear(websocket)] == [False, True]
        websocket.send(b"{")
        assert hear(websocket)["error"]["code"] == -32700
        websocket.send(json.dumps(request("eth_blockNumber")).encode())
        assert hear(websocket)["result"] == "0x0"

    def test_takes_transactions_in_the_order_in_which_they_come(
        self, websocket: ClientConnection, wallet: Wallet
    ) -> None:
        for nonce in range(20):
            raw = text(wallet.sign(nonce=nonce))
            say(websocket, request("eth_sendRawTransaction", raw) | {"id": nonce})
        assert {hear(websocket)["id"] for _ in range(20)} == set(range(20))
        assert wallet.nonce() == 20

    def test_answers_what_is_quick_before_what_is_not(
        self, websocket: ClientConnection, gate: Gate
    ) -> None:
        say(websocket, request("test_compute") | {"id": "slow"})
        say(websocket, request("eth_chainId") | {"id": "quick"})
        assert hear(websocket)["id"] == "quick"
        gate.opened.set()
        assert hear(websocket)["id"] == "slow"

    def test_reads_no_more_than_it_answers(self, websocket: ClientConnection, gate: Gate) -> None:
        for _ in range(MAX_IN_FLIGHT):
            say(websocket, request("test_wait") | {"id": "slow"})
        say(websocket, request("eth_chainId") | {"id": "quick"})
        for _ in range(MAX_IN_FLIGHT):
            assert gate.entered.acquire(timeout=TIMEOUT_S)
        with pytest.raises(TimeoutError):
            websocket.recv(0.1)
        gate.opened.set()
        ids = [hear(websocket)["id"] for _ in range(MAX_IN_FLIGHT + 1)]
        assert sorted(ids) == ["quick"] + ["slow"] * MAX_IN_FLIGHT

    def test_tells_of_heads_and_events_until_it_is_told_to_stop(
        self, websocket: ClientConnection, wallet: Wallet
    ) -> None:
        keeper = text(wallet.deploy(KEEPER))
        heads = converse(websocket, "eth_subscribe", "newHeads")["result"]
        logs = converse(websocket, "eth_subscribe", "logs", {"address": keeper})["result"]
        mined = wallet.send(to=bytes.fromhex(keeper[2:]))
        found = {one["params"]["subscription"]: one for one in (hear(websocket), hear(websocket))}
        assert {one["method"] for one in found.values()} == {"eth_subscription"}
        assert found[heads]["params"]["result"]["hash"] == text(mined.block.hash)
        assert found[logs]["params"]["result"]["topics"] == [word(7)]
        for name in (heads, logs):
            assert converse(websocket, "eth_unsubscribe", name)["result"] is True
        wallet.send(to=bytes.fromhex(keeper[2:]))
        assert converse(websocket, "eth_blockNumber")["result"] == "0x3"

    def test_tells_nothing_of_a_subscription_before_its_name(
        self, websocket: ClientConnection, wallet: Wallet, gate: Gate
    ) -> None:
        say(websocket, [request("eth_subscribe", "newHeads"), request("test_compute")])
        assert gate.entered.acquire(timeout=TIMEOUT_S)
        wallet.send()
        gate.opened.set()
        name = hear(websocket)[0]["result"]
        assert hear(websocket)["params"]["subscription"] == name

    def test_keeps_subscriptions_apart_from_those_of_others(
        self, running: RunningNode, websocket: ClientConnection, wallet: Wallet
    ) -> None:
        with open_websocket(running) as other:
            name = converse(websocket, "eth_subscribe", "newHeads")["result"]
            assert converse(other, "eth_unsubscribe", name)["error"]["code"] == -32000
            wallet.send()
            assert hear(websocket)["params"]["subscription"] == name
            assert converse(other, "eth_blockNumber")["result"] == "0x1"

    def test_that_is_left_is_forgotten(self, running: RunningNode, node: Devnet) -> None:
        with open_websocket(running) as opened:
            converse(opened, "eth_subscribe", "newHeads")
            assert node.listeners
        deadline_s = time.monotonic() + TIMEOUT_S
        while node.listeners and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not node.listeners

    def test_with_too_long_a_message_is_closed(
        self, running: RunningNode, websocket: ClientConnection
    ) -> None:
        with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012 - either may notice
            websocket.send("x" * (MAX_BODY_BYTES + 1))
            websocket.recv(TIMEOUT_S)
        # The reason may be lost with what the client was still sending.
        assert caught.value.rcvd is None or caught.value.rcvd.code == 1009
        with open_websocket(running) as other:
            assert converse(other, "eth_blockNumber")["result"] == "0x0"

    def test_that_reads_too_slowly_is_closed_with_a_reason(
        self, running: RunningNode, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_WAITING", 5)
        with open_websocket(running) as opened:
            for _ in range(6):
                converse(opened, "eth_subscribe", "newHeads")
            wallet.send()
            with pytest.raises(ConnectionClosed) as caught:
                opened.recv(TIMEOUT_S)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1013, "too slow")

    def test_that_does_not_read_at_all_is_given_up_and_holds_up_nobody(
        self, running: RunningNode, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_WAITING", 1_000)
        node = wallet.node
        with open_websocket(running) as idle:
            for _ in range(100):
                converse(idle, "eth_subscribe", "newHeads")
            # Its buffers and the node's take some megabytes before anything has to wait.
            while node.listeners and node.head_number < 500:
                wallet.send()
            assert 10 < node.head_number < 500
            with open_websocket(running) as other:
                assert converse(other, "eth_blockNumber")["result"] == hex(node.head_number)

    def test_ends_by_a_fault_in_the_node(
        self,
        running: RunningNode,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def broken(_node: Devnet) -> None:
            raise ZeroDivisionError

        monkeypatch.setitem(METHODS, "test_broken", Method(broken, 0, 0))
        with open_websocket(running) as opened:
            say(opened, request("test_broken"))
            with pytest.raises(ConnectionClosed):
                hear(opened)
