"""An order as an interval is settled from it: signature and times are behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from contracts.typed_data import keccak
from ledger.units import MicrosPerKilowattHour, WattHours


class Side(IntEnum):
    """Which way the energy goes, as it is signed."""

    SELL = 0
    BUY = 1


class Quantity(IntEnum):
    """What decides how much, as it is signed."""

    METERED = 0
    """The meter, up to the order's energy."""
    FIRM = 1
    """The order, whatever the meter says."""


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """What a member wants in one interval, beside or instead of what its mandate says."""

    key: str
    """Struct hash of the signed order as hex, without 0x."""
    side: Side
    """To sell or to buy."""
    firm: bool
    """Whether the energy is fixed; else the meter decides, up to it."""
    energy_wh: WattHours
    """Energy in each interval, in Wh, above zero."""
    limit: MicrosPerKilowattHour
    """Of a sale the least energy price; of a purchase the most for energy, toll and levy."""
    partner: str = ""
    """Wallet to trade with if quantity and price are the same, or empty."""
    solar: bool = False
    """Of a purchase: from the sun, if quantity and price are the same."""


def orders_hash(mandate_hash: bytes, orders: Iterable[StandingOrder]) -> bytes:
    """
    Return what a settlement leaf says of the limits in force, 32 bytes (decision 0003).

    Without orders it is the mandate's struct hash; with them the keccak256 of that hash and the
    orders' own, these in ascending order.
    """
    keys = sorted(order.key for order in orders)
    return keccak(mandate_hash + bytes.fromhex("".join(keys))) if keys else mandate_hash
