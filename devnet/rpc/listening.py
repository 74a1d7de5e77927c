"""
Tell clients what happens: filters that they ask again and again, and subscriptions on a websocket.

Everything is bounded: a filter that nobody asks expires, and one that is full, or a websocket that
reads too slowly, ends. Whoever tells of a block is its maker's thread, with all others waiting: so
what happened is only noted then, and written when it goes out.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary

from devnet.engine.blocks import Block
from devnet.node.chain import Devnet
from devnet.node.listening import Happening, NewBlock, PendingTransaction, Removed
from devnet.rpc import params, views
from devnet.rpc.errors import METHOD_NOT_FOUND, SERVER, Method, RpcFault, bad_param
from devnet.rpc.params import Json
from devnet.store.history import LogEntry
from devnet.store.storage import fits

_MAX_FILTERS: Final = 1_000
_MAX_KEPT: Final = 10_000
_MAX_WAITING: Final = 20_000  # as in geth
_EXPIRES_S: Final = 300
_MAX_SUBSCRIPTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Interest:
    """What one filter or subscription is about."""

    pick: Callable[[Happening], Sequence[Any]]
    """Finds what there is of it in a happening."""
    write: Callable[[Any], Any]
    """Writes one of these as JSON."""


@dataclass(slots=True)
class _Filter:
    """What one client waits for."""

    interest: Interest
    wanted: Json
    asked_s: float
    found: deque[Any] = field(default_factory=deque)


class Filters:
    """The filters of one node."""

    def __init__(self, devnet: Devnet, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; they expire by ``now_s``."""
        self._filters: Final[dict[str, _Filter]] = {}
        self._now_s = now_s
        self._next = 1
        self._lock = Lock()
        devnet.listeners.add(self._hear)

    def add(self, interest: Interest, wanted: Json = None) -> str:
        """
        Make a filter and return its name.

        Parameters
        ----------
        wanted
            What a filter of events was asked for with.

        Raises
        ------
        RpcFault
            If there are too many.
        """
        with self._lock:
            self._expire()
            if len(self._filters) >= _MAX_FILTERS:
                raise RpcFault(SERVER, "too many filters")
            name = views.quantity(self._next)
            self._next += 1
            self._filters[name] = _Filter(interest, wanted, self._now_s())
            return name

    def take(self, name: Json) -> list[Any]:
        """Return what a filter found since it was asked last."""
        with self._lock:
            one = self._filter(name)
            found, one.found = one.found, deque()
        return [one.interest.write(each) for each in found]

    def wanted(self, name: Json) -> Json:
        """Return what a filter of events was made from."""
        with self._lock:
            return self._filter(name).wanted

    def remove(self, name: Json) -> bool:
        """Take a filter away; say whether it was there."""
        with self._lock:
            return self._filters.pop(str(name), None) is not None

    def _filter(self, name: Json) -> _Filter:
        self._expire()
        one = self._filters.get(str(name))
        if one is None:
            raise RpcFault(SERVER, "filter not found")
        one.asked_s = self._now_s()
        return one

    def _expire(self) -> None:
        now_s = self._now_s()
        for name, one in tuple(self._filters.items()):
            if now_s - one.asked_s > _EXPIRES_S:
                del self._filters[name]

    def _hear(self, happening: Happening) -> None:
        with self._lock:
            self._expire()
            for name, one in tuple(self._filters.items()):
                one.found.extend(one.interest.pick(happening))
                if len(one.found) > _MAX_KEPT:
                    del self._filters[name]


class Subscriptions:
    """The subscriptions of one websocket."""

    def __init__(self, devnet: Devnet, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with none."""
        self._devnet = devnet
        self._loop = loop
        self._interests: Final[dict[str, Interest]] = {}
        self._next = 1
        self._waiting: Final[deque[tuple[str, Interest, Any]]] = deque()
        self._woken: Final = asyncio.Event()
        self.over: Final = asyncio.Event()
        """Set when nobody is told any more: at the end, or because too much waits."""
        self._leave = devnet.listeners.add(self._hear)

    def close(self) -> None:
        """Listen no more."""
        self._leave()
        self._interests.clear()
        self._waiting.clear()
        self.over.set()

    def subscribe(self, kind: Json, wanted: Json = None) -> str:
        """
        Begin to tell about ``newHeads``, ``logs`` or ``newPendingTransactions``.

        Raises
        ------
        RpcFault
            If there is no such kind, or there are too many.
        """
        if len(self._interests) >= _MAX_SUBSCRIPTIONS:
            raise RpcFault(SERVER, "too many subscriptions")
        interest = _interest_in(self._devnet, kind, wanted)
        name = f"0x{self._next:032x}"
        self._next += 1
        self._interests[name] = interest
        return name

    def unsubscribe(self, name: Json) -> bool:
        """
        Tell no more.

        Raises
        ------
        RpcFault
            If there is no such subscription.
        """
        if self._interests.pop(str(name), None) is None:
            raise RpcFault(SERVER, "subscription not found")
        return True

    async def next(self) -> tuple[str, Any]:
        """Return the next subscription's name with what happened, when something does."""
        while not self._waiting:
            self._woken.clear()
            await self._woken.wait()
        name, interest, found = self._waiting.popleft()
        return name, interest.write(found)

    def _hear(self, happening: Happening) -> None:
        # The loop may end while the chain goes on.
        if self._interests and not self._loop.is_closed():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._note, happening)

    def _note(self, happening: Happening) -> None:
        for name, interest in tuple(self._interests.items()):
            self._waiting.extend((name, interest, one) for one in interest.pick(happening))
        if len(self._waiting) > _MAX_WAITING:
            # Whoever does not read is left alone; what waits must not grow.
            self.close()
        self._woken.set()


def _interest_in(devnet: Devnet, kind: Json, wanted: Json) -> Interest:
    if not isinstance(kind, str):
        raise bad_param(0, "a subscription has a name")
    if kind == "newHeads":
        return _HEADS
    if kind == "newPendingTransactions":
        return _PENDING
    if kind == "logs":
        return _logs(devnet, {} if wanted is None else wanted, 1)
    raise RpcFault(METHOD_NOT_FOUND, f'no "{kind}" subscription in eth namespace')


def _blocks(happening: Happening) -> tuple[Block, ...]:
    return (happening.past.block,) if isinstance(happening, NewBlock) else ()


def _arrived(happening: Happening) -> tuple[bytes, ...]:
    return (happening.hash,) if isinstance(happening, PendingTransaction) else ()


def _logs(devnet: Devnet, wanted: Json, index: int) -> Interest:
    if not isinstance(wanted, dict):
        raise bad_param(index, "a filter is an object")
    rest: Json = {name: wanted[name] for name in ("address", "topics") if name in wanted}
    read = params.log_filter(devnet, rest, index)

    def pick(happening: Happening) -> list[tuple[LogEntry, bool]]:
        if not isinstance(happening, NewBlock | Removed):
            return []
        removed = isinstance(happening, Removed)
        return [
            (entry, removed)
            for outcome in happening.past.outcomes
            for entry in outcome.logs
            if fits(entry, read.addresses, read.topics)
        ]

    return Interest(pick, lambda found: views.log(found[0], removed=found[1]))


_HEADS: Final = Interest(_blocks, lambda found: views.header(found.hash, found.header))
_HASHES: Final = Interest(_blocks, lambda found: views.data(found.hash))
_PENDING: Final = Interest(_arrived, views.data)

_FILTERS: Final[WeakKeyDictionary[Devnet, Filters]] = WeakKeyDictionary()
_MAKING: Final = Lock()


def _filters(devnet: Devnet) -> Filters:
    with _MAKING:
        found = _FILTERS.get(devnet)
        if found is None:
            found = _FILTERS[devnet] = Filters(devnet)
        return found


def _new_filter(devnet: Devnet, wanted: Json) -> str:
    return _filters(devnet).add(_logs(devnet, wanted, 0), wanted)


def _new_block_filter(devnet: Devnet) -> str:
    return _filters(devnet).add(_HASHES)


def _new_pending_filter(devnet: Devnet) -> str:
    return _filters(devnet).add(_PENDING)


def _changes(devnet: Devnet, name: Json) -> list[Any]:
    return _filters(devnet).take(name)


def _all_logs(devnet: Devnet, name: Json) -> list[Any]:
    wanted = _filters(devnet).wanted(name)
    if wanted is None:
        raise RpcFault(SERVER, "filter not found")
    read = params.log_filter(devnet, wanted, 0)
    found = devnet.logs(read.first, read.last, read.addresses, read.topics)
    return [views.log(entry) for entry in found]


def _remove(devnet: Devnet, name: Json) -> bool:
    return _filters(devnet).remove(name)


METHODS: Final[dict[str, Method]] = {
    "eth_newFilter": Method(_new_filter, 1, 1),
    "eth_newBlockFilter": Method(_new_block_filter, 0, 0),
    "eth_newPendingTransactionFilter": Method(_new_pending_filter, 0, 0),
    "eth_getFilterChanges": Method(_changes, 1, 1),
    "eth_getFilterLogs": Method(_all_logs, 1, 1, is_heavy=True),
    "eth_uninstallFilter": Method(_remove, 1, 1),
}
"""What this module answers."""
