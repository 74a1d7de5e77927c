"""
What goes wrong inside the service, and when: one fault at a time, at a point counted down to.

Points are the SQL statements, the commits and the questions to the node. The dice say which fault
and how many points later, so a seed says everything.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from scripts.campaigns.simulator.world.disk import Disk, Image, torn


class Fault(StrEnum):
    """What can go wrong inside the service."""

    CRASH_AT_STATEMENT = "crash_at_statement"
    """The power goes before an SQL statement."""
    CRASH_BEFORE_COMMIT = "crash_before_commit"
    """The power goes when all is written and nothing is committed."""
    TORN_COMMIT = "torn_commit"
    """The power goes while a commit is on its way to the disk; a part of it is there."""
    CRASH_AFTER_COMMIT = "crash_after_commit"
    """The power goes when a commit is on disk and nobody knows it yet."""
    CRASH_AT_QUESTION = "crash_at_question"
    """The power goes before a question to the node, or after it, before the answer is read."""
    CRASH_AT_SENDING = "crash_at_sending"
    """The power goes before signed bytes are given to the node, or before it answers."""
    SENDING_UNANSWERED = "sending_unanswered"
    """The node takes signed bytes, and its answer is lost."""
    QUESTION_LOST = "question_lost"
    """A question does not reach the node."""
    ANSWER_LOST = "answer_lost"
    """The node does what it was asked, and the answer is lost."""
    NODE_DOWN = "node_down"
    """The node answers nothing for some steps."""


class PowerCut(BaseException):
    """The power went; no handler of the service may hear of it."""


_AT_STATEMENT: Final = {Fault.CRASH_AT_STATEMENT}
_AT_COMMIT: Final = {Fault.CRASH_BEFORE_COMMIT, Fault.TORN_COMMIT, Fault.CRASH_AFTER_COMMIT}
_WITHIN: Final = {
    **dict.fromkeys(_AT_STATEMENT, 60),
    **dict.fromkeys(_AT_COMMIT, 4),
    Fault.CRASH_AT_QUESTION: 12,
    Fault.CRASH_AT_SENDING: 3,
    Fault.SENDING_UNANSWERED: 2,
    Fault.QUESTION_LOST: 6,
    Fault.ANSWER_LOST: 6,
    Fault.NODE_DOWN: 4,
}
_DOWN_STEPS: Final = 6
_SENDING: Final = "eth_sendRawTransaction"


class Faults:
    """The points of one simulation, and the fault that waits for one of them."""

    def __init__(self, disk: Disk, dice: Random) -> None:
        self.counted: Final[Counter[str]] = Counter()
        """Faults that happened, by kind."""
        self.points: Final[Counter[str]] = Counter()
        """Points passed, by kind."""
        self._disk: Final = disk
        self._dice: Final = dice
        self._armed: Fault | None = None
        self._left = 0
        self._down_steps = 0

    def arm(self, fault: Fault) -> None:
        """Let ``fault`` happen at one of the next points of its kind, if that many come."""
        self._armed, self._left = fault, self._dice.randint(1, _WITHIN[fault])

    def disarm(self) -> None:
        """Let nothing go wrong, until something is armed again."""
        self._armed = None

    def pass_step(self) -> None:
        """Let a step of the simulation pass for a node that is down."""
        self._down_steps = max(0, self._down_steps - 1)

    def heal(self) -> None:
        """Let nothing go wrong and the node answer."""
        self._armed, self._down_steps = None, 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Stand at every statement and every commit of this simulation's database."""
        event.listen(Engine, "before_cursor_execute", self._at_statement)
        event.listen(Engine, "commit", self._at_commit)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._at_statement)
            event.remove(Engine, "commit", self._at_commit)

    def at_question(self, where: str) -> None:
        """
        Stand before or after a question to the node.

        Raises
        ------
        PowerCut
            If the power is to go here.
        ConnectionError
            If the question or its answer is to be lost here.
        """
        before = where.startswith("before")
        self.points[where] += 1
        if before and self._down_steps:
            raise ConnectionError("the node is down")
        if self._due(Fault.CRASH_AT_QUESTION):
            self._cut(Fault.CRASH_AT_QUESTION)
        if where.endswith(_SENDING):
            self._at_sending(before=before)
        if before and self._due(Fault.NODE_DOWN):
            self._down_steps = self._dice.randint(1, _DOWN_STEPS)
            self._happened(Fault.NODE_DOWN)
            raise ConnectionError("the node is down")
        lost = Fault.QUESTION_LOST if before else Fault.ANSWER_LOST
        if self._due(lost):
            self._happened(lost)
            raise ConnectionError(f"{where}: the connection broke")

    def _at_sending(self, *, before: bool) -> None:
        if self._due(Fault.CRASH_AT_SENDING):
            self._cut(Fault.CRASH_AT_SENDING)
        if not before and self._due(Fault.SENDING_UNANSWERED):
            self._happened(Fault.SENDING_UNANSWERED)
            raise ConnectionError("the connection broke after sending")

    def _at_statement(self, connection: Connection, *_: object) -> None:
        if self._is_ours(connection):
            self.points["statement"] += 1
            if self._due(Fault.CRASH_AT_STATEMENT):
                self._cut(Fault.CRASH_AT_STATEMENT)

    def _at_commit(self, connection: Connection) -> None:
        if not self._is_ours(connection):
            return
        self.points["commit"] += 1
        for fault in sorted(_AT_COMMIT):
            if self._due(fault):
                self._cut_commit(fault, connection)

    def _cut_commit(self, fault: Fault, connection: Connection) -> None:
        """Let the power go before, in the midst of, or right after a commit."""
        before = self._disk.image()
        if fault is Fault.CRASH_BEFORE_COMMIT:
            self._cut(fault)
        is_whole = fault is Fault.CRASH_AFTER_COMMIT
        raw: Any = connection.connection.dbapi_connection
        raw.commit()
        after = self._disk.image()
        self._cut(fault, after if is_whole else torn(before, after, self._dice))

    def _due(self, fault: Fault) -> bool:
        if self._armed is not fault:
            return False
        self._left -= 1
        return self._left == 0

    def _happened(self, fault: Fault) -> None:
        self.counted[fault] += 1
        self._armed = None

    def _cut(self, fault: Fault, left: Image | None = None) -> None:
        self._happened(fault)
        self._disk.power_cut(left)
        raise PowerCut

    def _is_ours(self, connection: Connection) -> bool:
        return str(connection.engine.url.database).startswith(str(self._disk.root))
