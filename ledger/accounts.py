"""Name every account; an account is fully determined by its id (decision 0001)."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

from ledger.errors import InvalidRequest

AccountId = NewType("AccountId", str)
"""Id of an account: ledger, kind and, for most kinds, owner, joined by ``/``."""

_LENGTH_MAX: Final = 128
_PARTS: Final = 3
_REMEMBERED: Final = 65_536


class Ledger(StrEnum):
    """What an account counts."""

    EUR = "eur"
    WH = "wh"


@dataclass(frozen=True, slots=True)
class AccountKind:
    """What all accounts of a kind share."""

    ledger: Ledger
    """What they count."""
    owned: bool
    """Whether the id ends in an owner."""
    limited: bool
    """Whether they may not fall below zero, open holds counted."""


KINDS: Final = {
    "eur/world": AccountKind(Ledger.EUR, owned=False, limited=False),
    "eur/vault-driver": AccountKind(Ledger.EUR, owned=True, limited=True),
    "eur/vault-earned": AccountKind(Ledger.EUR, owned=True, limited=True),
    "eur/trade-balance": AccountKind(Ledger.EUR, owned=True, limited=True),
    "eur/trade-bond": AccountKind(Ledger.EUR, owned=True, limited=True),
    "eur/invoice": AccountKind(Ledger.EUR, owned=True, limited=False),
    "wh/produced": AccountKind(Ledger.WH, owned=False, limited=False),
    "wh/consumed": AccountKind(Ledger.WH, owned=False, limited=False),
    "wh/grid": AccountKind(Ledger.WH, owned=False, limited=False),
    "wh/losses": AccountKind(Ledger.WH, owned=False, limited=False),
    "wh/member": AccountKind(Ledger.WH, owned=True, limited=False),
    "wh/station": AccountKind(Ledger.WH, owned=True, limited=False),
    "wh/driver": AccountKind(Ledger.WH, owned=True, limited=False),
}
"""Every kind of account there is."""


class UnknownAccountError(InvalidRequest):
    """An id that names no account."""

    def __init__(self, account: str) -> None:
        super().__init__("unknown_account", f"{account[:_LENGTH_MAX]!r} names no account")


@lru_cache(_REMEMBERED)
def kind_of(account: AccountId) -> AccountKind:
    """
    Return the kind of an account.

    Raises
    ------
    UnknownAccountError
        If the id names none.
    """
    parts = account.split("/", _PARTS - 1)
    kind = KINDS.get("/".join(parts[:2]))
    owned = len(parts) == _PARTS
    if (
        kind is None
        or kind.owned != owned
        or not parts[-1]
        or len(account) > _LENGTH_MAX
        or not account.isascii()
        or not account.isprintable()
    ):
        raise UnknownAccountError(account)
    return kind


def world() -> AccountId:
    """Return the account of everything outside: wallets and banks."""
    return AccountId("eur/world")


def vault_driver(wallet: str, purse: int = 0) -> AccountId:
    """Return a driver's money in a purse of the ChargeVault, free and deposited."""
    return AccountId(f"eur/vault-driver/{wallet}" + (f"/{purse}" if purse else ""))


def vault_earned(owner: str) -> AccountId:
    """Return what is a station operator's in the ChargeVault, or was earned there by a meter."""
    return AccountId(f"eur/vault-earned/{owner}")


def trade_balance(wallet: str) -> AccountId:
    """Return a member's balance in the TradeLedger."""
    return AccountId(f"eur/trade-balance/{wallet}")


def trade_bond(wallet: str) -> AccountId:
    """Return a settler's bond in the TradeLedger."""
    return AccountId(f"eur/trade-bond/{wallet}")


def invoice(party: str) -> AccountId:
    """Return what a party is owed, or owes, on the invoice rail."""
    return AccountId(f"eur/invoice/{party}")


def produced() -> AccountId:
    """Return the source of what members gave to the feeder."""
    return AccountId("wh/produced")


def consumed() -> AccountId:
    """Return the sink of what members took from the feeder."""
    return AccountId("wh/consumed")


def grid() -> AccountId:
    """Return the grid above the feeder head."""
    return AccountId("wh/grid")


def losses() -> AccountId:
    """Return what was lost on the feeder."""
    return AccountId("wh/losses")


def member_energy(party: str) -> AccountId:
    """Return a member's energy within an interval; zero again after it."""
    return AccountId(f"wh/member/{party}")


def station_energy(party: str) -> AccountId:
    """Return what an operator's stations drew and no session has taken yet."""
    return AccountId(f"wh/station/{party}")


def driver_energy(wallet: str) -> AccountId:
    """Return what a driver has charged."""
    return AccountId(f"wh/driver/{wallet}")
