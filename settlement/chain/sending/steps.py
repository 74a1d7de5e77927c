"""
The places at which a crash could leave a transaction between the database and the chain.

In service nobody listens. A campaign gives an ear of its own and ends the process there.
"""

from typing import Final, Protocol

STEPS: Final = (
    "planned",
    "committed",
    "sending",
    "sent",
    "looking",
    "looked",
    "settled",
)
"""
In order: signed and written but not committed; committed but nothing sent; about to send one; sent
one; about to ask for receipts; receipts known; written down but not committed.
"""


class Steps(Protocol):
    """Whoever wants to know how far a transaction is."""

    def reach(self, step: str) -> None:
        """Take note that one of ``STEPS`` is reached."""
        ...


class NoSteps:
    """Nobody."""

    def reach(self, step: str) -> None:
        """Go on."""


NO_STEPS: Final = NoSteps()
"""What a service runs with."""
