"""
Let somebody set the wall clock: back and forward, a little and a lot.

Whatever it says, no entry stands more than a few seconds before one that was written earlier, a
clock that would have it so is refused by name, and each hold ends once.
"""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from sqlalchemy import Engine, select

from ledger.accounts import world
from ledger.clock import STEP_BACK_MAX_S, ClockBehindError, SteadyClock
from ledger.store import LedgerStore, Posted
from ledger.tables import entry
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds
from scripts.campaigns.books.databases import Databases, open_alone
from scripts.campaigns.books.kills import LedgerLostError
from scripts.campaigns.books.requests import DRIVERS, METERS

_BEGIN_S: Final = UnixSeconds(1_494_230_400)
_JUMPS_S: Final = (-3_600, -60, -7, -6, -1, 0, 0, 1, 1, 2, 30, 3_600)
_MENDED: Final = 0.5
_HELD: Final = 5

BOOK: Final = LedgerStore()


@dataclass(slots=True)
class Clocks:
    """What a campaign came to."""

    steps: int = 0
    """How often the clock was read for a request."""
    refused: int = 0
    """How often it stood too far back."""
    expired: int = 0
    """Holds that ended by themselves, each once."""


class Wall:
    """A wall clock that somebody sets."""

    def __init__(self, at_s: UnixSeconds) -> None:
        self.at_s = at_s

    def now_s(self) -> UnixSeconds:
        """Return what it was set to, in Unix seconds."""
        return self.at_s


def turn_clocks(databases: Databases, *, steps: int, seed: int) -> Clocks:
    """
    Set the clock ``steps`` times, and post after each.

    Raises
    ------
    LedgerLostError
        If an entry stands well before an earlier one, a hold ends twice, or a law breaks.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    done = Clocks()
    engine, lease = open_alone(databases.new())
    wall = Wall(_BEGIN_S)
    while done.steps < steps:
        _step(engine, wall, dice, done)
    with engine.begin() as connection:
        report = BOOK.replay(connection)
        instants = connection.execute(select(entry.c.at_s).order_by(entry.c.seq)).scalars().all()
    lease.release()
    engine.dispose()
    broken = report.log or report.balances or report.holds
    back_s = max(
        newest - at for newest, at in zip(accumulate(instants, max), instants, strict=True)
    )
    if broken or back_s > STEP_BACK_MAX_S:
        raise LedgerLostError(f"after the clock was turned: {broken}, an entry {back_s} s back")
    return done


def _step(engine: Engine, wall: Wall, dice: random.Random, done: Clocks) -> None:
    """Set the clock, hold a little for a while, and end what is over."""
    done.steps += 1
    wall.at_s = UnixSeconds(wall.at_s + dice.choice(_JUMPS_S))
    with engine.begin() as connection:
        newest_s = BOOK.newest_s(connection)
        try:
            # As a service that was just opened, and so knows only what was written.
            now_s = SteadyClock(wall, newest_s).now_s()
        except ClockBehindError as fault:
            if wall.at_s >= newest_s - STEP_BACK_MAX_S:
                raise LedgerLostError(f"the clock was near enough: {fault}") from fault
            done.refused += 1
            if dice.random() < _MENDED:
                wall.at_s = newest_s
            return
        for outcome in BOOK.expire_due(connection, at_s=now_s):
            if not isinstance(outcome, Posted):
                raise LedgerLostError(f"a hold could not end: {outcome}")
            done.expired += 1
        hold = _hold(f"{done.steps}", UnixSeconds(now_s + dice.randint(1, 60)))
        BOOK.submit(connection, (_deposit(f"{done.steps}"), hold), at_s=now_s).unwrap()


def _deposit(name: str) -> Transfer:
    return Transfer(
        id=TransferId(f"deposit/{name}"),
        kind=Kind.POSTED,
        debit=world(),
        credit=DRIVERS[0],
        amount=_HELD,
        code="clock",
        trace_id=name,
    )


def _hold(name: str, expires_s: UnixSeconds) -> Transfer:
    return Transfer(
        id=TransferId(f"hold/{name}"),
        kind=Kind.PENDING,
        debit=DRIVERS[0],
        credit=METERS[0],
        amount=_HELD,
        code="clock",
        trace_id=name,
        expires_s=expires_s,
    )
