"""Take delegations: members name who else may sign orders for them."""

from typing import Any

from sqlalchemy import Connection, select

from ledger.errors import NotFound
from ledger.units import UnixSeconds
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, UnknownWalletError, party_of, unwrap
from settlement.tables import delegation
from settlement.trading.orders.delegation import (
    Delegation,
    delegates_at,
    delegation_hash,
    verify_delegation,
)


class UnknownMemberError(NotFound):
    """An order or delegation of, or an order for trade with, somebody who is not of here."""

    def __init__(self, wallet: str) -> None:
        super().__init__("unknown_member", f"{wallet} is no member of the community")


def member_party(connection: Connection, wallet: str) -> str:
    """
    Return the party that holds a member's wallet.

    Raises
    ------
    UnknownMemberError
        If nobody does.
    """
    try:
        return party_of(connection, wallet)
    except UnknownWalletError as fault:
        raise UnknownMemberError(wallet) from fault


def trace_of(service: Service, member: str) -> str:
    """Return the trace id of everything that a member sends."""
    return f"{service.rules.community_id}/member/{member}"


def record_delegation(
    service: Service, *, given: Delegation, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Take a member's leave for a delegate. Idempotent by member and nonce.

    Raises
    ------
    UnknownMemberError
        If the member is not in the community's roster.
    DelegationNotSignedError
        If somebody else signed.
    BadDelegationError
        If it makes no sense.
    """
    message = Message(
        key=f"delegation/{given.member}/{given.nonce}",
        kind="delegation",
        source=given.member,
        body=body,
        trace_id=trace_of(service, given.member),
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _keep(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def delegates_of(connection: Connection, member: str, at_s: UnixSeconds) -> frozenset[str]:
    """Return who may sign orders for a member at an instant."""
    rows = connection.execute(select(delegation).where(delegation.c.member == member)).mappings()
    return delegates_at(
        (
            Delegation(
                member=row["member"],
                delegate=row["delegate"],
                valid_from_s=UnixSeconds(row["valid_from_s"]),
                valid_until_s=UnixSeconds(row["valid_until_s"]),
                nonce=row["nonce"],
            )
            for row in rows
        ),
        at_s,
    )


def _keep(service: Service, connection: Connection, given: Delegation, signature: bytes) -> Outcome:
    party = member_party(connection, given.member)
    verify_delegation(service.domain, given, signature)
    struct_hash = delegation_hash(given)
    connection.execute(
        delegation.insert().values(
            member=given.member,
            nonce=given.nonce,
            delegate=given.delegate,
            valid_from_s=given.valid_from_s,
            valid_until_s=given.valid_until_s,
            struct_hash=struct_hash,
            signature=signature,
            at_s=service.clock.now_s(),
        )
    )
    emit(
        connection,
        "delegation_accepted",
        trace_id=trace_of(service, given.member),
        at_s=service.clock.now_s(),
        party=party,
        delegate=given.delegate,
        nonce=given.nonce,
    )
    return {"party": party, "struct_hash": "0x" + struct_hash.hex()}
