"""Read ``[mechanism]``: the auction, pay-as-bid, or a sharing key with what takes the rest."""

from collections.abc import Callable, Mapping
from typing import Final

from api.market.reading.settings import FolderValueError, Section
from ledger.errors import VoisinError
from ledger.units import BasisPoints, MicrosPerKilowattHour
from settlement.trading.auction import Auction
from settlement.trading.mechanisms.keys import DynamicKey, HybridKey, Key, MatrixKey, StaticKey
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.outcome import Mechanism

_AUCTIONS: Final[Mapping[str, Mechanism]] = {"auction": Auction(), "pay-as-bid": PayAsBid()}
_SHARING: Final = "sharing"
_NOTHING: Final = "nothing"
_KEYS: Final = ("static", "dynamic", "hybrid", "matrix")


def read_mechanism(one: Section, accounts: Mapping[str, str]) -> Mechanism:
    """
    Return the rule of trading; members in keys are named, and looked up in ``accounts``.

    Raises
    ------
    FolderValueError
        If it is none that there is, or a key names a stranger or gives more than the whole.
    """
    kinds = (*_AUCTIONS, _SHARING)
    kind = one.parsed("kind", f"one of {', '.join(kinds)}", _one_of(kinds), "auction")
    if kind in _AUCTIONS:
        one.only("kind")
        return _AUCTIONS[kind]
    one.only("kind", "price", "key", "parts", "rows", "then")
    thens = (*_AUCTIONS, _NOTHING)
    then = one.parsed("then", f"one of {', '.join(thens)}", _one_of(thens), "auction")
    try:
        key = _key(one, accounts)
    except VoisinError as fault:
        if isinstance(fault, FolderValueError):
            raise
        raise FolderValueError(one.key("key"), str(fault)) from fault
    return Sharing(MicrosPerKilowattHour(one.money("price")), key, _AUCTIONS.get(then))


def _key(one: Section, accounts: Mapping[str, str]) -> Key:
    kind = one.parsed("key", f"one of {', '.join(_KEYS)}", _one_of(_KEYS))
    if kind == "dynamic":
        return DynamicKey()
    if kind == "matrix":
        rows = one.section("rows")
        return MatrixKey(
            {
                _account(rows, producer, accounts): _parts(rows.section(producer), accounts)
                for producer in rows.values
            }
        )
    parts = _parts(one.section("parts"), accounts)
    return StaticKey(parts) if kind == "static" else HybridKey(parts)


def _parts(one: Section, accounts: Mapping[str, str]) -> dict[str, BasisPoints]:
    return {_account(one, name, accounts): BasisPoints(one.count(name)) for name in one.values}


def _account(one: Section, name: str, accounts: Mapping[str, str]) -> str:
    if name not in accounts:
        raise FolderValueError(one.key(name), "there is no such member")
    return accounts[name]


def _one_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(value)
        return value

    return parse
