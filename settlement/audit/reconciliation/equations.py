"""Name the nine equations, who must act when one breaks, and what a comparison is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Equation(StrEnum):
    """What must be equal."""

    DEBITS_CREDITS = "E1"
    HOLDS_DEPOSITS = "E2"
    SESSION = "E3"
    FIELDS = "E4"
    EVENTS = "E5"
    READINGS = "E6"
    INTERVAL = "E7"
    ROOTS = "E8"
    REPLAY = "E9"


class Owner(StrEnum):
    """Who must act."""

    OPERATOR = "operator"
    """Whoever runs the community: money lies where nobody is owed it."""
    GRID_OPERATOR = "grid operator"
    """Whoever answers for the meters."""
    CHAIN_OPERATOR = "chain operator"
    """Whoever runs the node: the state does not follow from its own final events."""
    SERVICE = "service"
    """Whoever keeps the database and the program: the books contradict themselves."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values that must be the same."""

    equation: Equation
    """The equation."""
    subject: str
    """What it was asked of: an account, a session, a run, an event."""
    ledger: int | str
    """What the ledger says: micros, Wh, a root, or words."""
    other: int | str
    """What the other side says, in the same unit."""
    owner: Owner
    """Who must act if they differ."""
    detail: str = ""
    """What the two values are."""

    @property
    def holds(self) -> bool:
        """Whether the two values are the same."""
        return self.ledger == self.other


@dataclass(frozen=True, slots=True)
class About:
    """What an equation says, for people."""

    what: str
    """The equation."""
    ledger: str
    """Where the ledger's value comes from."""
    other: str
    """Where the other value comes from."""
    touched: str
    """What of it is compared after a block."""
    owner: str
    """Who must act."""


EQUATIONS: Final[Mapping[Equation, About]] = {
    Equation.DEBITS_CREDITS: About(
        what="sum of debits = sum of credits, in each ledger",
        ledger="debits posted in table `balance`",
        other="credits posted in table `balance`",
        touched="what the accounts that were touched gained on each side",
        owner="service",
    ),
    Equation.HOLDS_DEPOSITS: About(
        what="sum of open holds = sum of deposits in the vault",
        ledger="holds on drivers' purses that nothing has resolved, from table `transfer`",
        other="`ChargeVault.depositOf` of every purse, at the final block",
        touched="the sum, with the purses that were touched read anew",
        owner="chain operator",
    ),
    Equation.SESSION: About(
        what="deposit = captured + refunded + held, for each session",
        ledger="charges posted and holds open, from table `transfer`; the refund of its event",
        other="the deposit, from table `session`",
        touched="sessions with a transfer or an event",
        owner="service",
    ),
    Equation.FIELDS: About(
        what="each contract field = its account; each contract's tokens = the sum of its accounts",
        ledger="table `balance`, table `lane`",
        other="the field (decision 0001) and `EnergyEuro.balanceOf`, at the final block",
        touched="accounts and lanes with a transfer or an event; both contracts' tokens",
        owner="chain operator for a field, operator for tokens; service if E9 is broken there too",
    ),
    Equation.EVENTS: About(
        what="every final event has its transfers, every transfer its event or run",
        ledger="table `transfer`: id and amount",
        other="final events in table `observed`, rows in table `run`",
        touched="events that became final, transfers posted and runs made",
        owner="service",
    ),
    Equation.READINGS: About(
        what="Wh posted = differences of signed registers, or nothing where flagged as estimated",
        ledger="`metered-import`, `metered-export`, `session-energy` in table `transfer`",
        other="table `reading`, each signature checked again; fiscal records in table `slice`",
        touched="runs made, sessions closed; signatures at the day's end",
        owner="grid operator",
    ),
    Equation.INTERVAL: About(
        what="sold = bought + losses in each interval, and each member's energy comes to nothing",
        ledger="energy given to the feeder: `metered-export`, `beside-export`, `feeder-import`, "
        "`unmeasured-import`",
        other="energy taken from it: `metered-import`, `beside-import`, `feeder-export`, "
        "`feeder-losses`, `unmeasured-export`",
        touched="runs made",
        owner="grid operator",
    ),
    Equation.ROOTS: About(
        what="recomputed root = anchored root, of each run, of each settlement period and of each "
        "checkpoint of the log",
        ledger="the run settled again from signed inputs, and the root over those of its period; "
        "table `checkpoint`",
        other="`IntervalSettled`, `CheckpointAnchored`, `TradeLedger.rootOf` of the newest run",
        touched="runs made or final, checkpoints anchored",
        owner="service; chain operator for `rootOf`",
    ),
    Equation.REPLAY: About(
        what="replayed balances = stored balances",
        ledger="table `balance`",
        other="table `transfer` applied from its first row; in a full pass the journal too",
        touched="accounts that were touched, from the balances of the last pass on",
        owner="service",
    ),
}
"""What stands in ``docs/reference/reconciliation.md``."""
