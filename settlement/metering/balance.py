"""Balance a feeder: what comes in goes out, but for losses within the declared bound (L3)."""

from dataclasses import dataclass

from ledger.errors import UnverifiedReading
from ledger.units import WHOLE_BP, BasisPoints, WattHours


@dataclass(frozen=True, slots=True)
class FeederBalance:
    """One interval of one feeder."""

    exports_wh: WattHours
    """What members gave to the feeder, in Wh."""
    imports_wh: WattHours
    """What members and stations took from it, in Wh."""
    head_import_wh: WattHours
    """What the grid gave at the feeder head, in Wh."""
    head_export_wh: WattHours
    """What the grid took at the feeder head, in Wh."""

    @property
    def fed_in_wh(self) -> WattHours:
        """Everything that came in, in Wh."""
        return WattHours(self.exports_wh + self.head_import_wh)

    @property
    def losses_wh(self) -> WattHours:
        """What came in and did not go out, in Wh; below zero if energy came from nowhere."""
        return WattHours(self.fed_in_wh - self.imports_wh - self.head_export_wh)


class FeederDisagreesError(UnverifiedReading):
    """The feeder-head meter does not fit the meters behind it."""

    def __init__(self, losses_wh: int, bound_wh: int) -> None:
        super().__init__(
            "feeder_disagrees", f"losses are {losses_wh} Wh, declared are 0 to {bound_wh} Wh"
        )


def check_balance(balance: FeederBalance, bound_bp: BasisPoints) -> None:
    """
    Check that losses lie between 0 and ``bound_bp`` of what was fed in, rounded up to a Wh.

    Raises
    ------
    FeederDisagreesError
        If they do not.
    """
    bound_wh = -(-balance.fed_in_wh * bound_bp // WHOLE_BP)
    if not 0 <= balance.losses_wh <= bound_wh:
        raise FeederDisagreesError(balance.losses_wh, bound_wh)
