"""Raise the deposit of a running session by one more signature of the driver."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from contracts.typed_data import hash_struct
from ledger.errors import ChainReverted, InsufficientFunds, InvalidRequest, WrongState
from ledger.units import Micros, UnixSeconds
from settlement.chain.outbox import Call
from settlement.chain.reconciliation import token_held
from settlement.chain.web3_gateway import CallRevertedError
from settlement.charging.terms import Authorization, contract_tuple
from settlement.engine.charging.money.viewing import session_row, session_view
from settlement.engine.charging.running import opening_of, terms_of
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, unwrap

_GAS: Final = 300_000
_AMOUNT_MAX: Final = 2**53
_RAISABLE: Final = frozenset({"open", "charging", "held"})


class TopUpAmountError(InvalidRequest):
    """A deposit is raised by something, and by no more than anybody has."""

    def __init__(self, amount_micros: int) -> None:
        super().__init__("top_up_amount", f"{amount_micros} micros is no amount to add")


class NotRaisableError(WrongState):
    """The session has ended, or has no deposit yet."""

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__("not_raisable", f"{session_id} is {state}; its deposit stays as it is")


class DepositMovedError(WrongState):
    """The deposit is another than the one that the driver has signed on top of."""

    def __init__(self, signed: int, now: int) -> None:
        super().__init__("deposit_moved", f"the deposit is {now} micros, signed on top of {signed}")


class TopUpTooLargeError(InsufficientFunds):
    """The driver's wallet does not hold what is to be added."""

    def __init__(self, held: int, wanted: int) -> None:
        super().__init__("top_up_too_large", f"the wallet holds {held} micros, not {wanted}")


class TopUpRefusedError(ChainReverted):
    """The contract would not raise the deposit."""

    def __init__(self, reason: str) -> None:
        super().__init__("top_up_refused", f"the vault refuses the top-up: {reason}")


@dataclass(frozen=True, slots=True)
class TopUp:
    """What a driver adds to a deposit."""

    session_id: str
    """Session, 0x-prefixed."""
    deposit_micros: Micros
    """Deposit that it is added to."""
    amount_micros: Micros
    """What is added."""

    @property
    def nonce(self) -> str:
        """ERC-3009 nonce: the EIP-712 hash of all this, so that one signature counts once."""
        values = {
            "sessionId": self.session_id,
            "depositMicros": self.deposit_micros,
            "amountMicros": self.amount_micros,
        }
        return "0x" + hash_struct("TopUp", values).hex()


@dataclass(frozen=True, slots=True)
class TopUpQuote:
    """What to sign to raise a deposit."""

    top_up: TopUp
    """What is added to what."""
    driver: str
    """Who pays, lower case."""
    valid_before_s: UnixSeconds
    """The authorization counts before this instant, the session's deadline."""


def quote_top_up(service: Service, session_id: str, amount_micros: Micros) -> TopUpQuote:
    """
    Return what the driver signs to add ``amount_micros``. Nothing is stored.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    TopUpAmountError
        If the amount is nothing, or more than anybody has.
    NotRaisableError
        If the session is not running.
    """
    with service.reading() as connection:
        row = session_row(connection, session_id)
    _check(session_id, row["state"], amount_micros)
    added = TopUp(session_id, Micros(row["deposit_micros"]), amount_micros)
    return TopUpQuote(added, row["driver"], UnixSeconds(row["deadline_s"]))


def top_up(
    service: Service, *, added: TopUp, authorization: Authorization, body: bytes
) -> Mapping[str, Any]:
    """
    Raise the deposit; return when the higher one is final, or on its way.

    Idempotent by session, the deposit that it is added to, and the amount.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    TopUpAmountError
        If the amount is nothing, or more than anybody has.
    NotRaisableError
        If the session is not running.
    DepositMovedError
        If the deposit is another than was signed.
    TopUpTooLargeError
        If the driver's wallet does not hold the amount.
    TopUpRefusedError
        If the contract would refuse, the signature for one.
    """
    with service.reading() as connection:
        driver = session_row(connection, added.session_id)["driver"]
    message = Message(
        key=f"top-up/{_subject(added)}",
        kind="session",
        source=driver,
        body=body,
        trace_id=added.session_id,
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _plan(service, connection, added, authorization),
        )
    verdict = unwrap(taken)
    advance(service)
    return session_view(service, added.session_id) | {"replayed": verdict.replayed}


def _subject(added: TopUp) -> str:
    return f"{added.session_id}/{added.deposit_micros}/{added.amount_micros}"


def _check(session_id: str, state: str, amount_micros: Micros) -> None:
    if not 0 < amount_micros < _AMOUNT_MAX:
        raise TopUpAmountError(amount_micros)
    if state not in _RAISABLE:
        raise NotRaisableError(session_id, state)


def _plan(
    service: Service, connection: Connection, added: TopUp, authorization: Authorization
) -> Outcome:
    row = session_row(connection, added.session_id)
    _check(added.session_id, row["state"], added.amount_micros)
    if row["deposit_micros"] != added.deposit_micros:
        raise DepositMovedError(added.deposit_micros, row["deposit_micros"])
    held = token_held(service.gateway, service.contracts, row["driver"])
    if held < added.amount_micros:
        raise TopUpTooLargeError(held, added.amount_micros)
    vault = service.contracts.vault
    data = vault.encode(
        "topUp",
        contract_tuple(terms_of(row)),
        opening_of(row).contract_tuple(),
        added.amount_micros,
        authorization.contract_tuple(),
    )
    try:
        service.gateway.call(vault.address, data, service.outbox.address)
    except CallRevertedError as fault:
        raise TopUpRefusedError(service.contracts.explain(fault)) from fault
    transaction = service.outbox.plan(
        connection,
        business_key=f"top-up/{_subject(added)}",
        trace_id=added.session_id,
        call=Call(vault.address, data, "ChargeVault.topUp", _GAS),
    )
    emit(
        connection,
        "session_top_up_requested",
        trace_id=added.session_id,
        at_s=service.clock.now_s(),
        amount_micros=added.amount_micros,
    )
    return {"session_id": added.session_id, "transaction": transaction}
