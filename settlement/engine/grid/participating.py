"""Take steps of joining and leaving, and say who takes part in an interval."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from settlement.engine.grid.ruling import RuleTooLateError
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, unwrap, wallet_of
from settlement.tables import membership_step
from settlement.tables import party as party_table
from settlement.trading.grid.participating import (
    State,
    Step,
    Taken,
    check_step,
    state_at,
    takes_part,
)
from settlement.trading.grid.signing import BadNoticeError, check_signer, signer_of_notice


@dataclass(frozen=True, slots=True)
class StepNotice:
    """A step of joining or leaving, as it is signed."""

    party: str
    """Party that joins or leaves."""
    step: str
    """``request``, ``confirm``, ``refuse`` or ``leave``."""
    first_interval: int
    """First interval in which it counts."""
    nonce: int
    """Its number, used once for each party."""


def record_step(
    service: Service, *, given: StepNotice, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Take a step of a party. Idempotent by party and nonce.

    The party or the grid operator requests and leaves; the grid operator confirms and refuses.

    Raises
    ------
    BadNoticeError
        If there is no such step, or a value does not fit its type.
    UnknownWalletError
        If there is no such party.
    NotSignedByGridError
        If nobody who may take the step has signed.
    RuleTooLateError
        If its first interval has begun.
    StepRefusedError
        If it does not follow from the state that the party is in.
    """
    message = Message(
        key=f"membership/{given.party}/{given.nonce}",
        kind="membership",
        source=given.party,
        body=body,
        trace_id=f"{service.rules.community_id}/membership/{given.party}",
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _judge(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def absent_at(connection: Connection, interval: int) -> frozenset[str]:
    """Return the parties that do not trade in an interval; the same ever after it began."""
    return frozenset(
        party for party, taken in _steps(connection).items() if not takes_part(taken, interval)
    )


def states_at(connection: Connection, interval: int) -> Iterator[tuple[str, State]]:
    """Yield every party that trades or may, with where it stands in an interval, by party."""
    steps = _steps(connection)
    rows = connection.execute(
        select(party_table.c.id)
        .where(party_table.c.role.in_(("prosumer", "operator")))
        .order_by(party_table.c.id)
    ).scalars()
    for party in rows:
        yield party, state_at(steps.get(party, ()), interval)


def _steps(connection: Connection) -> Mapping[str, list[Taken]]:
    """Return the steps of every party of whom one was taken, in order."""
    rows = connection.execute(select(membership_step).order_by(membership_step.c.seq))
    found: defaultdict[str, list[Taken]] = defaultdict(list)
    for row in rows:
        found[row.party].append(Taken(Step(row.step), row.first_interval))
    return found


def _judge(
    service: Service, connection: Connection, given: StepNotice, signature: bytes
) -> Outcome:
    try:
        step = Step(given.step)
    except ValueError as fault:
        raise BadNoticeError(f"there is no step {given.step!r}") from fault
    values = {
        "party": given.party,
        "step": given.step,
        "firstInterval": given.first_interval,
        "nonce": given.nonce,
    }
    signer = signer_of_notice(service.domain, "ParticipationNotice", values, signature)
    own = wallet_of(connection, given.party)
    grid_operator = wallet_of(connection, service.rules.grid_party)
    check_signer(
        signer, {grid_operator, own} if step in {Step.REQUEST, Step.LEAVE} else {grid_operator}
    )
    now_s = service.clock.now_s()
    current = service.rules.interval_of(now_s)
    if given.first_interval <= current:
        raise RuleTooLateError(given.first_interval, current)
    taken = Taken(step, given.first_interval)
    before = _steps(connection).get(given.party, [])
    check_step(before, taken)
    connection.execute(
        membership_step.insert().values(
            party=given.party,
            nonce=given.nonce,
            step=step.value,
            first_interval=given.first_interval,
            signer=signer,
            signature=signature,
            at_s=now_s,
        )
    )
    emit(
        connection,
        "membership_step_taken",
        trace_id=f"{service.rules.community_id}/membership/{given.party}",
        at_s=now_s,
        party=given.party,
        step=step.value,
        first_interval=given.first_interval,
        by=signer,
    )
    return {
        "party": given.party,
        "step": step.value,
        "state": state_at([*before, taken], current).value,
        "begin_s": service.rules.start_s(given.first_interval),
    }
