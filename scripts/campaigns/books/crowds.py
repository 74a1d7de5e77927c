"""Let crowds ask for the same thing: one request many times at once, one hold by 64 threads."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import Engine

from ledger.accounts import world
from ledger.clock import ReplayClock
from ledger.store import LedgerStore, Posted
from ledger.store.batch import Group, Outcome
from ledger.store.writer import Writer
from ledger.transfers import Kind, Transfer, TransferId
from scripts.campaigns.books.databases import Databases, open_alone
from scripts.campaigns.books.kills import LedgerLostError
from scripts.campaigns.books.requests import AT_S, DRIVERS, METERS, Requests

_THREADS: Final = 64
_COPIES_MAX: Final = 50
_HELD: Final = 1_000

BOOK: Final = LedgerStore()


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a crowd came to."""

    requests: int
    """Different things asked for."""
    sent: int
    """How often all of them were asked for."""


def send_copies(databases: Databases, *, requests: int, seed: int) -> Crowd:
    """
    Send each request 2 to 50 times at once, and once more after the ledger was opened again.

    Raises
    ------
    LedgerLostError
        If one has two effects, or two answers.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    address, sent = databases.new(), 0
    engine, lease = open_alone(address)
    groups = list(dict.fromkeys(islice(Requests(seed, "crowd"), requests)))
    answers: list[Outcome] = []
    with (
        Writer(engine, ReplayClock(AT_S), book=BOOK) as writer,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        for group in groups:
            copies = dice.randint(2, _COPIES_MAX)
            found = list(threads.map(writer.submit, [group] * copies))
            sent += copies
            answers.append(_same(group, found))
    size = _size(engine)
    lease.release()
    engine.dispose()
    engine, lease = open_alone(address)
    for group, first in zip(groups, answers, strict=True):
        with engine.begin() as connection:
            again = BOOK.submit(connection, group, at_s=AT_S)
        sent += 1
        _same(group, [first, again])
    if _size(engine) != size:
        raise LedgerLostError("a request that came again after opening was written again")
    lease.release()
    engine.dispose()
    return Crowd(len(groups), sent)


def fight_for_holds(databases: Databases, *, rounds: int, seed: int) -> Crowd:
    """
    Let 64 threads post and void one hold at once, again and again.

    Raises
    ------
    LedgerLostError
        If a hold is resolved other than once, or more is moved than was held.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    engine, lease = open_alone(databases.new())
    with (
        Writer(engine, ReplayClock(AT_S), book=BOOK) as writer,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        for number in range(rounds):
            hold = _transfer(f"hold/{number}", Kind.PENDING, _HELD)
            writer.submit((_deposit(number),)).unwrap()
            writer.submit((hold,)).unwrap()
            tries = [
                (_resolution(hold, f"{number}/{one}", dice.choice((0, dice.randint(1, _HELD)))),)
                for one in range(_THREADS)
            ]
            found = list(threads.map(writer.submit, tries))
            if sum(isinstance(one, Posted) for one in found) != 1:
                raise LedgerLostError(f"hold {number} was not resolved exactly once")
    with engine.begin() as connection:
        balance = BOOK.balance(connection, DRIVERS[0])
        report = BOOK.replay(connection)
    lease.release()
    engine.dispose()
    if balance.debits_pending or report.log or report.balances or report.holds:
        raise LedgerLostError(f"after the fight {balance} and {report}")
    return Crowd(rounds, rounds * _THREADS)


def _same(group: Group, found: Sequence[Outcome]) -> Outcome:
    """Return the one answer that everybody got."""
    first = found[0]
    told = {
        (one.transfers, one.balances) if isinstance(one, Posted) else (one.fault.code,)
        for one in found
    }
    fresh = sum(isinstance(one, Posted) and not one.replayed for one in found)
    if len(told) != 1 or fresh > 1:
        raise LedgerLostError(f"{group[0].id} was answered {told}, {fresh} times as new")
    return first


def _size(engine: Engine) -> int:
    with engine.begin() as connection:
        return BOOK.root(connection)[0]


def _deposit(number: int) -> Transfer:
    return Transfer(
        id=TransferId(f"deposit/{number}"),
        kind=Kind.POSTED,
        debit=world(),
        credit=DRIVERS[0],
        amount=_HELD,
        code="deposit",
        trace_id=f"{number}",
    )


def _transfer(name: str, kind: Kind, amount: int, hold: Transfer | None = None) -> Transfer:
    return Transfer(
        id=TransferId(name),
        kind=kind,
        debit=DRIVERS[0],
        credit=METERS[0],
        amount=amount,
        code="hold",
        trace_id=name,
        pending_id=hold.id if hold else None,
    )


def _resolution(hold: Transfer, name: str, amount: int) -> Transfer:
    return _transfer(name, Kind.POST if amount else Kind.VOID, amount, hold)
