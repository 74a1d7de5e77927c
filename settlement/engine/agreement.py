"""Compare what the chain says with what the service computed."""

from ledger.errors import Integrity


class ChainDisagreesError(Integrity):
    """A final event says something else than the service computed."""

    def __init__(self, what: str, ours: object, theirs: object) -> None:
        super().__init__("chain_disagrees", f"{what}: computed {ours}, the chain says {theirs}")


def agree(what: str, ours: object, theirs: object) -> None:
    """
    Compare what a final event says with what the service computed.

    Raises
    ------
    ChainDisagreesError
        If they differ.
    """
    if ours != theirs:
        raise ChainDisagreesError(what, ours, theirs)
