"""Another chain, or another hand on our key: stop, say what was seen, send nothing."""

import pytest
from sqlalchemy import select

from settlement.chain.delivery import ForeignTransactionError
from settlement.chain.identity import ChainReplacedError
from settlement.chain.indexer import ChainBehindError
from settlement.chain.outbox import ForeignNonceError
from settlement.tables import meta
from tests.integration.chain.support import (
    START_S,
    Node,
    method_of,
    minted,
    plan,
    row_of,
    rows,
    sign,
    worker,
)


@pytest.fixture
def empty(tmp_path):
    """The node's port again, but the chain behind it begins anew."""
    opened = Node(tmp_path / "empty", START_S + 1)
    yield opened
    opened.close()


class TestAnotherChain:
    def test_is_noticed_before_anything_is_sent(self, wired, wire, empty):
        plan(wired, "a")
        before = rows(wired)
        wire.target = empty.url
        for _ in range(2):
            with pytest.raises(ChainReplacedError, match="chain id and genesis"):
                wired.advance()
        assert wire.sent() == []
        assert rows(wired) == before
        assert empty.chain.head_number == 0

    @pytest.mark.usefixtures("wired")
    def test_is_noticed_at_the_start(self, tmp_path, wire, empty):
        wire.target = empty.url
        with pytest.raises(ChainReplacedError), worker(tmp_path, wire.url):
            pass
        assert wire.sent() == []

    def test_is_noticed_when_it_comes_up_while_the_answer_is_awaited(self, wired, wire, empty):
        plan(wired, "a")

        def swap(body):
            if isinstance(body, dict) and body["method"] == "eth_sendRawTransaction":
                wire.target = empty.url
                return None
            return body

        wire.before = swap
        with pytest.raises(Exception, match="eth_sendRawTransaction"):
            wired.advance()
        wire.behave()
        with pytest.raises(ChainReplacedError):
            wired.advance()
        assert empty.chain.head_number == 0

    def test_that_has_grown_past_ours_is_noticed(self, wired, wire, empty):
        plan(wired, "a")
        empty.rpc("anvil_mine", 9)
        wire.target = empty.url
        with pytest.raises(ChainReplacedError):
            wired.advance()
        assert wire.sent() == []

    def test_of_the_same_genesis_but_empty_gets_nothing(self, tmp_path, wired, wire):
        twin = Node(tmp_path / "twin")
        try:
            plan(wired, "a")
            wire.target = twin.url
            with pytest.raises(ChainBehindError, match="ends at block 0, but block 1 was final"):
                wired.advance()
            assert wire.sent() == []
        finally:
            twin.close()

    def test_that_answers_before_anything_was_read_gets_nothing(self, tmp_path, node, empty):
        with worker(tmp_path, node.url):
            pass
        with pytest.raises(ChainReplacedError), worker(tmp_path, empty.url):
            pass
        assert empty.chain.head_number == 0

    def test_of_the_right_genesis_with_other_code_is_refused(self, tmp_path, node, settled):
        with settled.reading() as connection:
            kept = dict(connection.execute(select(meta.c.key, meta.c.value)).all())
        assert set(kept) == {"chain", f"code/{settled.token.address}"}
        with worker(tmp_path, node.url) as again:
            assert again.advance() == 0
        node.rpc("anvil_setCode", settled.token.address, "0x00")
        with (
            pytest.raises(ChainReplacedError, match=f"code/{settled.token.address}"),
            worker(tmp_path, node.url),
        ):
            pass


class TestForeignHand:
    def test_that_used_a_nonce_after_ours_stops_the_service(self, settled, node):
        node.raw(sign(1))
        before = rows(settled)
        for _ in range(2):
            with pytest.raises(ForeignNonceError, match=r"has 2 .*, the outbox signed only 1"):
                settled.advance()
        assert rows(settled) == before

    @pytest.mark.usefixtures("settled")
    def test_is_noticed_at_the_start(self, tmp_path, node):
        node.raw(sign(1))
        with pytest.raises(ForeignNonceError), worker(tmp_path, node.url):
            pass

    def test_that_follows_ours_at_once_is_noticed_before_ours_is_settled(self, wired, wire, node):
        plan(wired, "a")

        def follow(body, answer):
            if method_of(body) == "eth_sendRawTransaction":
                node.raw(sign(2))
            return answer

        wire.after = follow
        with pytest.raises(ForeignNonceError, match=r"has 3 .*, the outbox signed only 2"):
            wired.advance()
        assert row_of(wired, "a")["state"] == "signed"

    def test_that_used_our_nonce_is_noticed_though_the_counts_are_equal(self, settled, node):
        plan(settled, "a")
        before = rows(settled)["intent"]
        node.raw(sign(1))
        for _ in range(2):
            with pytest.raises(ForeignTransactionError, match=r"nonce 1 of .* signed for a"):
                settled.advance()
        assert rows(settled)["intent"] == before

    def test_is_not_suspected_while_receipts_only_come_late(self, wired, wire, node):
        """A chain that moves between two looks proves nothing."""
        plan(wired, "a")
        hidden = []

        def late(body, answer):
            if method_of(body) != "eth_getTransactionCount" or len(hidden) == 2:
                return answer
            hidden.append(answer)
            node.rpc("evm_mine")
            return [
                {**one, "result": None} if asked["method"].endswith("Receipt") else one
                for asked, one in zip(body, answer, strict=True)
            ]

        wire.after = late
        assert wired.advance() == 1
        assert wired.advance() == 0
        assert row_of(wired, "a")["state"] == "final"
        assert minted(wired, node.url, "a") == 1
