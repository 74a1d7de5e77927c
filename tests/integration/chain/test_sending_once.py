"""Whatever becomes of a request or an answer, a business key has one effect on the chain."""

import contextlib

import pytest
from sqlalchemy import select

from ledger.errors import ChainUnavailable
from scripts.campaigns.under_fire.worker import outcome
from settlement.chain.sending.steps import STEPS
from settlement.chain.web3_gateway import TransactionRefusedError
from tests.integration.chain.support import (
    ADDRESS,
    attempts,
    method_of,
    minted,
    plan,
    row_of,
    sign,
    worker,
)


class CrashError(Exception):
    """The process ended here."""


class CrashAt:
    """Steps that end the worker the first time it reaches one of them."""

    def __init__(self, step):
        self.step = step

    def reach(self, step):
        if step == self.step:
            raise CrashError


class TestAdvance:
    def test_brings_an_intent_to_its_end_in_one_call(self, settled, node):
        [sent] = plan(settled, "a")
        assert settled.advance() == 0
        row = row_of(settled, "a")
        assert (row["state"], row["hash"], row["nonce"]) == ("final", sent, 1)
        assert row["block_hash"] == node.chain.head_hash
        assert minted(settled, node.url, "a") == 1

    def test_asks_four_times_for_a_transaction_and_once_for_nothing(self, wired, wire):
        wired.advance()
        assert [method_of(one) for one in wire.seen] == ["eth_getBlockByNumber"]
        wire.seen.clear()
        plan(wired, "a")
        assert wired.advance() == 0
        assert [method_of(one) for one in wire.seen] == [
            "eth_getBlockByNumber",
            "eth_sendRawTransaction",
            "eth_getTransactionCount",
            "eth_getLogs",
        ]

    def test_signs_for_nothing_where_gas_is_free(self, settled):
        plan(settled, "a")
        assert [fees for _, *fees in attempts(settled, "a")] == [[0, 0]]

    def test_plans_a_business_key_once(self, settled):
        assert plan(settled, "a") == plan(settled, "a")
        assert settled.advance() == 0
        assert len(attempts(settled, "a")) == 1

    def test_says_in_words_why_a_transaction_was_reverted(self, settled):
        with settled.writing() as connection:
            data = settled.token.encode("mint", "0x" + "00" * 20, 1)
            settled.plan_call(connection, "nobody", data)
        assert settled.advance() == 0
        row = row_of(settled, "nobody")
        assert (row["state"], row["error"]) == ("failed", "ERC20InvalidReceiver")
        with settled.reading() as connection:
            told = connection.execute(select(outcome)).all()
        assert told == [("nobody", "ERC20InvalidReceiver")]

    def test_goes_on_after_a_reverted_transaction(self, settled, node):
        with settled.writing() as connection:
            settled.plan_call(
                connection, "nobody", settled.token.encode("mint", "0x" + "0" * 40, 1)
            )
            settled.plan(connection, "a")
        assert settled.advance() == 0
        assert minted(settled, node.url, "a") == 1


class TestSilence:
    def test_before_the_send_sends_the_same_bytes_again(self, wired, wire, node):
        plan(wired, "a")
        wire.drop_requests_of("eth_sendRawTransaction")
        with pytest.raises(ChainUnavailable):
            wired.advance()
        wire.behave()
        assert wired.advance() == 0
        assert len(wire.sent()) == 2
        assert len(set(wire.sent())) == 1
        assert minted(wired, node.url, "a") == 1

    def test_after_the_send_sends_the_same_bytes_and_finds_the_receipt(self, wired, wire, node):
        plan(wired, "a", "b")
        wire.drop_answers_to("eth_sendRawTransaction")
        with pytest.raises(ChainUnavailable):
            wired.advance()
        wire.behave()
        assert wired.advance() == 0
        assert [minted(wired, node.url, key) for key in "ab"] == [1, 1]
        assert [row_of(wired, key)["nonce"] for key in "ab"] == [1, 2]

    def test_never_makes_the_client_send_twice_by_itself(self, wired, wire):
        """A retry behind our back could reach another chain that came up in between."""
        plan(wired, "a")
        wire.drop_requests_of("eth_sendRawTransaction")
        with pytest.raises(ChainUnavailable):
            wired.advance()
        assert len(wire.sent()) == 1

    @pytest.mark.parametrize("asked", ["eth_getTransactionCount", "eth_getLogs"])
    def test_after_the_send_leaves_nothing_half_written(self, wired, wire, node, asked):
        plan(wired, "a")
        wire.drop_answers_to(asked)
        with pytest.raises(ChainUnavailable):
            wired.advance()
        assert row_of(wired, "a")["state"] == "signed"
        wire.behave()
        assert wired.advance() == 0
        assert minted(wired, node.url, "a") == 1

    def test_half_an_answer_is_none(self, wired, wire):
        plan(wired, "a")
        wire.after = lambda body, answer: (
            "half" if method_of(body) == "eth_getBlockByNumber" else answer
        )
        with pytest.raises(ChainUnavailable):
            wired.advance()
        assert wire.sent() == []


class TestRestart:
    @pytest.mark.parametrize("step", STEPS)
    def test_at_any_step_ends_with_one_effect(self, tmp_path, node, step):
        with worker(tmp_path, node.url) as first:
            assert first.advance() == 0
        with (
            contextlib.suppress(CrashError),
            worker(tmp_path, node.url, steps=CrashAt(step)) as dying,
        ):
            plan(dying, "a")
            dying.advance()
            raise AssertionError("the step was never reached")
        with worker(tmp_path, node.url) as again:
            plan(again, "a")
            assert again.advance() == 0
            assert minted(again, node.url, "a") == 1
            assert again.states() == {"a": "final"}
            assert len(attempts(again, "a")) == 1

    def test_with_a_signed_row_whose_receipt_exists_settles_it(self, settled, node):
        """The first prototype hung forever here: it sent, was refused, and never looked."""
        plan(settled, "a")
        [one] = settled_outstanding(settled)
        node.raw(one.newest.raw)
        assert row_of(settled, "a")["state"] == "signed"
        assert settled.advance() == 0
        assert row_of(settled, "a")["state"] == "final"
        assert minted(settled, node.url, "a") == 1


class TestNonce:
    @pytest.mark.parametrize(
        "said",
        [
            "replacement transaction underpriced",
            "nonce too low",
            "already known",
            "words that no node says",
        ],
    )
    def test_is_never_chosen_again_on_a_retry(self, wired, wire, node, said):
        """safe-eth-py's retry took a new nonce on such answers: two effects if both land."""
        plan(wired, "a")
        wire.after = lambda body, answer: (
            {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32000, "message": said}}
            if method_of(body) == "eth_sendRawTransaction"
            else answer
        )
        assert wired.advance() == 0
        assert len(set(wire.sent())) == 1
        assert row_of(wired, "a")["nonce"] == 1
        assert minted(wired, node.url, "a") == 1

    def test_of_bytes_that_the_node_refuses_stays_theirs(self, wired, wire, node):
        plan(wired, "a", "b")
        refused = "0x" + settled_outstanding(wired)[0].newest.raw.hex()
        wire.before = lambda body: (
            {**body, "params": ["0x02"]} if body_sends(body, refused) else body
        )
        with pytest.raises(TransactionRefusedError):
            wired.advance()
        assert wired.states() == {"a": "broadcast", "b": "broadcast"}
        wire.behave()
        assert wired.advance() == 0
        assert [row_of(wired, key)["nonce"] for key in "ab"] == [1, 2]
        assert [minted(wired, node.url, key) for key in "ab"] == [1, 1]

    def test_gap_is_filled_from_the_lowest(self, settled, node):
        """Boltz stood still behind a gap of 24 nonces; here the lowest is always sent again."""
        node.rpc("evm_setAutomine", False)
        plan(settled, *(f"key {number}" for number in range(24)))
        assert settled.advance() == 24
        lowest = settled_outstanding(settled)[0].newest.hash
        assert node.rpc("anvil_dropTransaction", lowest) is not None
        node.rpc("evm_setAutomine", True)
        assert node.rpc("txpool_status") == {"pending": "0x0", "queued": "0x17"}
        assert settled.advance() == 0
        assert set(settled.states().values()) == {"final"}
        assert all(count == 1 for count in settled.minted().values())

    def test_counter_follows_what_was_signed_and_not_what_was_heard(self, settled, node):
        """OpenZeppelin's counter drifted above the chain and never came back: 47 hours of storm."""
        node.rpc("evm_setAutomine", False)
        plan(settled, "a", "b")
        for _ in range(5):
            settled.advance()
            node.rpc("devnet_dropMempool")
        plan(settled, "c")
        assert [row_of(settled, key)["nonce"] for key in "abc"] == [1, 2, 3]
        node.rpc("evm_setAutomine", True)
        assert settled.advance() == 0
        assert int(str(node.rpc("eth_getTransactionCount", ADDRESS)), 16) == 4


class TestMempool:
    def test_that_was_dropped_heals_by_itself(self, settled, node):
        node.rpc("evm_setAutomine", False)
        plan(settled, "a", "b", "c")
        assert settled.advance() == 3
        node.rpc("devnet_dropMempool")
        node.rpc("evm_mine")
        assert settled.advance() == 3
        node.rpc("evm_mine")
        assert settled.advance() == 0
        assert settled.minted() == dict.fromkeys(settled.minted(), 1)
        assert len(settled.minted()) == 3

    def test_that_keeps_dropping_makes_nobody_pay_where_gas_is_free(self, settled, node):
        node.rpc("evm_setAutomine", False)
        plan(settled, "a")
        for _ in range(6):
            settled.advance()
            node.rpc("devnet_dropMempool")
            node.rpc("evm_mine")
        assert len(attempts(settled, "a")) == 1


class TestCancel:
    def test_of_what_was_never_sent_puts_a_transfer_in_its_place(self, settled, node):
        plan(settled, "a", "b")
        with settled.writing() as connection:
            cancelled = settled.outbox.cancel(connection, "a")
            assert settled.outbox.cancel(connection, "a") == cancelled
        assert settled.advance() == 0
        assert settled.states() == {"a": "superseded", "b": "final"}
        assert row_of(settled, "a")["hash"] == cancelled
        assert [minted(settled, node.url, key) for key in "ab"] == [0, 1]

    def test_that_comes_too_late_changes_nothing(self, settled, node):
        plan(settled, "a")
        [one] = settled_outstanding(settled)
        with settled.writing() as connection:
            settled.outbox.cancel(connection, "a")
        node.raw(one.newest.raw)
        assert settled.advance() == 0
        assert settled.states() == {"a": "final"}
        assert minted(settled, node.url, "a") == 1

    def test_frees_those_behind_a_transaction_that_no_node_takes(self, settled):
        with settled.writing() as connection:
            data = settled.token.encode("mint", "0x" + "11" * 20, 1) + bytes(200_000)
            settled.plan_call(connection, "too long", data)
            settled.plan(connection, "b")
        with pytest.raises(TransactionRefusedError):
            settled.advance()
        with settled.writing() as connection:
            settled.outbox.cancel(connection, "too long")
        assert settled.advance() == 0
        assert settled.states() == {"too long": "superseded", "b": "final"}


def settled_outstanding(one):
    with one.reading() as connection:
        return one.outbox.outstanding(connection)


def body_sends(body, raw):
    return method_of(body) == "eth_sendRawTransaction" and body["params"] == [raw]


@pytest.mark.usefixtures("settled")
def test_the_key_of_these_tests_is_the_workers(node):
    """Or the tests of foreign transactions would be of nobody's."""
    node.raw(sign(1))
    assert int(str(node.rpc("eth_getTransactionCount", ADDRESS)), 16) == 2
