"""
What to pay for gas: what the node asks, more of it under the same nonce when that was too little.

Where gas is free, as on the devnet and on most consortium chains, everything stays 0 and the bytes
of a transaction follow from its call and nonce alone.
"""

from dataclasses import dataclass
from typing import Final

from settlement.chain.gateway import FeeQuote

_PERCENT: Final = 100
_HEADROOM: Final = 2
"""Base fees that an attempt can bear: six full blocks in a row double the base fee (EIP-1559)."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What one attempt offers."""

    max_fee_wei: int
    """At most, in wei per gas, base fee and tip together."""
    tip_wei: int
    """For whoever makes the block, in wei per gas."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How much to offer, when to offer more, and where to stop."""

    max_fee_cap_wei: int = 500 * 10**9
    """No attempt offers more than this, in wei per gas."""
    patience_blocks: int = 3
    """An attempt that so many blocks have passed by is bumped."""
    bump_percent: int = 10
    """By how much a replacement must pay more for nodes to take it."""

    def first(self, quote: FeeQuote) -> Fees:
        """Return what a first attempt offers, never above the cap."""
        max_fee = min(_HEADROOM * quote.base_fee_wei + quote.tip_wei, self.max_fee_cap_wei)
        return Fees(max_fee, min(quote.tip_wei, max_fee))

    def bumped(self, last: Fees, quote: FeeQuote) -> Fees:
        """
        Return what takes the place of ``last``: both fees higher, and at least what is asked now.

        The result may be above the cap; then it must not be signed.
        """
        tip = max(self._raised(last.tip_wei), quote.tip_wei)
        asked = _HEADROOM * quote.base_fee_wei + tip
        return Fees(max(self._raised(last.max_fee_wei), asked), tip)

    def _raised(self, fee_wei: int) -> int:
        """Return ``fee_wei`` and the bump, rounded up, at least 1 wei more."""
        return max(-(-fee_wei * (_PERCENT + self.bump_percent) // _PERCENT), fee_wei + 1)
