"""The gateway reaches its node the way the environment says, which it reads once."""

import base64
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from settlement.chain.web3_gateway import Web3Gateway

NODE = "http://node.example:8545/"


class Answering(BaseHTTPRequestHandler):
    """Answers block 7 to every question, and remembers how it was asked."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["authorization"]))
        said = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0x7"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_said):
        """Say nothing."""


@contextmanager
def answering():
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        server.asked = []
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class TestTheNode:
    def test_is_asked_through_the_proxy_that_was_set_when_the_gateway_was_made(self, monkeypatch):
        with answering() as (server, url):
            monkeypatch.setenv("http_proxy", url)
            gateway = Web3Gateway(NODE)
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
            assert [gateway.head_number(), gateway.head_number()] == [7, 7]
            assert [path for path, _ in server.asked] == [NODE, NODE]

    def test_is_asked_directly_where_no_proxy_is_to_be_used(self, monkeypatch):
        with answering() as (server, url):
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert Web3Gateway(url).head_number() == 7
            assert [path for path, _ in server.asked] == ["/"]

    def test_gets_the_name_and_password_that_netrc_has_for_it(self, monkeypatch, tmp_path):
        secrets = tmp_path / "netrc"
        secrets.write_text("machine 127.0.0.1 login voisin password sun\n")
        secrets.chmod(0o600)
        monkeypatch.setenv("NETRC", str(secrets))
        with answering() as (server, url):
            assert Web3Gateway(url).head_number() == 7
            basic = base64.b64encode(b"voisin:sun").decode()
            assert server.asked == [("/", f"Basic {basic}")]
