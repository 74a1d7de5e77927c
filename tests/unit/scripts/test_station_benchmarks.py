"""The benchmark's stations are real clients of the real endpoint, and of the library's."""

import asyncio

import pytest

from scripts.benchmarks.charging import messages, stations
from scripts.benchmarks.charging.wires import Wire, text_frame
from scripts.benchmarks.rows import BenchmarkInvalidError


def test_messages_are_answered_by_both_and_make_two_rows(tmp_path, monkeypatch):
    for name, value in (("STATIONS", 4), ("MESSAGES", 40), ("STOCK_MESSAGES", 40), ("_ROUNDS", 1)):
        monkeypatch.setattr(messages, name, value)
    rows = messages.message_rows(tmp_path, "command")
    assert [one.name for one in rows] == ["ocpp_messages_per_s", "ocpp_message_p99_ms"]


@pytest.mark.parametrize("kind", ["ours", "stock"])
@pytest.mark.parametrize("by_tls", [False, True])
def test_every_station_of_a_crowd_is_answered(tmp_path, monkeypatch, kind, by_tls):
    monkeypatch.setattr(stations, "STATIONS", 5)
    monkeypatch.setattr(stations, "EVERY_S", 1)
    certificate = stations.write_certificate(tmp_path) if by_tls else None
    assert stations.crowd(tmp_path / kind, kind, certificate).connected == 5


class FakeTransport:
    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)


def wired():
    wire, transport = Wire("CA-1", "password"), FakeTransport()
    wire.connection_made(transport)
    wire.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    return wire, transport


class TestAWire:
    @pytest.mark.parametrize("size", [0, 125, 126, 65_535])
    def test_reads_an_answer_that_comes_in_pieces(self, size):
        async def story():
            wire, _ = wired()
            asking = asyncio.create_task(wire.ask(text_frame("x")))
            await asyncio.sleep(0)
            head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
            for at in range(len(head)):
                wire.data_received(head[at : at + 1])
            wire.data_received(b"y" * size)
            answer, took_ns = await asking
            assert answer == b"y" * size
            assert took_ns > 0

        asyncio.run(story())

    def test_answers_a_ping(self):
        wire, transport = wired()
        wire.data_received(b"\x89\x02hi")
        assert transport.written == [b"\x8a\x82\0\0\0\0hi"]

    def test_sends_a_masked_frame(self):
        assert text_frame("hi") == b"\x81\x82\0\0\0\0hi"
        assert text_frame("h" * 300)[:8] == b"\x81\xfe\x01\x2c\0\0\0\0"

    def test_that_is_lost_invalidates_what_was_measured(self):
        async def story():
            wire, _ = wired()
            asking = asyncio.create_task(wire.ask(b""))
            await asyncio.sleep(0)
            wire.connection_lost(None)
            with pytest.raises(BenchmarkInvalidError, match="lost"):
                await asking

        asyncio.run(story())
