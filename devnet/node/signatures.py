"""Say which library checks signatures, and refuse a slow one."""

from eth_keys.main import KeyAPI

from ledger.errors import Integrity


class SlowSignaturesError(Integrity):
    """Signatures would be checked in pure Python, which is too slow and not constant-time."""

    def __init__(self, backend: str) -> None:
        super().__init__("slow_signatures", f"eth-keys uses {backend}; install coincurve")


def fast_signatures() -> str:
    """
    Return the name of the library that checks signatures.

    Raises
    ------
    SlowSignaturesError
        If it is eth-keys' own, in pure Python.
    """
    backend = type(KeyAPI().backend).__name__
    if backend != "CoinCurveECCBackend":
        raise SlowSignaturesError(backend)
    return "coincurve"
