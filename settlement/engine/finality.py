"""
Move what waits for the chain: deliver the outbox, read new blocks, post what has become final.

Only a final event opens, posts or voids a transfer. Everything here may be killed and run again.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Final

from sqlalchemy import Connection

from ledger.errors import Integrity
from settlement.chain import delivery
from settlement.chain.indexer import FinalEvent
from settlement.chain.sending.intents import Outstanding
from settlement.chain.web3_gateway import CallRevertedError
from settlement.engine import trade_postings, vault_postings
from settlement.engine.service import Service

_Post = Callable[[Service, Connection, Sequence[FinalEvent]], None]


def _each(handler: Callable[[Service, Connection, FinalEvent], None]) -> _Post:
    """Return what posts events one after the other."""

    def post(service: Service, connection: Connection, events: Sequence[FinalEvent]) -> None:
        for event in events:
            handler(service, connection, event)

    return post


_HANDLERS: Final[Mapping[tuple[str, str], _Post]] = {
    **{("ChargeVault", name): _each(handler) for name, handler in vault_postings.HANDLERS.items()},
    **{("TradeLedger", name): _each(handler) for name, handler in trade_postings.HANDLERS.items()},
    ("ChargeVault", "SessionClosed"): vault_postings.sessions_closed,
}


class IntentFailedError(Integrity):
    """The chain refused, for ever, a transaction that no rule of ours foresaw to fail."""

    def __init__(self, business_key: str, error: str) -> None:
        super().__init__("intent_failed", f"{business_key}: {error}")


def advance(service: Service, *, parcel: int = 1) -> int:
    """
    Deliver, read and post until nothing changes; return how many intents still wait.

    On a chain that mines at once and is final at depth 0, one call ends with nothing waiting.

    Parameters
    ----------
    parcel
        How many transactions go to the node in one request.

    Raises
    ------
    ChainUnavailable
        If the node does not answer; call again later.
    Integrity
        If the chain or a law broke.
    """
    return delivery.advance(
        service,
        delivery.Reactions(
            explain=partial(_why, service),
            failed=partial(_failed, service),
            superseded=partial(_superseded, service),
            happened=partial(_happened, service),
        ),
        parcel=parcel,
    )


def _happened(service: Service, connection: Connection, events: Sequence[FinalEvent]) -> None:
    """Post what follows from final events, in chain order; like events of a block together."""
    ours = [one for one in events if (one.contract, one.name) in _HANDLERS]
    for (contract, name, _), run in groupby(ours, _kind_and_block):
        _HANDLERS[contract, name](service, connection, tuple(run))


def _kind_and_block(event: FinalEvent) -> tuple[str, str, int]:
    return event.contract, event.name, event.block_number


def _failed(service: Service, connection: Connection, one: Outstanding, error: str) -> None:
    """Undo what was meant to come of an intent that the chain refused."""
    purpose, _, subject = one.business_key.partition("/")
    failed = vault_postings.FAILURES.get(purpose)
    if failed is None:
        raise IntentFailedError(one.business_key, error)
    failed(service, connection, subject, error)


def _superseded(service: Service, connection: Connection, one: Outstanding) -> None:
    """Undo what was meant to come of an intent that was cancelled on purpose."""
    purpose, _, subject = one.business_key.partition("/")
    failed = vault_postings.FAILURES.get(purpose)
    if failed is not None:
        failed(service, connection, subject, "cancelled")


def _why(service: Service, connection: Connection, one: Outstanding) -> str:
    """Return the custom error that the transaction met, by calling again what it called."""
    call = service.outbox.call_of(connection, one.newest.hash)
    if call.to is None:
        return "the creation was reverted"
    try:
        service.gateway.call(call.to, call.data, service.outbox.address)
    except CallRevertedError as fault:
        return service.contracts.explain(fault)
    return "reverted then, passes now"
