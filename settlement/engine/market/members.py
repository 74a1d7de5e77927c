"""Let parties join the TradeLedger with one signature, and take their mandates."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.errors import ChainReverted
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds
from settlement.chain.outbox import Call
from settlement.chain.web3_gateway import CallRevertedError
from settlement.charging.terms import Authorization
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, party_of, unwrap
from settlement.tables import mandate, wallet
from settlement.trading.mandates import Band, Mandate, mandate_hash, verify_mandate

_JOIN_GAS: Final = 500_000
_MANDATES_KEPT: Final = 10_000


class JoiningRefusedError(ChainReverted):
    """The contract would not take the member."""

    def __init__(self, reason: str) -> None:
        super().__init__("joining_refused", f"the TradeLedger refuses the member: {reason}")


@dataclass(frozen=True, slots=True)
class Membership:
    """What a member signs once: money into the TradeLedger and its own cap."""

    party: str
    """Party of the community."""
    member: str
    """Its wallet, lower case."""
    cap_micros: Micros
    """Most it may be debited per interval, in micros."""
    amount_micros: Micros
    """What it puts in, in micros."""
    salt: bytes
    """32 bytes."""


def join(
    service: Service, *, membership: Membership, authorization: Authorization, body: bytes
) -> dict[str, Any]:
    """
    Take a member with one ERC-3009 signature. Idempotent by wallet.

    Raises
    ------
    UnknownWalletError
        If the wallet is not in the community's roster.
    JoiningRefusedError
        If the contract would refuse.
    """
    message = Message(
        key=f"member/{membership.member}",
        kind="member",
        source=membership.party,
        body=body,
        trace_id=f"{service.rules.community_id}/member/{membership.member}",
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _plan_join(service, connection, membership, authorization),
        )
    verdict = unwrap(taken)
    advance(service)
    return dict(verdict.outcome)


def _plan_join(
    service: Service,
    connection: Connection,
    membership: Membership,
    authorization: Authorization,
) -> Outcome:
    party = party_of(connection, membership.member)
    trade = service.contracts.trade
    signature = authorization.signature
    data = trade.encode(
        "join",
        membership.member,
        membership.cap_micros,
        membership.amount_micros,
        membership.salt,
        authorization.valid_after_s,
        authorization.valid_before_s,
        signature[64],
        signature[:32],
        signature[32:64],
    )
    try:
        service.gateway.call(trade.address, data, service.outbox.address)
    except CallRevertedError as fault:
        raise JoiningRefusedError(service.contracts.explain(fault)) from fault
    transaction = service.outbox.plan(
        connection,
        business_key=f"join/{membership.member}",
        trace_id=f"{service.rules.community_id}/member/{membership.member}",
        call=Call(trade.address, data, "TradeLedger.join", _JOIN_GAS),
    )
    return {"party": party, "member": membership.member, "transaction": transaction}


def record_mandate(
    service: Service, *, given: Mandate, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Take a member's standing limits. Idempotent by member and nonce.

    Raises
    ------
    UnknownWalletError
        If the wallet is not in the community's roster.
    NotAuthenticated
        If somebody else signed.
    InvalidRequest
        If the bands or the validity make no sense.
    """
    message = Message(
        key=f"mandate/{given.member}/{given.nonce}",
        kind="mandate",
        source=given.member,
        body=body,
        trace_id=f"{service.rules.community_id}/member/{given.member}",
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


def _keep(service: Service, connection: Connection, given: Mandate, signature: bytes) -> Outcome:
    party = party_of(connection, given.member)
    verify_mandate(service.domain, given, signature)
    connection.execute(
        mandate.insert().values(
            member=given.member,
            nonce=given.nonce,
            valid_from_s=given.valid_from_s,
            valid_until_s=given.valid_until_s,
            body=json.dumps(_document(given), sort_keys=True),
            struct_hash=mandate_hash(given),
            signature=signature,
            at_s=service.clock.now_s(),
        )
    )
    emit(
        connection,
        "mandate_accepted",
        trace_id=f"{service.rules.community_id}/member/{given.member}",
        at_s=service.clock.now_s(),
        party=party,
        nonce=given.nonce,
    )
    return {"party": party, "struct_hash": "0x" + mandate_hash(given).hex()}


def mandates_in_force(connection: Connection, at_s: UnixSeconds) -> dict[str, Mandate]:
    """
    Return, by party, the newest mandate that was received by ``at_s`` and is valid then.

    A party without one offers nothing and bids for nothing.
    """
    rows = connection.execute(
        select(wallet.c.party, mandate.c.body)
        .join(wallet, wallet.c.address == mandate.c.member)
        .where(
            mandate.c.at_s <= at_s,
            mandate.c.valid_from_s <= at_s,
            mandate.c.valid_until_s > at_s,
        )
        .order_by(mandate.c.nonce)
    )
    return {row[0]: _mandate(row[1]) for row in rows}


def cap_at(connection: Connection, member: str, at_s: UnixSeconds) -> Micros:
    """Return what a member may be debited in an interval that begins at ``at_s``, as known now."""
    found = connection.execute(
        select(mandate.c.body)
        .where(
            mandate.c.member == member,
            mandate.c.valid_from_s <= at_s,
            mandate.c.valid_until_s > at_s,
        )
        .order_by(mandate.c.nonce.desc())
        .limit(1)
    ).scalar()
    return Micros(0) if found is None else _mandate(found).cap_micros


@lru_cache(maxsize=_MANDATES_KEPT)
def _mandate(stored: str) -> Mandate:
    document = json.loads(stored)
    return Mandate(
        member=document["member"],
        bands=tuple(
            Band(
                from_minute=band["from_minute"],
                until_minute=band["until_minute"],
                sell_not_below=MicrosPerKilowattHour(band["sell_not_below"]),
                buy_not_above=MicrosPerKilowattHour(band["buy_not_above"]),
            )
            for band in document["bands"]
        ),
        cap_micros=Micros(document["cap_micros"]),
        valid_from_s=UnixSeconds(document["valid_from_s"]),
        valid_until_s=UnixSeconds(document["valid_until_s"]),
        nonce=document["nonce"],
    )


def _document(given: Mandate) -> dict[str, Any]:
    return {
        "member": given.member,
        "bands": [
            {
                "from_minute": band.from_minute,
                "until_minute": band.until_minute,
                "sell_not_below": band.sell_not_below,
                "buy_not_above": band.buy_not_above,
            }
            for band in given.bands
        ],
        "cap_micros": given.cap_micros,
        "valid_from_s": given.valid_from_s,
        "valid_until_s": given.valid_until_s,
        "nonce": given.nonce,
    }
