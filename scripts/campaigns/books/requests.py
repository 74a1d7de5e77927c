"""Make requests for a small town by seeded dice: deposits, holds, and all that ends them."""

import random
from collections.abc import Iterator
from typing import Final

from ledger.accounts import AccountId, vault_driver, vault_earned, world
from ledger.store.batch import Group
from ledger.transfers import RELEASING, RESOLVING, Kind, Transfer, TransferId
from ledger.units import UnixSeconds

AT_S: Final = UnixSeconds(1_494_230_400)
DRIVERS: Final = tuple(vault_driver(f"0x{n:040x}") for n in range(4))
METERS: Final = tuple(vault_earned(f"0x{n:064x}") for n in range(2))
_AMOUNT_MAX: Final = 100
_LONG_S: Final = 10
_HOLDS_KEPT: Final = 12
_AGAIN: Final = 0.08
_TAKEN_ID: Final = 0.04
_GROUPED: Final = 0.2
_ENDING: Final = 0.5
_KINDS: Final = (Kind.POSTED, Kind.POSTED, Kind.PENDING, Kind.PENDING, Kind.POST, Kind.POST)


class Requests:
    """One caller's requests; the same seed gives the same ones."""

    def __init__(self, seed: int, name: str) -> None:
        self._dice: Final = random.Random(f"{seed}/{name}")  # noqa: S311 - replayable, no secret
        self._name: Final = name
        self._number = 0
        self._holds: Final[list[Transfer]] = []
        self._made: Final[list[Group]] = []

    def __iter__(self) -> Iterator[Group]:
        """Yield groups for ever: mostly new ones, some that came before, some with a known id."""
        while True:
            if self._made and self._dice.random() < _AGAIN:
                yield self._dice.choice(self._made)
                continue
            size = self._dice.randint(2, 4) if self._dice.random() < _GROUPED else 1
            group = tuple(self._one() for _ in range(size))
            if self._made and self._dice.random() < _TAKEN_ID:
                group = (self._renamed(group[0]), *group[1:])
            self._made.append(group)
            yield group

    def _one(self) -> Transfer:
        self._number += 1
        kind = self._dice.choice((*_KINDS, Kind.VOID, Kind.EXPIRE))
        if kind in RESOLVING and self._holds:
            hold = self._dice.choice(self._holds[-_HOLDS_KEPT:])
            amount = 0 if kind in RELEASING else self._dice.randint(1, _AMOUNT_MAX)
            return self._transfer(kind, (hold.debit, hold.credit), amount, hold)
        if kind is Kind.POSTED:
            return self._transfer(
                kind, (world(), self._dice.choice(DRIVERS)), self._dice.randint(1, _AMOUNT_MAX)
            )
        sides = (self._dice.choice(DRIVERS), self._dice.choice(METERS))
        made = self._transfer(Kind.PENDING, sides, self._dice.randint(1, _AMOUNT_MAX))
        self._holds.append(made)
        return made

    def _transfer(
        self,
        kind: Kind,
        sides: tuple[AccountId, AccountId],
        amount: int,
        hold: Transfer | None = None,
    ) -> Transfer:
        ends = kind is Kind.PENDING and self._dice.random() < _ENDING
        return Transfer(
            id=TransferId(f"{self._name}/{self._number}"),
            kind=kind,
            debit=sides[0],
            credit=sides[1],
            amount=amount,
            code="town",
            trace_id=f"{self._name}/{self._number % 7}",
            pending_id=hold.id if hold else None,
            expires_s=UnixSeconds(AT_S + self._dice.randint(0, _LONG_S)) if ends else None,
        )

    def _renamed(self, one: Transfer) -> Transfer:
        """Return ``one`` under an id that came before."""
        taken = self._dice.choice(self._made)[0].id
        return Transfer(
            id=taken,
            kind=one.kind,
            debit=one.debit,
            credit=one.credit,
            amount=one.amount,
            code=one.code,
            trace_id=one.trace_id,
            pending_id=one.pending_id,
            expires_s=one.expires_s,
        )
