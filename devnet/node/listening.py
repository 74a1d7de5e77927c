"""Tell whoever listens what happened to the chain, after it is durable."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from devnet.store.history import Past


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block was added."""

    past: Past
    """The block with its outcomes."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A block is no longer part of the chain."""

    past: Past
    """The block with its outcomes."""


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """A transaction came into the pool."""

    hash: bytes
    """Its hash."""


Happening = NewBlock | Removed | PendingTransaction
Listener = Callable[[Happening], None]


class Listeners:
    """Who listens; called on the thread where it happened, so they only take note."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: Final[dict[int, Listener]] = {}
        self._next = 0
        self._lock = Lock()

    def __bool__(self) -> bool:
        """Say whether anybody listens."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` from now on, until what is returned is called."""
        with self._lock:
            key = self._next
            self._next += 1
            self._listeners[key] = listener

        def leave() -> None:
            self._listeners.pop(key, None)

        return leave

    def tell(self, happening: Happening) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners.values()):
            listener(happening)
