"""Orders and cancellations as members sign them (EIP-712, decision 0003)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from contracts.typed_data import Domain, hash_struct
from ledger.errors import InvalidRequest
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.metering.intervals import IntervalIndex
from settlement.trading.orders.signing import BadOrderError, check_signer, signer
from settlement.trading.orders.standing import Quantity, Side, StandingOrder

ENERGY_MAX: Final = WattHours(2**40)
"""Most that an order may name for an interval, in Wh."""
NOBODY: Final = "0x" + "00" * 20
"""What is signed for no partner."""
_LIMIT_BITS: Final = 31


class PriceOutOfRangeError(InvalidRequest):
    """A limit that is no signed number of 32 bits."""

    def __init__(self, limit: MicrosPerKilowattHour) -> None:
        super().__init__("price_out_of_range", f"a limit of {limit} does not fit 32 bits")


@dataclass(frozen=True, slots=True)
class IntervalOrder:
    """What a member offers, or bids for, in each of some intervals."""

    member: str
    """Wallet, lower case."""
    side: int
    """0 to sell, 1 to buy."""
    quantity: int
    """0 metered, 1 firm."""
    first_interval: IntervalIndex
    """First interval it is for."""
    last_interval: IntervalIndex
    """Last interval it is for."""
    energy_wh: WattHours
    """Energy in each interval, in Wh."""
    limit: MicrosPerKilowattHour
    """Of a sale the least energy price; of a purchase the most for energy, toll and levy."""
    partner: str
    """Wallet to trade with if quantity and price are the same; 20 zero bytes for none."""
    solar_only: bool
    """Of a purchase: from the sun, if quantity and price are the same."""
    expires_at_s: UnixSeconds
    """It counts for intervals that begin before, in Unix seconds."""
    replaces: int
    """Nonce of the order it takes the place of, or 0."""
    nonce: int
    """Above 0; an order of a member is known by it."""

    @property
    def firm(self) -> bool:
        """Whether its energy is fixed."""
        return self.quantity == Quantity.FIRM


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A member takes an order back for all intervals that have not begun."""

    member: str
    """Wallet, lower case."""
    cancels: int
    """Nonce of the order."""
    nonce: int
    """A cancellation of a member is known by it."""


def order_hash(order: IntervalOrder) -> bytes:
    """Return the struct hash of an order, 32 bytes."""
    return hash_struct("Order", _order_values(order))


def cancellation_hash(given: Cancellation) -> bytes:
    """Return the struct hash of a cancellation, 32 bytes."""
    return hash_struct("OrderCancel", _cancellation_values(given))


def standing(order: IntervalOrder) -> StandingOrder:
    """Return an order as an interval is settled from it."""
    return StandingOrder(
        key=order_hash(order).hex(),
        side=Side(order.side),
        firm=order.firm,
        energy_wh=order.energy_wh,
        limit=order.limit,
        partner="" if order.partner == NOBODY else order.partner,
        solar=order.solar_only,
    )


def check_order(order: IntervalOrder) -> None:
    """
    Check that an order makes sense on its own.

    Raises
    ------
    BadOrderError
        If side or quantity is unknown, intervals or energy are out of range, it names itself, or a
        sale asks for sun: what an offer was made of, the meter says.
    PriceOutOfRangeError
        If its limit does not fit 32 bits.
    """
    faults = (
        (order.side not in set(Side), f"side {order.side} is neither 0 nor 1"),
        (order.quantity not in set(Quantity), f"quantity {order.quantity} is neither 0 nor 1"),
        (not 0 < order.energy_wh <= ENERGY_MAX, f"{order.energy_wh} Wh is not 1 to 2**40"),
        (order.first_interval > order.last_interval, "its last interval is before its first"),
        (order.nonce <= 0, "its nonce is not above 0"),
        (order.replaces == order.nonce, "it replaces itself"),
        (order.partner == order.member, "its partner is its own member"),
        (order.side == Side.SELL and order.solar_only, "only a purchase can ask for sun"),
    )
    for wrong, detail in faults:
        if wrong:
            raise BadOrderError(detail)
    if not -(1 << _LIMIT_BITS) <= order.limit < 1 << _LIMIT_BITS:
        raise PriceOutOfRangeError(order.limit)


def verify_order(
    domain: Domain, order: IntervalOrder, signature: bytes, delegates: Collection[str]
) -> str:
    """
    Check an order and who signed it; return the signer, the member or one of ``delegates``.

    Raises
    ------
    BadOrderError
        If it makes no sense.
    PriceOutOfRangeError
        If its limit does not fit 32 bits.
    OrderNotSignedError
        If somebody else signed, or for another community.
    """
    check_order(order)
    found = signer(domain, "Order", _order_values(order), signature)
    check_signer(found, order.member, delegates)
    return found


def verify_cancellation(
    domain: Domain, given: Cancellation, signature: bytes, delegates: Collection[str]
) -> str:
    """
    Check who signed a cancellation; return the signer, the member or one of ``delegates``.

    Raises
    ------
    BadOrderError
        If a value does not fit its type.
    OrderNotSignedError
        If somebody else signed, or for another community.
    """
    found = signer(domain, "OrderCancel", _cancellation_values(given), signature)
    check_signer(found, given.member, delegates)
    return found


def _order_values(order: IntervalOrder) -> dict[str, object]:
    return {
        "member": order.member,
        "side": order.side,
        "quantity": order.quantity,
        "firstInterval": order.first_interval,
        "lastInterval": order.last_interval,
        "energyWh": order.energy_wh,
        "limit": order.limit,
        "partner": order.partner,
        "solarOnly": order.solar_only,
        "expiresAt": order.expires_at_s,
        "replaces": order.replaces,
        "nonce": order.nonce,
    }


def _cancellation_values(given: Cancellation) -> dict[str, object]:
    return {"member": given.member, "cancels": given.cancels, "nonce": given.nonce}
