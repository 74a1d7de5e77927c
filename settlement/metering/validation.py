"""Tell plausible readings from impossible ones (validation, estimation, editing: the V)."""

from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import Watts
from settlement.metering.readings import Reading

_TOLERANCE_PERCENT: Final = 105
_WHOLE_PERCENT: Final = 100
_SECONDS_PER_HOUR: Final = 3_600


class RegisterWentBackError(UnverifiedReading):
    """A cumulative register shows less than before."""

    def __init__(self, before_wh: int, now_wh: int) -> None:
        super().__init__("register_went_back", f"the register went from {before_wh} to {now_wh} Wh")


class SequenceError(UnverifiedReading):
    """A reading's number or instant does not follow the one before."""

    def __init__(self, what: str, before: int, now: int) -> None:
        super().__init__("out_of_sequence", f"{what} went from {before} to {now}")


class ImplausiblePowerError(UnverifiedReading):
    """More energy than the meter can carry in the time."""

    def __init__(self, energy_wh: int, elapsed_s: int, rated_power_w: int) -> None:
        super().__init__(
            "implausible_power",
            f"{energy_wh} Wh in {elapsed_s} s is more than {rated_power_w} W can carry",
        )


def check_power(energy_wh: int, elapsed_s: int, rated_power_w: Watts) -> None:
    """
    Check that ``energy_wh`` fits through the meter in ``elapsed_s``, with 5 % tolerance.

    Raises
    ------
    ImplausiblePowerError
        If it does not.
    """
    carried = rated_power_w * elapsed_s * _TOLERANCE_PERCENT
    if energy_wh * _SECONDS_PER_HOUR * _WHOLE_PERCENT > carried:
        raise ImplausiblePowerError(energy_wh, elapsed_s, rated_power_w)


def check_continuity(before: Reading, now: Reading, rated_power_w: Watts) -> None:
    """
    Check a reading against the register's previous one.

    Raises
    ------
    SequenceError
        If instant or number do not rise.
    RegisterWentBackError
        If the register shows less.
    ImplausiblePowerError
        If more energy came than the meter can carry.
    """
    if now.at_s <= before.at_s:
        raise SequenceError("the instant", before.at_s, now.at_s)
    if now.sequence <= before.sequence:
        raise SequenceError("the number", before.sequence, now.sequence)
    if now.energy_wh < before.energy_wh:
        raise RegisterWentBackError(before.energy_wh, now.energy_wh)
    check_power(now.energy_wh - before.energy_wh, now.at_s - before.at_s, rated_power_w)
