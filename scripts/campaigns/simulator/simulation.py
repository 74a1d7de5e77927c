"""
Play one seed: steps at random, faults at random, and a comparison with the model after each.

Everything that could differ from run to run follows from the seed: the dice, the clock, the keys,
the instant of every block. The trace says so; two runs of a seed have the same.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Final, Self

from pydantic import ValidationError
from sqlalchemy import Connection, select

from ledger.clock import ReplayClock
from ledger.errors import Integrity, VoisinError
from scripts.campaigns.simulator.acting import Actors
from scripts.campaigns.simulator.comparison import compare_books, compare_chain
from scripts.campaigns.simulator.faults import Fault, Faults, PowerCut
from scripts.campaigns.simulator.following import DivergedError, Follower
from scripts.campaigns.simulator.meddling import Meddlers
from scripts.campaigns.simulator.world.chain import Wire, WiredGateway
from scripts.campaigns.simulator.world.disk import Disk
from scripts.campaigns.simulator.world.field import Field
from scripts.campaigns.simulator.world.hands import Hands
from scripts.campaigns.simulator.world.setting import BEGIN_S
from scripts.campaigns.simulator.world.template import (
    Manner,
    begin,
    open_service,
    places_of,
    settlement_of,
    template,
)
from settlement.audit.laws import check_laws
from settlement.audit.reconciliation.breaks import Break
from settlement.audit.reconciliation.reconciler import Reconciler
from settlement.engine.finality import advance
from settlement.engine.restart.protocol import WritesClosedError
from settlement.engine.service import Service
from settlement.tables import session

_FAULT_CHANCE: Final = 0.4
_REST_EVERY: Final = 50
_ROUNDS: Final = 40
_DEPTHS: Final = (0, 0, 1, 3)
_PAST_DEADLINES_S: Final = 7 * 3_600


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one seed."""

    seed: int
    """The seed."""
    asked: int
    """Steps asked for."""
    steps: int
    """Steps taken, up to the first difference."""
    counted: Counter[str]
    """What went wrong on purpose, by kind, and what was refused, by code."""
    trace: str
    """Hash over everything that was done and seen."""
    difference: str | None
    """The first difference, or None."""


class Simulation:
    """One seed, from the evening before to its end."""

    def __init__(self, seed: int) -> None:
        self.taken = 0
        """Steps taken."""
        self.dice: Final = Random(seed)  # noqa: S311 - dice, not secrets
        settlement = settlement_of(seed)
        self.manner: Final = Manner(settlement, self.dice.choice(_DEPTHS))
        self.disk: Final = Disk(template(settlement).disk)
        self.clock: Final = ReplayClock(BEGIN_S)
        self.node: Final = begin(self.disk, self.clock, settlement)
        self.faults: Final = Faults(self.disk, self.dice)
        self.counted: Final = self.faults.counted
        self._gateway: Final = WiredGateway(Wire(self.node, self.faults.at_question))
        self._trace: Final = hashlib.sha256()
        self._service: Service | None = self._opened()
        self._reconciler: Reconciler | None = None
        service = self._service
        self.field: Final = Field(self.dice, places_of(service).community_domain)
        self.hands: Final = Hands(self.node, service.contracts, self.dice)
        self.follower: Final = Follower(
            self.node, service.contracts, service.outbox.address, self.field.ended
        )
        self.actors: Final = Actors(
            self.dice, self.clock, self.field, places_of(service), self.counted
        )
        self.meddlers: Final = Meddlers(
            self.node, self.hands, self.field, self.dice, self.counted, self.manner.depth
        )
        self._moves: Final = self._all_moves()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close the node and delete the disk."""
        self._forget()
        self.node.close()
        self.disk.remove()

    @property
    def trace(self) -> str:
        """Hash over everything that was done and seen so far."""
        return self._trace.hexdigest()

    def step(self) -> None:
        """
        Do one thing, with or without a fault, and compare.

        Raises
        ------
        Integrity
            If the service stopped itself, or the model says something else.
        """
        self.taken += 1
        self.faults.pass_step()
        names, weights = [*self._moves], [weight for weight, _ in self._moves.values()]
        name = self.dice.choices(names, weights)[0]
        if self.dice.random() < _FAULT_CHANCE:
            self.faults.arm(self.dice.choice([*Fault]))
        said = self._try(self._moves[name][1])
        self.faults.disarm()
        self._note(f"{name} {said}")
        self.compare()

    def compare(self) -> None:
        """Compare the books with the model, if the service runs."""
        service = self._service
        if service is not None:
            compare_books(service, self.follower)
            report = None if self._reconciler is None else self._reconciler.report
            self._check_breaks(() if report is None else report.breaks)
            with service.reading() as connection:
                size, root = service.book.root(connection)
            self._note(f"{size} {root.hex()} {self.node.devnet.head_hash}")

    def rest(self) -> None:
        """
        Let nothing go wrong until nothing is left to do; then compare storage too.

        Raises
        ------
        DivergedError
            If it does not come to rest, or something differs.
        """
        self.faults.heal()
        self.node.is_slow = False
        service = self._running()
        rounds, waiting = 0, True
        while waiting:
            self.node.mine_pool()
            self.node.devnet.mine(self.manner.depth + 1)
            waiting = bool(advance(service))
            rounds += 1
            if waiting and rounds == _ROUNDS:
                raise DivergedError("intents wait for ever")
        self.compare()
        compare_chain(service, self.follower.model)
        self._check_breaks(self._reconciler_of(service).everything().breaks)

    def finish(self) -> None:
        """
        Deliver every letter, let every deadline pass, and check every law.

        Raises
        ------
        DivergedError
            If something differs or a law is broken.
        """
        self.rest()
        service = self._running()
        for _ in range(_ROUNDS):
            for kind in ("slice", "readings", "stop"):
                letters = [one for one in self.field.letters if one.kind == kind]
                self.actors.bring(service, letters)
            if not self.field.letters:
                break
        self.rest()
        self.actors.wait(_PAST_DEADLINES_S)
        self.actors.tick(service)
        self.rest()
        self.actors.ask_everything_again(service)
        with service.reading() as connection:
            states = set(connection.execute(select(session.c.state).distinct()).scalars())
        if not states <= {"closed", "expired", "refused"}:
            raise DivergedError(f"sessions are still {states}")
        self._check_laws(service)

    def _check_laws(self, service: Service) -> None:
        def durable(_service: Service, connection: Connection) -> str | None:
            waiting = len(service.outbox.outstanding(connection))
            return f"{waiting} intents are not final" if waiting else None

        for law, fault in check_laws(service, durable).items():
            if fault is not None:
                raise DivergedError(f"{law}: {fault}")
        root = self._root(service)
        self.disk.power_cut()
        self._forget()
        if self._root(self._running()) != root:
            raise DivergedError("L11: after a power cut the log is another")

    def _root(self, service: Service) -> tuple[int, bytes]:
        with service.reading() as connection:
            report = service.book.replay(connection)
            if report.balances or report.holds or report.log:
                raise DivergedError(f"replay: {report}")
            return service.book.root(connection)

    def _try(self, move: Callable[[Service], None]) -> str:
        """Make a move; what the service may refuse is counted."""
        try:
            service = self._running()
            move(service)
            # As at the desk: what moved is reconciled after every work, before the next.
            self._reconciler_of(service).after()
        except PowerCut:
            self._forget()
            return "power cut"
        except ValidationError:
            return "unreadable"
        except VoisinError as fault:
            if isinstance(fault, Integrity | WritesClosedError) and not fault.transient:
                raise
            self.counted[f"refused_{fault.code}"] += 1
            return fault.code
        return "done"

    def _running(self) -> Service:
        """Return the service, started again if the power went."""
        if self._service is None:
            self._service = self._opened()
        return self._service

    def _opened(self) -> Service:
        return open_service(self.disk.here, self._gateway, self.clock, self.manner)

    def _reconciler_of(self, service: Service) -> Reconciler:
        """Return what compares the books of this life with meters and chain."""
        if self._reconciler is None:
            self._reconciler = Reconciler(service)
        return self._reconciler

    def _check_breaks(self, breaks: Sequence[Break]) -> None:
        for one in breaks:
            raise DivergedError(f"break {one.equation} {one.subject}: {one.ledger}, {one.other}")

    def _forget(self) -> None:
        """Throw away everything that the service had in memory."""
        service, self._service, self._reconciler = self._service, None, None
        if service is not None:
            service.close()

    def _note(self, said: str) -> None:
        self._trace.update(said.encode() + b"\n")

    def _all_moves(self) -> dict[str, tuple[int, Callable[[Service], None]]]:
        """Return every move with its weight."""
        actors, hands, meddlers, dice = self.actors, self.hands, self.meddlers, self.dice
        return {
            "deliver": (12, actors.deliver),
            "deliver_all": (8, actors.deliver_all),
            "tick": (12, actors.tick),
            "open": (8, actors.open),
            "plug": (10, actors.plug),
            "unplug": (6, actors.unplug),
            "wait": (8, lambda _: actors.wait(dice.randint(1, 600))),
            "wait_long": (5, lambda _: actors.wait(dice.randint(600, 5_000))),
            "jump": (1, self._jump),
            "open_again": (3, actors.open_again),
            "deliver_again": (3, actors.deliver_again),
            "set_limits": (2, actors.set_limits),
            "join": (1, actors.join),
            "ask_again": (2, actors.ask_again),
            "use_purse": (2, lambda _: hands.use_purse()),
            "collect": (2, lambda _: hands.collect()),
            "change_membership": (4, lambda _: hands.change_membership()),
            "close_first": (2, meddlers.close_first),
            "expire_first": (3, meddlers.expire_first),
            "open_past": (1, meddlers.open_past),
            "top_up": (2, meddlers.top_up),
            "mine": (3, lambda _: meddlers.mine()),
            "slow_down": (2, lambda _: meddlers.slow_down()),
            "drop_pool": (2, lambda _: meddlers.drop_pool()),
            "reorganize": (6, lambda _: meddlers.reorganize()),
            "rest": (1, lambda _: self.rest()),
        }

    def _jump(self, _service: Service) -> None:
        self.counted["clock_jump"] += 1
        self.actors.wait(self.dice.randint(2 * 3_600, 10 * 3_600))


class _Ending:
    """Takes down what ends a simulation before its time, a fault of any kind."""

    def __init__(self) -> None:
        self.difference: str | None = None

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        """Keep what a fault says; let through what is none, an interrupt for one."""
        if isinstance(fault, VoisinError):
            self.difference = f"{fault.code}: {fault}"
        elif isinstance(fault, Exception):
            self.difference = f"{type(fault).__name__}: {fault}"
        return self.difference is not None


def play(seed: int, steps: int) -> Outcome:
    """Play ``steps`` steps of a seed, come to rest, and check every law."""
    ending = _Ending()
    with Simulation(seed) as one, one.faults.watching():
        with ending:
            for _ in range(steps):
                one.step()
            one.finish()
        return Outcome(seed, steps, one.taken, one.counted, one.trace, ending.difference)
