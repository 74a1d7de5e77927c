"""
Kill the process that writes, again and again, and look at what is left.

Half of the kills come at any instant, the others at a named step of a transaction. Some of those on
PostgreSQL take the server along. After each, the ledger is opened, every acknowledged request must
be answered as it was, the unacknowledged ones are sent again, and everything is derived anew.
"""

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from time import sleep
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from ledger.clock import ReplayClock
from ledger.errors import Integrity
from ledger.store import LedgerStore, Posted
from ledger.store.batch import Group, Outcome
from ledger.store.replay import check_file, check_tail
from ledger.store.writer import Writer
from scripts.campaigns.books.databases import Databases, open_alone
from scripts.campaigns.books.requests import AT_S, Requests

STEPS: Final = (
    "begin",
    "entry",
    "node",
    "log_state",
    "transfer",
    "refused",
    "balance",
    "commit",
    "committed",
)
"""Where in a transaction a kill can be asked for: before each, and after the commit."""
_CALLERS: Final = 3
_KILLS_A_LEDGER: Final = 8
_ANY_INSTANT_US: Final = 120_000
_NTH_MAX: Final = 40
_US_PER_S: Final = 1_000_000
_CHILD_TIMEOUT_S: Final = 60
_AHEAD: Final = 3
_CRASHES: Final = 10

BOOK: Final = LedgerStore()


class LedgerLostError(Integrity):
    """A ledger came back from a fault without what it had acknowledged, or with another answer."""

    def __init__(self, what: str) -> None:
        super().__init__("ledger_lost", what)


@dataclass(slots=True)
class KillTally:
    """What a campaign came to."""

    kills: Counter[str] = field(default_factory=Counter)
    """By where they hit."""
    acknowledged: int = 0
    """Requests whose callers saw an outcome; each was found again, unchanged."""
    in_doubt: int = 0
    """Requests that stood although nobody had been told."""
    sent_again: int = 0
    """Requests that had to be sent again, and then stood once."""


def kill_ledgers(databases: Databases, *, kills: int, seed: int) -> KillTally:
    """
    Kill writers ``kills`` times; the seed decides requests, steps and instants.

    Raises
    ------
    LedgerLostError
        At the first thing lost, doubled or changed.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    tally = KillTally()
    address = databases.new()
    for number in range(kills):
        if number and number % _KILLS_A_LEDGER == 0:
            address = databases.new()
        step = dice.choice(STEPS) if number % 2 else None
        acknowledged = _kill_one(address, f"{seed}/{number}", step, dice)
        if dice.randrange(_CRASHES) == 0:
            databases.crash()
        tally.kills[step or "any instant"] += 1
        _judge(address, f"{seed}/{number}", acknowledged, tally)
    return tally


def _kill_one(
    address: str, name: str, step: str | None, dice: random.Random
) -> list[dict[str, Any]]:
    """Let a process write until it is killed; return what it had acknowledged."""
    nth = 1 if step == "node" else dice.randint(1, _NTH_MAX)
    wait_us = dice.randint(0, _ANY_INSTANT_US)
    received, sent = os.pipe()
    process = get_context("fork").Process(target=_write, args=(address, name, step, nth, sent))
    process.start()
    os.close(sent)
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.extend(_read(received)))
    reader.start()
    if step is None:
        sleep(wait_us / _US_PER_S)
        _kill(process)
    process.join(_CHILD_TIMEOUT_S)
    if process.is_alive():
        _kill(process)
        process.join()
    reader.join()
    return [json.loads(line) for line in b"".join(lines).split(b"\n")[:-1]]


def _kill(process: ForkProcess) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid or 0, signal.SIGKILL)


def _read(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as source:
        while chunk := source.read1():
            yield chunk


def _write(address: str, name: str, step: str | None, nth: int, answers: int) -> None:
    """Write with several callers and tell each acknowledgment; never returns by itself."""
    engine, _ = open_alone(address)
    if step is not None:
        _die_at(engine, step, nth)
    with Writer(engine, ReplayClock(AT_S), book=BOOK) as writer:
        callers = [
            threading.Thread(target=_call, args=(writer, name, number, answers))
            for number in range(_CALLERS)
        ]
        for one in callers:
            one.start()
        for one in callers:
            one.join()


def _call(writer: Writer, name: str, caller: int, answers: int) -> None:
    for number, group in enumerate(Requests(0, f"{name}/{caller}")):
        outcome = writer.submit(group)
        told = {"caller": caller, "number": number, "answer": _answer(outcome)}
        os.write(answers, json.dumps(told).encode() + b"\n")


def _answer(outcome: Outcome) -> list[Any]:
    """Return what a caller is told, as JSON keeps it; a replay must say the same."""
    if isinstance(outcome, Posted):
        return [[one.seq for one in outcome.transfers], [list(one) for one in outcome.balances]]
    return [outcome.fault.code, str(outcome.fault)]


def _die_at(engine: Engine, step: str, nth: int) -> None:
    """Let the process kill itself before the ``nth`` statement or commit of that kind."""
    left = nth

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_statement(_c: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f'INSERT INTO "{step}"'):
            strike()

    if step == "begin":
        event.listen(engine, "begin", lambda _: strike())
    elif step == "commit":
        event.listen(engine, "commit", lambda _: strike())
    elif step == "committed":
        event.listen(engine.pool, "checkin", lambda *_: strike())
    else:
        event.listen(engine, "before_cursor_execute", on_statement)


def _judge(
    address: str, name: str, acknowledged: Sequence[dict[str, Any]], tally: KillTally
) -> None:
    """Open what is left; answers must be the same, and the rest goes through once."""
    engine, lease = open_alone(address)
    try:
        with engine.begin() as connection:
            check_file(connection)
            check_tail(connection, 0)
        for caller in range(_CALLERS):
            told = {one["number"]: one["answer"] for one in acknowledged if one["caller"] == caller}
            groups = list(islice(Requests(0, f"{name}/{caller}"), len(told) + _AHEAD))
            if sorted(told) != list(range(len(told))):
                raise LedgerLostError(f"{name}/{caller} was told out of order")
            _send_again(engine, groups, told, tally)
        with engine.begin() as connection:
            report = BOOK.replay(connection)
    finally:
        lease.release()
        engine.dispose()
    broken = report.log or report.balances or report.holds
    if broken:
        raise LedgerLostError(f"after {name}: {broken}")


def _send_again(
    engine: Engine, groups: Sequence[Group], told: dict[int, Any], tally: KillTally
) -> None:
    """Ask again for everything that was answered, then for what was not."""
    before = _size(engine)
    with engine.begin() as connection:
        outcomes = BOOK.submit_many(connection, groups[: len(told)], at_s=AT_S)
    for number, outcome in enumerate(outcomes):
        if json.loads(json.dumps(_answer(outcome))) != told[number]:
            name = groups[number][0].id
            raise LedgerLostError(f"{name} was told {told[number]}, now {outcome}")
    if _size(engine) != before:
        raise LedgerLostError("what was acknowledged was written again")
    tally.acknowledged += len(told)
    for group in groups[len(told) :]:
        with engine.begin() as connection:
            BOOK.submit(connection, group, at_s=AT_S)
        size = _size(engine)
        tally.in_doubt += size == before
        tally.sent_again += size != before
        before = size


def _size(engine: Engine) -> int:
    with engine.begin() as connection:
        return BOOK.root(connection)[0]
