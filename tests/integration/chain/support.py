"""A worker of the outbox, a node it talks to, and what stands between them."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from eth_account import Account
from sqlalchemy import select

from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.server import serve
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from scripts.campaigns.under_fire.worker import DATABASE, SIGNER, Worker, holder_of
from settlement.chain.outbox import Outbox
from settlement.tables import attempt, block, intent, observed

CHAIN_ID = 3_300
START_S = UnixSeconds(1_700_000_000)
ADDRESS = Outbox(SIGNER, CHAIN_ID).address
COINS = 10**24


class Node:
    """A devnet that answers over HTTP, and the hand that breaks it."""

    def __init__(self, directory: Path, start_s: int = START_S) -> None:
        genesis = Genesis(CHAIN_ID, UnixSeconds(start_s), balances=((ADDRESS, COINS),))
        self.chain = Devnet.open(directory, genesis, ReplayClock(UnixSeconds(start_s)))
        self._server = serve(self.chain)
        self.url = self._server.url

    def rpc(self, method: str, *given: object) -> object:
        return ask(self.url, method, *given)

    def raw(self, raw: bytes) -> object:
        return self.rpc("eth_sendRawTransaction", "0x" + raw.hex())

    def close(self) -> None:
        self._server.stop()
        self.chain.close()


def ask(url: str, method: str, *given: object) -> object:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)}
    with httpx2.Client(timeout=30) as client:
        reply = client.post(url, json=body).json()
    assert "result" in reply, reply
    return reply["result"]


def sign(nonce: int, *, data: bytes = b"", fee_wei: int = 0) -> bytes:
    """Sign with the worker's key, behind its back."""
    signed = Account.from_key(SIGNER).sign_transaction(
        {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "maxFeePerGas": fee_wei,
            "maxPriorityFeePerGas": fee_wei,
            "gas": 100_000,
            "value": 0,
            "data": data,
            "to": bytes.fromhex(ADDRESS[2:]),
        }
    )
    return bytes(signed.raw_transaction)


class Between:
    """
    An HTTP server between worker and node that does to the traffic what a test says.

    ``before(body)`` may change the request, or return None to swallow it; ``after(body, answer)``
    may change the answer, or return None to swallow it after the node has done what was asked.
    """

    def __init__(self, url: str) -> None:
        self.target = url
        self.before: Callable[[object], object] = lambda body: body
        self.after: Callable[[object, object], object] = lambda _body, answer: answer
        self.seen: list[object] = []
        self._client = httpx2.Client(timeout=30)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def sent(self) -> list[str]:
        """Return the raw transactions that came by."""
        return [one["params"][0] for one in self.seen if method_of(one) == "eth_sendRawTransaction"]

    def drop_answers_to(self, method: str) -> None:
        self.after = lambda body, answer: None if method_of(body) == method else answer

    def drop_requests_of(self, method: str) -> None:
        self.before = lambda body: None if method_of(body) == method else body

    def behave(self) -> None:
        self.before = lambda body: body
        self.after = lambda _body, answer: answer

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                between.seen.append(body)
                asked = between.before(body)
                answer = None
                if asked is not None:
                    answer = between._client.post(between.target, json=asked).json()
                    answer = between.after(body, answer)
                if answer is None:
                    self.close_connection = True
                    return
                content = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


def method_of(body: object) -> str:
    """Return the method of a request, or that of the first in a batch."""
    return body[0]["method"] if isinstance(body, list) else body["method"]


@contextlib.contextmanager
def between(url: str) -> Iterator[Between]:
    opened = Between(url)
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def worker(directory: Path, url: str, **options: object) -> Iterator[Worker]:
    opened = Worker(directory / DATABASE, url, **options)
    try:
        yield opened
    finally:
        opened.close()


def plan(one: Worker, *keys: str) -> list[str]:
    with one.writing() as connection:
        return [one.plan(connection, key) for key in keys]


def minted(one: Worker, url: str, key: str) -> int:
    """Return how often the mint of ``key`` has happened on the chain: each mints one micro."""
    data = "0x" + one.token.encode("balanceOf", holder_of(key)).hex()
    return int(str(ask(url, "eth_call", {"to": one.token.address, "data": data}, "latest")), 16)


def rows(one: Worker) -> dict[str, list[tuple[object, ...]]]:
    """Return all that the worker knows of the chain, to see that nothing changed."""
    with one.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table)).all()]
            for table in (intent, attempt, block, observed)
        }


def attempts(one: Worker, key: str) -> list[tuple[str, int, int]]:
    """Return hash, highest fee and tip of each attempt of an intent, oldest first."""
    with one.reading() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                select(attempt.c.hash, attempt.c.max_fee_wei, attempt.c.tip_wei)
                .join(intent, intent.c.id == attempt.c.intent_id)
                .where(intent.c.business_key == key)
                .order_by(attempt.c.number)
            )
        ]


def row_of(one: Worker, key: str) -> dict[str, object]:
    with one.reading() as connection:
        return dict(
            connection.execute(select(intent).where(intent.c.business_key == key)).mappings().one()
        )
