from itertools import pairwise
from typing import Any

import pytest
from eth_account import Account

from devnet.engine.builder import Built
from devnet.engine.flat import FlatEngine
from devnet.engine.transactions import decode
from devnet.tracing.replays import UnknownTracerError, trace_block, trace_transaction
from tests.unit.devnet.tracing.support import CHAIN_ID, ETHER, KEEPER, REFUSER, Scene, calling

AT = b"\x01" * 19 + b"\x77"
BEHIND = b"\x01" * 19 + b"\x78"
REFUSING = b"\x01" * 19 + b"\x79"
ACCOUNT = Account.from_key(b"\x11" * 32)
SENDER = bytes.fromhex(ACCOUNT.address[2:])
SCENE = Scene({AT: calling(BEHIND), BEHIND: KEEPER, REFUSING: REFUSER}, balances={SENDER: ETHER})


def signed(nonce: int, to: bytes, data: bytes = b"") -> bytes:
    fields = {
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 200_000,
        "maxFeePerGas": 10,
        "maxPriorityFeePerGas": 1,
        "value": 0,
        "data": data,
        "to": to,
    }
    return bytes(ACCOUNT.sign_transaction(fields).raw_transaction)


@pytest.fixture
def engine() -> FlatEngine:
    return FlatEngine(SCENE.world(), SCENE.header(), CHAIN_ID, lambda _number: (b"\1" * 32,))


@pytest.fixture
def built(engine: FlatEngine) -> Built:
    """Return a block that writes a slot, clears it, and is refused."""
    raw = (
        signed(0, AT, (1).to_bytes(32, "big")),
        signed(1, AT, bytes(32)),
        signed(2, REFUSING, b"\1\2"),
    )
    done = engine.build(SCENE.header(), [decode(one) for one in raw])
    engine.commit(done.block, done.changes)
    return done


def gas_of(built: Built) -> list[int]:
    sums = [0, *(receipt.cumulative_gas_used for receipt in built.receipts)]
    return [then - before for before, then in pairwise(sums)]


class TestTraceTransaction:
    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_uses_the_gas_of_the_receipt(
        self, engine: FlatEngine, built: Built, index: int
    ) -> None:
        result = trace_transaction(engine.replay(built.block), built.block, index, {})
        assert result["gas"] == gas_of(built)[index]
        assert result["failed"] is (built.receipts[index].status == 0)

    def test_stands_on_what_came_before(self, engine: FlatEngine, built: Built) -> None:
        options: dict[str, Any] = {"tracer": "prestateTracer"}
        shown = trace_transaction(engine.replay(built.block), built.block, 1, options)
        zero, one = ("0x" + number.to_bytes(32, "big").hex() for number in (0, 1))
        assert shown["0x" + BEHIND.hex()]["storage"] == {zero: one}
        assert shown["0x" + SENDER.hex()]["nonce"] == 1

    def test_takes_the_options_of_a_tracer(self, engine: FlatEngine, built: Built) -> None:
        options = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        shown = trace_transaction(engine.replay(built.block), built.block, 0, options)
        assert shown["type"] == "CALL"
        assert "calls" not in shown
        options = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
        shown = trace_transaction(engine.replay(built.block), built.block, 0, options)
        assert len(shown["calls"][0]["logs"]) == 1

    def test_knows_no_other_tracers(self, engine: FlatEngine, built: Built) -> None:
        options = {"tracer": "{step: function() {}}"}
        with pytest.raises(UnknownTracerError, match="tracer not found"):
            trace_transaction(engine.replay(built.block), built.block, 0, options)


class TestTraceBlock:
    def test_shows_each_transaction_as_it_is_alone(self, engine: FlatEngine, built: Built) -> None:
        block = built.block
        for options in ({}, {"tracer": "callTracer"}, {"tracer": "prestateTracer"}):
            shown = trace_block(engine.replay(block), block, options)
            assert [one["txHash"] for one in shown] == [
                "0x" + transaction.hash.hex() for transaction in block.transactions
            ]
            for index, one in enumerate(shown):
                alone = trace_transaction(engine.replay(block), block, index, options)
                assert one["result"] == alone

    def test_leaves_the_chain_as_it_is(self, engine: FlatEngine, built: Built) -> None:
        root = engine.root()
        trace_block(engine.replay(built.block), built.block, {})
        assert engine.root() == root == built.block.header.state_root
