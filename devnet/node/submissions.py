"""What a node says of what it took in, and why it takes no more."""

from concurrent.futures import Future
from dataclasses import dataclass

from ledger.errors import Integrity, WrongState


class DevnetClosedError(WrongState):
    """The node was closed."""

    def __init__(self) -> None:
        super().__init__("devnet_closed", "the node is closed")


class MinerEndedError(Integrity):
    """The miner's thread ended by a fault in the node; the log says which."""

    def __init__(self) -> None:
        super().__init__("miner_ended", "the node makes no more blocks; its log says why")


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction that was accepted."""

    hash: bytes
    """Its hash."""
    mined: "Future[None]"
    """Done when its block is on disk; fails if it was dropped."""
    at_once: bool
    """Whether the next block can hold it and is being made."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the chain to go back to."""

    number: int
    """The newest block then."""
    steps: int
    """How many changes of its state there were: its own, and those by hand."""
