"""Check who signed what a member sends."""

from collections.abc import Collection, Mapping

from contracts.typed_data import BadSignatureError, Domain, TypedDataError, digest, signer_of
from ledger.errors import InvalidRequest, NotAuthenticated


class BadOrderError(InvalidRequest):
    """An order that makes no sense, whatever the state."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_order", detail)


class OrderNotSignedError(NotAuthenticated):
    """Neither the member nor a delegate of its signed, or not for this community."""

    def __init__(self, member: str) -> None:
        super().__init__("order_not_signed", f"signed neither by {member} nor by a delegate of it")


class DelegationNotSignedError(NotAuthenticated):
    """Somebody else than the member named a delegate for it."""

    def __init__(self, member: str) -> None:
        super().__init__("delegation_not_signed", f"the delegation is not signed by {member}")


def signer(domain: Domain, name: str, values: Mapping[str, object], signature: bytes) -> str:
    """
    Return the address, lower case, that signed a struct; empty if no key can have signed it.

    Raises
    ------
    BadOrderError
        If a value does not fit its type.
    """
    try:
        signed = digest(domain, name, values)
    except TypedDataError as fault:
        raise BadOrderError(str(fault)) from fault
    try:
        return "0x" + signer_of(signed, signature).hex()
    except BadSignatureError:
        return ""


def check_signer(found: str, member: str, delegates: Collection[str] = ()) -> None:
    """
    Check that ``found`` may order for ``member``.

    Raises
    ------
    OrderNotSignedError
        If it is neither the member nor one of ``delegates``.
    """
    if found != member and found not in delegates:
        raise OrderNotSignedError(member)
