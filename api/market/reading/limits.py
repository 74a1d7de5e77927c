"""Read a member's standing limits: one pair for the whole day, or bands."""

from typing import Final

from api.market.reading.settings import FolderValueError, Section
from ledger.errors import VoisinError
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds
from settlement.trading.mandates import Band, Mandate, check_mandate

_DAY_MINUTES: Final = 1_440
_HOUR_MINUTES: Final = 60
_ALWAYS_S: Final = UnixSeconds(2**62)
_PRICE_BITS: Final = 31
_ANY_CAP: Final = Micros(2**62)
_CLOCK: Final = "a time of day, 00:00 to 24:00"


def read_limits(one: Section, account: str) -> Mandate:
    """
    Return the limits of a member's section as a mandate that always holds.

    Raises
    ------
    FolderValueError
        If they are missing, leave a part of the day open, or are no prices.
    """
    bands = tuple(map(_band, one.sections("bands"))) if one.has("bands") else (_whole_day(one),)
    mandate = Mandate(
        member=account,
        bands=bands,
        cap_micros=Micros(one.money("cap")) if one.has("cap") else _ANY_CAP,
        valid_from_s=UnixSeconds(0),
        valid_until_s=_ALWAYS_S,
        nonce=0,
    )
    if mandate.cap_micros < 0:
        raise FolderValueError(one.key("cap"), "is below zero")
    try:
        check_mandate(mandate)
    except VoisinError as fault:
        raise FolderValueError(one.key("bands"), str(fault)) from fault
    return mandate


def _whole_day(one: Section) -> Band:
    return Band(0, _DAY_MINUTES, _price(one, "sell_not_below"), _price(one, "buy_not_above"))


def _band(one: Section) -> Band:
    one.only("from", "until", "sell_not_below", "buy_not_above")
    return Band(
        from_minute=one.parsed("from", _CLOCK, _minute),
        until_minute=one.parsed("until", _CLOCK, _minute),
        sell_not_below=_price(one, "sell_not_below"),
        buy_not_above=_price(one, "buy_not_above"),
    )


def _price(one: Section, key: str) -> MicrosPerKilowattHour:
    price = one.money(key)
    if not -(2**_PRICE_BITS) <= price < 2**_PRICE_BITS:
        raise FolderValueError(one.key(key), "is beyond signed 32 bits of micros per kWh")
    return MicrosPerKilowattHour(price)


def _minute(value: object) -> int:
    if not isinstance(value, str):
        raise TypeError(value)
    hours, _, minutes = value.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(minutes) < _HOUR_MINUTES):
        raise ValueError(value)
    minute = int(hours) * _HOUR_MINUTES + int(minutes)
    if minute > _DAY_MINUTES:
        raise ValueError(value)
    return minute
