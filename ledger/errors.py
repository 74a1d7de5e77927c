"""
The families of errors; every error of the system is a leaf of one of them.

::

    VoisinError
      InvalidRequest       the request cannot be right, whatever the state
        TooLarge             it is larger than anybody may send
      NotAuthenticated     nobody, or somebody else, signed it
      NotPermitted         this party may not do it
      NotFound             it names something that is not there
      Conflict             the state forbids it
        AlreadyDone          it was done before
        ExistsWithDifferent  the same key came with other content
        WrongState           what it acts on is not in the state for it
      InsufficientFunds    an account would pass its limit
      UnverifiedReading    a meter's message that does not prove what it says
      ChainError           the chain did not do it
        ChainUnavailable     no answer; the same bytes may be sent again
        ChainReverted        the contract refused
      Unavailable          the service is not ready for it
      Integrity            a law broke: stop, never retry

Leaves stand beside the function that raises them and carry a stable snake_case ``code`` with a
heading in ``docs/reference/errors.md``. Only ``api/problems.py`` knows HTTP.
"""


class VoisinError(Exception):
    """Anything that the system refuses or cannot do, with a code that machines can read."""

    def __init__(self, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.code = code
        """Stable snake_case name of the fault."""
        self.transient = transient
        """Whether the same request may succeed later."""


class InvalidRequest(VoisinError):
    """The request cannot be right, whatever the state."""


class TooLarge(InvalidRequest):
    """The request is larger than anybody may send."""


class NotAuthenticated(VoisinError):
    """Nobody, or somebody else, signed the request."""


class NotPermitted(VoisinError):
    """The party may not do this."""


class NotFound(VoisinError):
    """The request names something that is not there."""


class Conflict(VoisinError):
    """The present state forbids the request."""


class AlreadyDone(Conflict):
    """It was done before."""


class ExistsWithDifferent(Conflict):
    """The same key came with other content."""


class WrongState(Conflict):
    """What the request acts on is not in the state for it."""


class InsufficientFunds(VoisinError):
    """An account would pass its limit."""


class UnverifiedReading(VoisinError):
    """A meter's message does not prove what it says."""


class ChainError(VoisinError):
    """The chain did not do what was asked."""


class ChainUnavailable(ChainError):
    """The chain gave no answer; the same bytes may be sent again."""

    def __init__(self, message: str) -> None:
        super().__init__("chain_unavailable", message, transient=True)


class ChainReverted(ChainError):
    """A contract refused the transaction."""


class Unavailable(VoisinError):
    """The service is not ready for the request; the code says what keeps it from it."""


class Integrity(VoisinError):
    """A law of the system broke: stop, never retry."""
