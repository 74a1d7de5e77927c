import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devnet.node.chain import Devnet
from devnet.node.listening import PendingTransaction, Removed
from devnet.rpc import listening
from devnet.rpc.errors import RpcFault
from devnet.rpc.listening import Filters, Interest, Subscriptions
from devnet.store.history import Past
from tests.unit.devnet.rpc.support import ask, fault, text, word
from tests.unit.devnet.support import KEEPER, Wallet

EXPIRES_S = 300


class Now:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def filters(node: Devnet, now: Now) -> Filters:
    return Filters(node, now)


def past(wallet: Wallet, number: int) -> Past:
    block = wallet.node.block(number)
    assert block is not None
    return Past(block, wallet.node.outcomes(number))


def everything() -> Interest:
    return Interest(lambda happening: [type(happening).__name__], lambda found: found)


class TestAFilterOfBlocks:
    def test_gives_each_hash_once(self, wallet: Wallet) -> None:
        node = wallet.node
        name = ask(node, "eth_newBlockFilter")
        assert ask(node, "eth_getFilterChanges", name) == []
        hashes = [text(wallet.send().block.hash) for _ in range(2)]
        assert ask(node, "eth_getFilterChanges", name) == hashes
        assert ask(node, "eth_getFilterChanges", name) == []

    def test_has_no_events(self, node: Devnet) -> None:
        name = ask(node, "eth_newBlockFilter")
        assert fault(node, "eth_getFilterLogs", name)["message"] == "filter not found"


class TestAFilterOfEvents:
    def test_gives_what_fits_from_now_on(self, wallet: Wallet) -> None:
        node, keeper = wallet.node, wallet.deploy(KEEPER)
        other = wallet.deploy(KEEPER)
        wallet.send(to=keeper)
        by_address = ask(node, "eth_newFilter", {"address": text(keeper)})
        by_topic = ask(node, "eth_newFilter", {"topics": [word(8)]})
        wallet.send(to=other)
        mined = wallet.send(to=keeper)
        found = ask(node, "eth_getFilterChanges", by_address)
        assert [entry["transactionHash"] for entry in found] == [text(mined.transaction.hash)]
        assert found == ask(node, "eth_getTransactionReceipt", found[0]["transactionHash"])["logs"]
        assert ask(node, "eth_getFilterChanges", by_topic) == []

    def test_gives_all_of_its_range_again_and_again(self, wallet: Wallet) -> None:
        node, keeper = wallet.node, wallet.deploy(KEEPER)
        wallet.send(to=keeper)
        name = ask(node, "eth_newFilter", {"fromBlock": "earliest"})
        wallet.send(to=keeper)
        for _ in range(2):
            found = ask(node, "eth_getFilterLogs", name)
            assert [entry["blockNumber"] for entry in found] == ["0x2", "0x3"]

    def test_says_which_events_are_gone(self, wallet: Wallet) -> None:
        node, keeper = wallet.node, wallet.deploy(KEEPER)
        name = ask(node, "eth_newFilter", {"address": text(keeper)})
        snapshot = ask(node, "evm_snapshot")
        wallet.send(to=keeper)
        ask(node, "evm_revert", snapshot)
        found = ask(node, "eth_getFilterChanges", name)
        assert [entry["removed"] for entry in found] == [False, True]
        assert found[0] | {"removed": True} == found[1]

    @pytest.mark.parametrize("wanted", [5, "0x", [], {"address": "0x1"}, {"topics": "0x"}])
    def test_that_cannot_be_is_refused(self, node: Devnet, wanted: object) -> None:
        assert fault(node, "eth_newFilter", wanted)["code"] == -32602


class TestAFilterOfTransactions:
    def test_gives_what_comes_into_the_pool(self, wallet: Wallet) -> None:
        name = ask(wallet.node, "eth_newPendingTransactionFilter")
        raw = text(wallet.sign(nonce=5))
        sent = ask(wallet.node, "eth_sendRawTransaction", raw)
        assert ask(wallet.node, "eth_getFilterChanges", name) == [sent]


class TestFilters:
    def test_that_nobody_asks_expire(self, filters: Filters, now: Now, wallet: Wallet) -> None:
        asked, forgotten = filters.add(everything()), filters.add(everything())
        now.s += EXPIRES_S
        filters.take(asked)
        now.s += 1
        wallet.send()
        assert "NewBlock" in filters.take(asked)
        with pytest.raises(RpcFault, match="filter not found"):
            filters.take(forgotten)

    def test_expire_without_anything_happening(self, filters: Filters, now: Now) -> None:
        name = filters.add(everything())
        now.s += EXPIRES_S + 1
        with pytest.raises(RpcFault, match="filter not found"):
            filters.take(name)

    def test_are_so_many_at_most_and_expired_ones_make_room(
        self, filters: Filters, now: Now, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_FILTERS", 2)
        names = {filters.add(everything()) for _ in range(2)}
        with pytest.raises(RpcFault, match="too many filters"):
            filters.add(everything())
        now.s += EXPIRES_S + 1
        assert filters.add(everything()) not in names

    def test_that_are_full_end(
        self, filters: Filters, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_KEPT", 2)
        name = filters.add(Interest(lambda _: [1, 2], lambda found: found))
        wallet.node.listeners.tell(PendingTransaction(b""))
        assert filters.take(name) == [1, 2]
        wallet.node.listeners.tell(PendingTransaction(b""))
        wallet.node.listeners.tell(PendingTransaction(b""))
        with pytest.raises(RpcFault, match="filter not found"):
            filters.take(name)

    def test_end_when_told_to(self, node: Devnet) -> None:
        name = ask(node, "eth_newBlockFilter")
        assert ask(node, "eth_uninstallFilter", name) is True
        assert ask(node, "eth_uninstallFilter", name) is False
        assert fault(node, "eth_getFilterChanges", name) == {
            "code": -32000,
            "message": "filter not found",
        }

    def test_write_only_what_is_asked_for(self, filters: Filters, wallet: Wallet) -> None:
        written: list[Any] = []
        name = filters.add(Interest(lambda _: [1], written.append))
        wallet.node.listeners.tell(PendingTransaction(b""))
        assert written == []
        filters.take(name)
        assert written == [1]


class Loop:
    """An event loop that does what it is asked when it is told to run."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def call_soon_threadsafe(self, call: Callable[..., None], *given: Any) -> None:
        self.calls.append((call, given))

    def run(self) -> None:
        for call, given in self.calls:
            call(*given)
        self.calls.clear()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def subscriptions(node: Devnet, loop: Loop) -> Iterator[Subscriptions]:
    begun = Subscriptions(node, loop)  # type: ignore[arg-type]
    yield begun
    begun.close()


def told(subscriptions: Subscriptions, count: int) -> list[tuple[str, Any]]:
    async def take() -> list[tuple[str, Any]]:
        return [await asyncio.wait_for(subscriptions.next(), 1) for _ in range(count)]

    return asyncio.run(take())


class TestSubscriptions:
    def test_tell_of_heads(self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet) -> None:
        name = subscriptions.subscribe("newHeads")
        block = wallet.send().block
        loop.run()
        ((found, head),) = told(subscriptions, 1)
        assert found == name
        assert (head["hash"], head["number"]) == (text(block.hash), "0x1")
        assert "transactions" not in head

    def test_tell_of_events_that_fit_and_of_their_end(
        self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet
    ) -> None:
        keeper, other = wallet.deploy(KEEPER), wallet.deploy(KEEPER)
        subscriptions.subscribe("logs", {"address": text(keeper), "topics": [word(7)]})
        wallet.send(to=other)
        wallet.send(to=keeper)
        wallet.node.listeners.tell(Removed(past(wallet, 4)))
        loop.run()
        events = [found for _, found in told(subscriptions, 2)]
        assert [one["blockNumber"] for one in events] == ["0x4", "0x4"]
        assert [one["removed"] for one in events] == [False, True]

    def test_tell_of_transactions(
        self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet
    ) -> None:
        name = subscriptions.subscribe("newPendingTransactions")
        sent = ask(wallet.node, "eth_sendRawTransaction", text(wallet.sign(nonce=3)))
        loop.run()
        assert told(subscriptions, 1) == [(name, sent)]

    def test_end_one_by_one(self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet) -> None:
        first, second = (subscriptions.subscribe("newHeads") for _ in range(2))
        assert subscriptions.unsubscribe(first)
        wallet.send()
        loop.run()
        assert [name for name, _ in told(subscriptions, 1)] == [second]
        with pytest.raises(RpcFault, match="subscription not found"):
            subscriptions.unsubscribe(first)

    def test_take_no_time_from_whoever_makes_blocks(
        self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet
    ) -> None:
        wallet.send()
        assert loop.calls == []
        subscriptions.subscribe("newHeads")
        wallet.send()
        assert len(loop.calls) == 2

    def test_do_not_mind_a_loop_that_ended(
        self, subscriptions: Subscriptions, loop: Loop, wallet: Wallet
    ) -> None:
        subscriptions.subscribe("newHeads")
        loop.closed = True
        wallet.send()
        wallet.send()
        assert loop.calls == []

    def test_end_all_when_too_much_waits(
        self,
        subscriptions: Subscriptions,
        loop: Loop,
        wallet: Wallet,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_WAITING", 2)
        subscriptions.subscribe("newHeads")
        for _ in range(2):
            wallet.send()
        loop.run()
        assert not subscriptions.over.is_set()
        wallet.send()
        loop.run()
        assert subscriptions.over.is_set()
        before = len(loop.calls)
        wallet.send()
        assert len(loop.calls) == before

    def test_are_so_many_at_most(
        self, subscriptions: Subscriptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MAX_SUBSCRIPTIONS", 1)
        subscriptions.subscribe("newHeads")
        with pytest.raises(RpcFault, match="too many subscriptions"):
            subscriptions.subscribe("newHeads")

    def test_have_the_kinds_that_there_are(self, subscriptions: Subscriptions) -> None:
        with pytest.raises(RpcFault, match='no "blocks" subscription in eth namespace') as caught:
            subscriptions.subscribe("blocks")
        assert caught.value.number == -32601
        for kind, wanted in ((5, None), ("logs", 5), ("logs", []), ("logs", {"address": 5})):
            with pytest.raises(RpcFault) as wrong:
                subscriptions.subscribe(kind, wanted)  # type: ignore[arg-type]
            assert wrong.value.number == -32602
