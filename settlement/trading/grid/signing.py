"""Who signed a notice of the grid: rules, steps of participation, notices of certificates."""

from collections.abc import Collection, Mapping

from contracts.typed_data import BadSignatureError, Domain, TypedDataError, digest, signer_of
from ledger.errors import InvalidRequest, NotAuthenticated


class BadNoticeError(InvalidRequest):
    """A value of a signed notice does not fit its type, or it says what no notice says."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_notice", detail)


class NotSignedByGridError(NotAuthenticated):
    """The notice was signed by nobody who may give it."""

    def __init__(self) -> None:
        super().__init__("not_signed_by_grid", "nobody who may say this has signed it")


def signer_of_notice(
    domain: Domain, name: str, values: Mapping[str, object], signature: bytes
) -> str:
    """
    Return the wallet, lower case, that signed a notice of type ``name``.

    Raises
    ------
    BadNoticeError
        If a value does not fit its type.
    NotSignedByGridError
        If no key can have made the signature.
    """
    try:
        signed = digest(domain, name, values)
    except TypedDataError as fault:
        raise BadNoticeError(str(fault)) from fault
    try:
        return f"0x{signer_of(signed, signature).hex()}"
    except BadSignatureError as fault:
        raise NotSignedByGridError from fault


def check_signer(signer: str, allowed: Collection[str]) -> None:
    """
    Check that a notice was signed by one of those who may give it.

    Raises
    ------
    NotSignedByGridError
        If it was not.
    """
    if signer not in allowed:
        raise NotSignedByGridError
