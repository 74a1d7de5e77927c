"""Blocks that go away: above finality everything heals, below it the service stops unchanged."""

import pytest
from sqlalchemy import delete, select

from ledger.errors import ChainUnavailable
from scripts.campaigns.under_fire.worker import effect
from settlement.chain.delivery import ForeignTransactionError
from settlement.chain.indexer import ChainBehindError, ReorganizedBelowFinalityError
from settlement.tables import block, observed
from tests.integration.chain.support import (
    attempts,
    method_of,
    minted,
    plan,
    row_of,
    rows,
    sign,
    worker,
)

DEPTH = 3


@pytest.fixture
def deep(tmp_path, node):
    """A worker for which a block is final when three more have come, its token final."""
    with worker(tmp_path, node.url, depth=DEPTH) as opened:
        assert opened.advance() == 1
        node.rpc("anvil_mine", DEPTH)
        assert opened.advance() == 0
        yield opened


def blocks(one):
    with one.reading() as connection:
        return dict(connection.execute(select(block.c.number, block.c.hash)).all())


def chain_of(node):
    last = node.chain.head_number
    return {n: node.rpc("eth_getBlockByNumber", hex(n), False)["hash"] for n in range(last + 1)}


def forget(one):
    """Let a worker forget what it read of the chain, but not what it signed."""
    with one.writing() as connection:
        one.indexer.discard(connection, -1)
        connection.execute(delete(effect))


class TestWithinFinality:
    @pytest.mark.parametrize("depth", range(1, DEPTH + 1))
    def test_of_any_depth_heals(self, deep, node, depth):
        plan(deep, "a")
        assert deep.advance() == 1
        node.rpc("anvil_mine", depth - 1)
        assert deep.advance() == 1
        before = row_of(deep, "a")
        assert before["state"] == "mined"
        node.rpc("devnet_reorganize", depth)
        assert deep.advance() == 1
        after = row_of(deep, "a")
        assert after["state"] == "mined"
        assert after["block_hash"] != before["block_hash"]
        assert blocks(deep) == chain_of(node)
        node.rpc("anvil_mine", DEPTH)
        assert deep.advance() == 0
        assert deep.states() == {"a": "final"}
        assert list(deep.minted().values()) == [1]
        assert minted(deep, node.url, "a") == 1

    def test_hands_no_event_on_before_it_is_final(self, deep, node):
        plan(deep, "a")
        deep.advance()
        assert deep.minted() == {}
        node.rpc("anvil_mine", DEPTH - 1)
        deep.advance()
        assert deep.minted() == {}
        node.rpc("evm_mine")
        deep.advance()
        assert list(deep.minted().values()) == [1]

    def test_forgets_the_events_of_blocks_that_are_gone(self, deep, node):
        plan(deep, "a")
        deep.advance()
        gone = row_of(deep, "a")["block_hash"]
        node.rpc("devnet_reorganize", 1)
        deep.advance()
        with deep.reading() as connection:
            kept = connection.execute(select(observed.c.block_hash)).scalars().all()
        assert gone not in kept
        assert row_of(deep, "a")["block_hash"] in kept

    def test_that_loses_a_transaction_sends_the_same_bytes_again(self, deep, node):
        before = node.rpc("evm_snapshot")
        plan(deep, "a", "b")
        assert deep.advance() == 2
        assert node.rpc("evm_revert", before) is True
        node.rpc("evm_mine")
        assert deep.advance() == 2
        assert deep.states() == {"a": "mined", "b": "mined"}
        node.rpc("anvil_mine", DEPTH)
        assert deep.advance() == 0
        assert [len(attempts(deep, key)) for key in "ab"] == [1, 1]
        assert [minted(deep, node.url, key) for key in "ab"] == [1, 1]
        assert sorted(deep.minted().values()) == [1, 1]

    def test_while_a_restart_goes_on_heals_too(self, tmp_path, deep, node):
        before = node.rpc("evm_snapshot")
        plan(deep, "a")
        deep.advance()
        node.rpc("evm_revert", before)
        with worker(tmp_path, node.url, depth=DEPTH) as again:
            assert again.advance() == 1
            node.rpc("anvil_mine", DEPTH)
            assert again.advance() == 0
            assert minted(again, node.url, "a") == 1

    def test_that_puts_a_foreign_transaction_in_our_place_stops_the_service(self, deep, node):
        before = node.rpc("evm_snapshot")
        plan(deep, "a")
        deep.advance()
        node.rpc("evm_revert", before)
        node.raw(sign(1))
        for _ in range(2):
            with pytest.raises(ForeignTransactionError):
                deep.advance()
        assert row_of(deep, "a")["state"] == "broadcast"

    def test_between_send_and_receipt_takes_no_receipt_of_an_unknown_block(
        self, tmp_path, wire, node
    ):
        with worker(tmp_path, wire.url, depth=DEPTH) as one:
            one.advance()
            plan(one, "a")

            def reorganize(body, answer):
                if isinstance(body, list) and body[0]["method"] == "eth_getTransactionCount":
                    wire.behave()
                    node.rpc("devnet_reorganize", 1)
                return answer

            wire.after = reorganize
            with pytest.raises(ChainUnavailable):
                one.advance()
            assert row_of(one, "a")["state"] == "signed"
            one.advance()
            row = row_of(one, "a")
            assert (row["state"], row["block_hash"]) == ("mined", node.chain.head_hash)

    def test_between_send_and_receipt_sends_again_what_it_lost_before(self, tmp_path, wire, node):
        with worker(tmp_path, wire.url, depth=DEPTH) as one:
            one.advance()
            before = node.rpc("evm_snapshot")
            plan(one, "a")
            assert one.advance() == 2
            plan(one, "b")

            def rewind(body):
                if method_of(body) == "eth_getTransactionCount":
                    wire.behave()
                    node.rpc("evm_revert", before)
                    node.rpc("evm_mine")
                return body

            wire.before = rewind
            one.advance()
            assert one.states() == {"a": "mined", "b": "mined"}
            assert [len(attempts(one, key)) for key in "ab"] == [1, 1]

    def test_complains_of_no_words_about_what_is_mined(self, tmp_path, wire):
        with worker(tmp_path, wire.url, depth=DEPTH) as one:
            one.advance()
            plan(one, "a")
            wire.after = lambda body, answer: (
                {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32000, "message": "hm"}}
                if method_of(body) == "eth_sendRawTransaction"
                else answer
            )
            assert one.advance() == 2
            assert one.states() == {"a": "mined"}

    def test_takes_no_receipt_whose_block_is_not_the_one_that_was_read(self, wired, wire, node):
        """A node behind a balancer may know another fork than the one that named the head."""
        plan(wired, "a")

        def forge(body, answer):
            if method_of(body) == "eth_getTransactionCount":
                answer[1]["result"]["blockHash"] = "0x" + "ab" * 32
            return answer

        wire.after = forge
        assert wired.advance() == 1
        assert row_of(wired, "a")["state"] == "broadcast"
        wire.behave()
        assert wired.advance() == 0
        assert row_of(wired, "a")["block_hash"] == node.chain.head_hash


class TestBelowFinality:
    def test_stops_with_the_exact_difference_and_changes_nothing(self, tmp_path, deep, node):
        """Ponder died of it and, started again, died again: here it is the same clear error."""
        plan(deep, "a")
        deep.advance()
        node.rpc("anvil_mine", DEPTH + 1)
        assert deep.advance() == 0
        plan(deep, "b")
        before, ours = rows(deep), blocks(deep)
        node.rpc("devnet_reorganize", DEPTH + 2)
        theirs = chain_of(node)
        first = min(n for n in ours if ours[n] != theirs[n])
        last = max(ours) - DEPTH
        said = (
            f"final blocks {first} to {last} are gone: "
            f"block {first} was {ours[first]}, the chain now says {theirs[first]}"
        )
        for _ in range(2):
            with pytest.raises(ReorganizedBelowFinalityError) as stopped:
                deep.advance()
            assert str(stopped.value) == said
        with worker(tmp_path, node.url, depth=DEPTH) as again:
            with pytest.raises(ReorganizedBelowFinalityError) as stopped:
                again.advance()
            assert str(stopped.value) == said
        assert rows(deep) == before
        assert minted(deep, node.url, "b") == 0

    def test_at_depth_0_stops_at_the_first_block_that_is_gone(self, settled, node):
        plan(settled, "a")
        settled.advance()
        node.rpc("devnet_reorganize", 1)
        with pytest.raises(ReorganizedBelowFinalityError, match="final blocks 2 to 2 are gone"):
            settled.advance()

    def test_that_only_takes_away_is_a_node_behind_which_gets_nothing(self, settled, node):
        before = node.rpc("evm_snapshot")
        plan(settled, "a")
        settled.advance()
        node.rpc("evm_revert", before)
        plan(settled, "b")
        with pytest.raises(ChainBehindError, match="ends at block 1, but block 2 was final"):
            settled.advance()
        assert node.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


class TestPages:
    def test_are_as_long_as_asked_and_written_one_by_one(self, tmp_path, wire, node):
        with worker(tmp_path, node.url) as one:
            one.advance()
            for number in range(6):
                plan(one, f"key {number}")
                one.advance()
        with worker(tmp_path, wire.url, page=2) as late:
            forget(late)
            wire.seen.clear()
            assert late.advance() == 0
            asked = [one for one in wire.seen if method_of(one) == "eth_getLogs"]
            assert [len(one) if isinstance(one, list) else 1 for one in asked] == [2, 2, 2, 2]
            assert blocks(late) == chain_of(node)
            assert len(late.minted()) == 6

    def test_that_break_off_go_on_where_they_were(self, tmp_path, wire, node):
        with worker(tmp_path, wire.url, page=2) as one:
            one.advance()
            node.rpc("anvil_mine", 5)
            pages = []

            def second(body):
                if method_of(body) == "eth_getLogs":
                    pages.append(body)
                return None if len(pages) == 2 else body

            wire.before = second
            with pytest.raises(ChainUnavailable):
                one.advance()
            assert max(blocks(one)) == 3
            wire.behave()
            one.advance()
            assert blocks(one) == chain_of(node)

    def test_with_events_twice_and_in_disorder_come_to_the_same(self, tmp_path, wire, node):
        with worker(tmp_path, node.url) as one:
            one.advance()
            for number in range(3):
                data = one.token.encode(
                    "mintBatch", [f"0x{number + 1:040x}", f"0x{number + 9:040x}"], [5, 6]
                )
                with one.writing() as connection:
                    one.plan_call(connection, f"two {number}", data)
                one.advance()
            wanted = rows(one)["observed"]
        assert len({row[0] for row in wanted}) < len(wanted)

        def disorder(body, answer):
            if method_of(body) != "eth_getLogs":
                return answer
            each = answer if isinstance(answer, list) else [answer]
            for reply in each:
                reply["result"] = [*reversed(reply["result"]), *reply["result"]]
            return answer

        wire.after = disorder
        with worker(tmp_path, wire.url) as late:
            forget(late)
            assert late.advance() == 0
            assert rows(late)["observed"] == wanted
            assert list(late.minted().values()) == [1] * 6

    @pytest.mark.parametrize(
        "change", [{"blockHash": "0x" + "ab" * 32}, {"address": "0x" + "cd" * 20}]
    )
    def test_with_events_of_another_block_or_contract_are_not_taken(self, wired, wire, change):
        plan(wired, "a")

        def forge(body, answer):
            if method_of(body) == "eth_getLogs":
                answer["result"] = [{**one, **change} for one in answer["result"]]
            return answer

        wire.after = forge
        with pytest.raises(ChainUnavailable):
            wired.advance()
        assert wired.minted() == {}
        wire.behave()
        assert wired.advance() == 0
        assert list(wired.minted().values()) == [1]

    def test_whose_blocks_do_not_follow_each_other_are_not_taken(self, wired, wire, node):
        node.rpc("anvil_mine", 4)

        def forge(body, answer):
            if isinstance(answer, list) and method_of(body) == "eth_getBlockByNumber":
                answer[2]["result"]["parentHash"] = "0x" + "ab" * 32
            return answer

        wire.after = forge
        with pytest.raises(ChainUnavailable, match="block 4 changed while it was read"):
            wired.advance()
        assert max(blocks(wired)) == 1
