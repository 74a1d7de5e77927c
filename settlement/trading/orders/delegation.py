"""A member lets somebody else sign orders for it (EIP-712 ``Delegation``, decision 0003)."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.typed_data import Domain, hash_struct
from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds
from settlement.trading.orders.signing import DelegationNotSignedError, signer


class BadDelegationError(InvalidRequest):
    """A validity that never is, or a member that is its own delegate."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_delegation", detail)


@dataclass(frozen=True, slots=True)
class Delegation:
    """Leave to sign orders and cancellations; never mandates, money or other delegations."""

    member: str
    """Wallet of the member, lower case."""
    delegate: str
    """Wallet that may sign for it, lower case."""
    valid_from_s: UnixSeconds
    """First instant it counts, in Unix seconds."""
    valid_until_s: UnixSeconds
    """First instant it counts no more, in Unix seconds; one that is past ends it."""
    nonce: int
    """A higher one replaces a lower one for the same delegate."""


def delegation_hash(delegation: Delegation) -> bytes:
    """Return the struct hash of a delegation, 32 bytes."""
    return hash_struct("Delegation", _values(delegation))


def verify_delegation(domain: Domain, delegation: Delegation, signature: bytes) -> None:
    """
    Check that the member itself signed the delegation and that it makes sense.

    Raises
    ------
    BadDelegationError
        If its validity is empty, or the member names itself.
    DelegationNotSignedError
        If somebody else signed.
    """
    if delegation.valid_from_s >= delegation.valid_until_s:
        raise BadDelegationError("the delegation is never valid")
    if delegation.delegate == delegation.member:
        raise BadDelegationError("a member needs no leave to sign for itself")
    if signer(domain, "Delegation", _values(delegation), signature) != delegation.member:
        raise DelegationNotSignedError(delegation.member)


def delegates_at(delegations: Iterable[Delegation], at_s: UnixSeconds) -> frozenset[str]:
    """Return who may sign for a member at an instant: of each delegate the highest nonce counts."""
    newest: dict[str, Delegation] = {}
    for one in sorted(delegations, key=lambda each: each.nonce):
        newest[one.delegate] = one
    return frozenset(
        one.delegate for one in newest.values() if one.valid_from_s <= at_s < one.valid_until_s
    )


def _values(delegation: Delegation) -> dict[str, object]:
    return {
        "member": delegation.member,
        "delegate": delegation.delegate,
        "validFrom": delegation.valid_from_s,
        "validUntil": delegation.valid_until_s,
        "nonce": delegation.nonce,
    }
