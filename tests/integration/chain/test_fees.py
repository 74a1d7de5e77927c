"""Where gas costs something: too little is raised under the same nonce, up to a cap."""

import time

import pytest
import rlp

from contracts.typed_data import keccak
from scripts.benchmarks.rivals.nodes import ANVIL, running
from settlement.chain.sending.fees import FeePolicy
from tests.integration.chain.support import (
    ADDRESS,
    COINS,
    ask,
    attempts,
    method_of,
    minted,
    plan,
    row_of,
    worker,
)
from tests.integration.chain.test_sending_once import CrashAt, CrashError

GWEI = 10**9
MINE_TIMEOUT_S = 20


class Anvil:
    """Another node, which has a price for gas and keeps what pays too little waiting."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.rpc("anvil_setBalance", ADDRESS, hex(COINS))

    def rpc(self, method, *given):
        return ask(self.url, method, *given)

    def mine(self, base_fee_wei=None):
        if base_fee_wei is not None:
            self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))
        self.rpc("evm_mine")


@pytest.fixture
def anvil(tmp_path):
    with running(ANVIL, tmp_path, "--base-fee", str(GWEI), "--no-mining") as started:
        yield Anvil(started.port)


def until_settled(one, anvil):
    until_s = time.monotonic() + MINE_TIMEOUT_S
    while one.advance():
        assert time.monotonic() < until_s, one.states()
        anvil.mine()


class TestOnAMarket:
    def test_offers_what_the_node_asks(self, tmp_path, anvil):
        with worker(tmp_path, anvil.url) as one:
            plan(one, "a")
            [(_, max_fee_wei, tip_wei)] = attempts(one, "a")
            assert tip_wei > 0
            assert max_fee_wei >= 2 * GWEI + tip_wei
            until_settled(one, anvil)
            assert one.states() == {"a": "final"}
            assert minted(one, anvil.url, "a") == 1

    def test_raises_a_fee_that_blocks_pass_by_under_the_same_nonce(self, tmp_path, anvil):
        with worker(tmp_path, anvil.url) as one:
            until_settled(one, anvil)
            plan(one, "a", "b")
            assert one.advance() == 2
            first = attempts(one, "a")
            for _ in range(FeePolicy().patience_blocks):
                anvil.mine(100 * GWEI)
                assert one.advance() == 2
            [before, after] = attempts(one, "a")
            assert [before] == first
            for old, new in zip(before[1:], after[1:], strict=True):
                assert 10 * new >= 11 * old
            # Above what the node asks now, so that the next block takes it at the same price.
            assert after[1] > 2 * 85 * GWEI
            anvil.mine(100 * GWEI)
            one.advance()
            row = row_of(one, "a")
            assert (row["state"], row["hash"], row["nonce"]) == ("final", after[0], 1)
            until_settled(one, anvil)
            assert [minted(one, anvil.url, key) for key in "ab"] == [1, 1]

    def test_raises_only_the_lowest_of_those_that_pay_enough(self, tmp_path, anvil):
        with worker(tmp_path, anvil.url) as one:
            until_settled(one, anvil)
            plan(one, "a", "b")
            for _ in range(FeePolicy().patience_blocks + 1):
                assert one.advance() == 2
                anvil.rpc("anvil_dropAllTransactions")
                anvil.mine(GWEI)
            assert one.advance() == 2
            assert [len(attempts(one, key)) for key in "ab"] == [2, 1]
            until_settled(one, anvil)
            assert [minted(one, anvil.url, key) for key in "ab"] == [1, 1]

    def test_is_settled_by_the_receipt_of_any_attempt(self, tmp_path, anvil):
        with worker(tmp_path, anvil.url) as one:
            until_settled(one, anvil)
            plan(one, "a")
            one.advance()
            with one.reading() as connection:
                [waiting] = one.outbox.outstanding(connection)
            with one.writing() as connection:
                assert one.outbox.bump(connection, waiting)
            # The bump never reaches the node: the first attempt is mined.
            anvil.mine()
            assert one.advance() == 0
            [first, _] = attempts(one, "a")
            row = row_of(one, "a")
            assert (row["state"], row["hash"]) == ("final", first[0])
            assert minted(one, anvil.url, "a") == 1

    def test_stops_at_the_cap_says_so_and_waits_for_prices_to_fall(self, tmp_path, anvil):
        policy = FeePolicy(max_fee_cap_wei=20 * GWEI)
        with worker(tmp_path, anvil.url, policy=policy) as one:
            until_settled(one, anvil)
            plan(one, "a")
            one.advance()
            for _ in range(3 * policy.patience_blocks):
                anvil.mine(100 * GWEI)
                one.advance()
            assert all(fee <= policy.max_fee_cap_wei for _, fee, _ in attempts(one, "a"))
            assert "the cap is 20000000000" in row_of(one, "a")["error"]
            anvil.mine(GWEI)
            until_settled(one, anvil)
            row = row_of(one, "a")
            assert (row["state"], row["error"]) == ("final", None)

    def test_never_offers_more_than_the_cap_in_a_first_attempt(self, tmp_path, anvil):
        policy = FeePolicy(max_fee_cap_wei=GWEI // 2)
        with worker(tmp_path, anvil.url, policy=policy) as one:
            plan(one, "a")
            [(_, max_fee_wei, tip_wei)] = attempts(one, "a")
            assert max_fee_wei == policy.max_fee_cap_wei >= tip_wei

    def test_cancels_what_waits_by_paying_more_for_nothing(self, tmp_path, anvil):
        with worker(tmp_path, anvil.url) as one:
            until_settled(one, anvil)
            plan(one, "a", "b")
            one.advance()
            with one.writing() as connection:
                cancelled = one.outbox.cancel(connection, "a")
            one.advance()
            until_settled(one, anvil)
            assert one.states() == {"a": "superseded", "b": "final"}
            assert row_of(one, "a")["hash"] == cancelled
            assert [minted(one, anvil.url, key) for key in "ab"] == [0, 1]


class Floor:
    """A gateway before our own node that takes nothing below a price, and asks for it."""

    def __init__(self, wire, tip_wei):
        self.tip_wei = tip_wei
        wire.before, wire.after = self.before, self.after

    def before(self, body):
        if method_of(body) == "eth_sendRawTransaction":
            tip_wei = tip_of(body["params"][0])
            if tip_wei < self.tip_wei:
                return {**body, "method": "net_version", "params": []}
        return body

    def after(self, body, answer):
        if method_of(body) == "eth_sendRawTransaction" and tip_of(body["params"][0]) < self.tip_wei:
            said = "transaction underpriced"
            return {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32000, "message": said}}
        if method_of(body) == "eth_feeHistory":
            answer[1]["result"] = hex(self.tip_wei)
        return answer


def tip_of(raw):
    return int.from_bytes(rlp.decode(bytes.fromhex(raw[4:]))[2], "big")


class TestAPriceThatRises:
    def test_is_paid_as_soon_as_the_node_refuses_less(self, wired, wire, node):
        plan(wired, "a", "b")
        Floor(wire, 3 * GWEI)
        assert wired.advance() == 0
        for key in "ab":
            [first, second] = attempts(wired, key)
            assert first[1:] == (0, 0)
            assert second[1:] == (3 * GWEI, 3 * GWEI)
            row = row_of(wired, key)
            assert (row["state"], row["hash"]) == ("final", second[0])
        assert [row_of(wired, key)["nonce"] for key in "ab"] == [1, 2]
        assert [minted(wired, node.url, key) for key in "ab"] == [1, 1]

    def test_is_written_down_before_it_is_paid(self, tmp_path, wired, wire, node):
        plan(wired, "a")
        Floor(wire, GWEI)
        sends = []

        class CrashAtSecondSend(CrashAt):
            def reach(self, step):
                sends.append(step == "sending")
                if sum(sends) == 2:
                    raise CrashError

        with worker(tmp_path, wire.url, steps=CrashAtSecondSend("")) as dying:
            with pytest.raises(CrashError):
                dying.advance()
            [_, second] = attempts(dying, "a")
            assert row_of(dying, "a")["hash"] == second[0]
            assert second[0] not in {sent_hash(raw) for raw in wire.sent()}
        with worker(tmp_path, wire.url) as again:
            assert again.advance() == 0
            assert len(attempts(again, "a")) == 2
            assert minted(again, node.url, "a") == 1


def sent_hash(raw):
    return "0x" + keccak(bytes.fromhex(raw[2:])).hex()
