"""Reasons, and the numbers that prove them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import Integrity
from ledger.units import WattHours
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Order


class NotExplainedError(Integrity):
    """An outcome that the rules do not give: an order that should have been served was not."""

    def __init__(self, order: Order) -> None:
        super().__init__("not_explained", f"no rule says why {order.member} was not served")


class Reason(StrEnum):
    """Why an order was served, in full, in part or not."""

    SERVED = "served"
    """In full, by the auction."""
    KEY_SHARE = "key_share"
    """It has its part by the sharing key; if not in full, nothing more was there."""
    AT_THE_MARGIN = "at_the_margin"
    """Its limit is the price: what was left is shared in proportion."""
    LIMIT_BELOW_PRICE = "limit_below_price"
    """It would not pay the price."""
    LIMIT_ABOVE_PRICE = "limit_above_price"
    """It would not sell at the price."""
    CAP_BINDS = "cap_binds"
    """The price on the other side of an edge suits it, and a cap let no more over."""
    NO_COUNTERPARTY = "no_counterparty"
    """Nobody traded, and nobody's limit suits it."""
    CLAMPED_TO_FUNDS = "clamped_to_funds"
    """Served as far as the member's free funds pay for it."""
    CLAMPED_TO_CAP = "clamped_to_cap"
    """Served as far as the member's own cap allows."""
    NO_MANDATE = "no_mandate"
    """Its member has no mandate in force, and so neither sells nor buys."""
    NOTHING_METERED = "nothing_metered"
    """The meter left nothing for it."""
    OWN_ORDER = "own_order"
    """It would have met the member's own firm order."""
    EXPIRED = "expired"
    """It counted no more when the interval began."""
    OUTSIDE_HOURS = "outside_hours"
    """The interval is none of those it is for."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an order got what it got."""

    side: Side
    """To sell or to buy."""
    order: Order
    """The order, with all the energy that it was for."""
    reason: Reason
    """Why."""
    numbers: Mapping[str, int]
    """Numbers behind it; each name ends in its unit: ``_wh``, ``_micros``, ``_per_kwh``, ``_s``."""
    served_wh: WattHours
    """What it traded, in Wh."""
    edge: str = ""
    """Zone below the edge whose cap bound, or empty."""
