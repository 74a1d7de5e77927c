"""
Let what came at the same time share one commit and one delivery to the chain.

Every piece of work keeps a savepoint of its own: what is refused, or fails, undoes itself and
nothing else. Nothing of a turn is sent before all of it is committed, and nobody hears of an
outcome before that.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ledger.errors import VoisinError
from settlement.engine.finality import advance
from settlement.engine.service import Service, current_turn, turn

Work = Callable[[], object]

_PARCEL: Final = 50
"""Transactions in one request; of a closing's few kilobytes each, what any node takes."""


def deliver(service: Service, then: Callable[[], None]) -> None:
    """
    Deliver what waits for the chain, then do ``then``; in a turn both come at its end.

    Raises
    ------
    ChainUnavailable
        If the node does not answer; ``then`` is not done.
    Integrity
        If the chain or a law broke.
    """
    taking = current_turn()
    if taking is not None:
        taking.then.append(then)
        return
    advance(service)
    then()


def take_turn(service: Service, works: Sequence[Work]) -> list[object | BaseException]:
    """
    Do ``works`` in order, in one transaction; deliver once if any asked for it; return each result.

    What a piece of work raised stands in the place of its result. If the commit or the delivery
    fails, that fault stands in the place of every result that waited for it.
    """
    answers: list[object | BaseException] = []
    asked: list[int] = []
    try:
        with turn(service) as taking:
            for position, work in enumerate(works):
                before = len(taking.then)
                answers.append(_attempt(work))
                asked += [position] * (len(taking.then) > before)
    except VoisinError as fault:
        return [fault] * len(works)
    if not asked:
        return answers
    try:
        advance(service, parcel=_PARCEL if len(asked) > 1 else 1)
        with turn(service):
            for then in taking.then:
                then()
    except VoisinError as fault:
        for position in asked:
            answers[position] = fault
    return answers


def _attempt(work: Work) -> object | VoisinError:
    try:
        return work()
    except VoisinError as fault:
        return fault
