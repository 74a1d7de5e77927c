"""
What the books must say, in about thirty lines of plain arithmetic.

It knows no ledger, no holds and no events: only what was asked for and is in the final chain, and
what the meters measured. Money is in micros, energy in Wh.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

Purse = tuple[str, int]
"""Driver and number of the purse."""


@dataclass(slots=True)
class Session:
    """A session, as its terms say it."""

    purse: Purse
    meter: str
    price: int
    flat: int
    deposit: int
    asked: bool
    """Whether the service was asked to open it."""
    state: str = "open"
    charge: int = 0


@dataclass(slots=True)
class Model:
    """Everybody's money."""

    wallet: Counter[str] = field(default_factory=Counter)
    free: Counter[Purse] = field(default_factory=Counter)
    held: Counter[Purse] = field(default_factory=Counter)
    earned: Counter[str] = field(default_factory=Counter)
    balance: Counter[str] = field(default_factory=Counter)
    operators: dict[str, str] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    runs: int = 0

    def open(self, name: str, session: Session) -> None:
        """Take a deposit from a wallet and hold it."""
        self.twice += [name] if name in self.sessions else []
        self.sessions[name] = session
        self.wallet[session.purse[0]] -= session.deposit
        self.held[session.purse] += session.deposit

    def top_up(self, name: str, amount: int) -> None:
        """Take more from the wallet for a running session."""
        one = self.sessions[name]
        one.deposit += amount
        self.wallet[one.purse[0]] -= amount
        self.held[one.purse] += amount

    def end(self, name: str, state: str, energy_wh: int, total: int = 0) -> None:
        """Charge energy and flat fee, or a signed total, up to the deposit; the rest goes back."""
        one = self.sessions[name]
        self.twice += [name] if one.state != "open" else []
        owed = one.flat + energy_wh * one.price // 1_000 if energy_wh else 0
        one.state, one.charge = state, min(max(owed, total), one.deposit)
        self.held[one.purse] -= one.deposit
        self.earned[one.meter] += one.charge
        self.wallet[one.purse[0]] += one.deposit - one.charge

    def collect(self, meter: str) -> None:
        """Give what a meter has earned to its operator."""
        self.earned[self.operators[meter]] += self.earned.pop(meter, 0)

    def put_in(self, member: str, amount: int) -> None:
        """Take a member's money into the community."""
        self.wallet[member] -= amount
        self.balance[member] += amount

    def settle(self, moved: Mapping[str, int]) -> None:
        """Move money between members."""
        self.runs += 1
        self.balance.update(moved)

    def leave(self, member: str) -> None:
        """Pay out what a member asked for, as far as it is still there."""
        amount = min(self.exits.pop(member), self.balance[member])
        self.balance[member] -= amount
        self.wallet[member] += amount
