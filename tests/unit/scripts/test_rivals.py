"""The nodes beside ours make the same transfers, and nothing that failed is measured."""

import socket
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scripts.benchmarks.rivals import comparison, environment, ethtester, nodes
from scripts.benchmarks.rivals.bare import BLOCK_BYTES
from scripts.benchmarks.rivals.client import Client, request
from scripts.benchmarks.rivals.erc20_load import Load, at_once_ns, one_by_one_ns
from scripts.benchmarks.rows import BenchmarkInvalidError


@pytest.fixture
def anvil(tmp_path):
    nodes.install()
    with nodes.running(nodes.ANVIL, tmp_path) as node:
        yield node


@pytest.fixture(scope="module")
def load():
    return Load(nodes.max_fee_wei(nodes.ANVIL), lone=2, joint=16)


class TestRivals:
    @pytest.mark.parametrize(("percent", "least"), [(50, 50), (99, 99), (100, 100), (1, 1)])
    def test_takes_the_least_time_that_so_many_do_not_exceed(self, percent, least):
        assert comparison.percentile_ns(list(range(100, 0, -1)), percent) == least

    def test_takes_the_only_time_there_is(self):
        assert comparison.percentile_ns([7], 99) == 7

    def test_makes_all_transfers(self, anvil, load):
        with anvil.connect() as client:
            one_by_one_ns(client, load.setup)
            assert len(one_by_one_ns(client, load.lone)) == 2
            assert at_once_ns(anvil, load.joint) > 0
            assert load.arrived(client) == load.transfers == 18

    def test_refuses_times_of_transfers_that_did_not_arrive(self, anvil, load, monkeypatch):
        monkeypatch.setattr(Load, "arrived", lambda *_: 17)
        with pytest.raises(BenchmarkInvalidError, match="anvil did not make all transfers"):
            comparison._Times().measure(anvil, load, 1)

    def test_refuses_a_transfer_that_the_token_refused(self, anvil, load):
        deployment, _ = load.setup
        with anvil.connect() as client:
            one_by_one_ns(client, (deployment,))
            with pytest.raises(BenchmarkInvalidError, match="the token refused a transfer"):
                one_by_one_ns(client, load.lone)

    def test_refuses_what_a_node_refused(self, anvil):
        with anvil.connect() as client, pytest.raises(BenchmarkInvalidError, match="a node ref"):
            client.call("eth_sendRawTransaction", "0x00")

    def test_refuses_what_a_node_could_not_answer(self):
        class Broken(BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_error(500)

            def log_message(self, *_):
                """Say nothing."""

        with HTTPServer(("127.0.0.1", 0), Broken) as server:
            asked = threading.Thread(target=server.handle_request)
            asked.start()
            with (
                Client("127.0.0.1", server.server_port) as client,
                pytest.raises(BenchmarkInvalidError, match="a node answered http"),
            ):
                client.call("eth_chainId")
            asked.join()

    def test_knows_that_the_rivals_cannot_be_installed(self, monkeypatch, tmp_path):
        assert nodes.install()
        monkeypatch.setattr(nodes, "_ROOT", tmp_path)
        assert not nodes.install()

    def test_measures_ours_alone_and_says_so_without_rivals(self, monkeypatch, tmp_path):
        measured = []
        monkeypatch.setattr(comparison, "install", lambda: False)
        bare = comparison.running
        monkeypatch.setattr(
            comparison,
            "running",
            lambda name, where: bare(name, where) if name == nodes.BARE else nullcontext(name),
        )

        def measure(times, node, *_):
            measured.append(node)
            times.lone_ns.append(7)
            times.joint_ns.append(7)

        monkeypatch.setattr(comparison._Times, "measure", measure)
        found = comparison.rows(tmp_path)
        assert set(measured) == {nodes.VOISIN, nodes.VOISIN_WALL}
        floor, *others = found
        assert floor.baseline.what.startswith("voisin's erc20_p50_ms")
        assert {row.ratio for row in others} == {1}
        assert all("could not be installed" in row.baseline.what for row in others)

    def test_a_node_without_a_chain_still_writes_before_it_answers(self, tmp_path, load):
        with nodes.running(nodes.BARE, tmp_path) as node, node.connect() as client:
            assert len(one_by_one_ns(client, load.lone)) == 2
            assert (tmp_path / "bare.log").stat().st_size == 2 * BLOCK_BYTES

    def test_says_so_when_a_node_does_not_answer(self, monkeypatch, tmp_path):
        monkeypatch.setattr(nodes, "_command", lambda *_: ["false"])
        with (
            pytest.raises(BenchmarkInvalidError, match="anvil does not answer"),
            nodes.running(nodes.ANVIL, tmp_path),
        ):
            pass

    def test_leaves_no_node_behind(self, tmp_path):
        nodes.install()
        with nodes.running(nodes.ANVIL, tmp_path) as node:
            node.connect().__exit__(None, None, None)
        with pytest.raises(ConnectionRefusedError):
            Client("127.0.0.1", node.port)


class TestInATest:
    """The chain in a test is held beside eth-tester."""

    def test_transfers_and_asks_for_all_events(self, monkeypatch):
        measured = ethtester._measured
        monkeypatch.setattr(ethtester, "_ROUNDS", 1)
        monkeypatch.setattr(ethtester, "interpreter", lambda folder: folder / "python")
        monkeypatch.setattr(
            ethtester,
            "_measured",
            lambda command: (
                measured(command)
                if "voisin" in command
                else {"transfers_ns": [7_000_000, 9_000_000, 8_000_000], "events_ns": 10**9}
            ),
        )
        transfers, events = ethtester.rows("bench")
        assert (transfers.name, events.name) == ("test_erc20_p50_ms", "test_events_ms")
        assert (transfers.baseline.value, events.baseline.value) == (8, 1_000)
        assert transfers.value > 0 < events.value


def test_an_environment_is_made_of_its_lock_and_not_again(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("", encoding="utf-8")
    python = environment.interpreter(tmp_path)
    mark = python.parent / "mark"
    mark.touch()
    assert environment.interpreter(tmp_path) == python
    assert mark.exists()
    lock.write_text("none==1 --hash=sha256:0\n", encoding="utf-8")
    with pytest.raises(BenchmarkInvalidError, match=r"requirements\.lock failed"):
        environment.interpreter(tmp_path)
    assert not mark.exists()


class TestClient:
    """Replies come framed in more than one way, and in pieces."""

    @pytest.mark.parametrize(
        "pieces",
        [
            [b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"result":5}'],
            [b"HTTP/1.1 200 OK\r\ncontent-len", b'gth: 12\r\n\r\n{"res', b'ult":5}'],
            [
                b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"re\r\n8\r\nsul',
                b't":5}\r\n0\r\n\r\n',
            ],
        ],
    )
    def test_reads_one_reply_after_the_other(self, pieces):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = threading.Thread(target=self._serve, args=(listening, pieces))
            serving.start()
            with Client(*listening.getsockname()) as client:
                assert [client.call("a"), client.call("b")] == [5, 5]
            serving.join()

    def test_refuses_a_reply_of_unknown_length(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            reply = [b"HTTP/1.1 200 OK\r\n\r\n{}"]
            serving = threading.Thread(target=self._serve, args=(listening, reply))
            serving.start()
            with (
                Client(*listening.getsockname()) as client,
                pytest.raises(BenchmarkInvalidError, match="how long its reply is"),
            ):
                client.call("a")
            serving.join()

    @staticmethod
    def _serve(listening, pieces):
        """Answer two requests with the same pieces, or as many as come."""
        taken, _ = listening.accept()
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with taken:
            for method in ("a", "b"):
                wanted = len(request(method))
                if len(taken.recv(wanted, socket.MSG_WAITALL)) < wanted:
                    return
                for piece in pieces:
                    taken.sendall(piece)
