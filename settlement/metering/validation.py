"""Tell plausible readings from impossible ones (validation, estimation, editing: the V)."""

from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import WattHours, Watts
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
    if not _carries(energy_wh, elapsed_s, rated_power_w):
        raise ImplausiblePowerError(energy_wh, elapsed_s, rated_power_w)


def _carries(energy_wh: int, elapsed_s: int, rated_power_w: Watts) -> bool:
    carried = rated_power_w * elapsed_s * _TOLERANCE_PERCENT
    return energy_wh * _SECONDS_PER_HOUR * _WHOLE_PERCENT <= carried


class BeyondModulusError(UnverifiedReading):
    """A register shows what it cannot show, since it begins again at 0 before."""

    def __init__(self, energy_wh: int, modulus_wh: int) -> None:
        super().__init__(
            "beyond_modulus", f"{energy_wh} Wh on a register that begins again at {modulus_wh} Wh"
        )


def check_continuity(
    before: Reading, now: Reading, rated_power_w: Watts, modulus_wh: WattHours | None = None
) -> None:
    """
    Check a reading against the register's previous one.

    Parameters
    ----------
    before
        The register's reading before.
    now
        The reading.
    rated_power_w
        Most power that the meter is made for, in W.
    modulus_wh
        Where the register begins again at 0, in Wh, if its maker says so. A register that goes back
        has begun again only if what it counted since is plausible.

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
    elapsed_s = now.at_s - before.at_s
    energy_wh = now.energy_wh - before.energy_wh
    if energy_wh >= 0:
        check_power(energy_wh, elapsed_s, rated_power_w)
    elif modulus_wh is None or not _carries(energy_wh + modulus_wh, elapsed_s, rated_power_w):
        raise RegisterWentBackError(before.energy_wh, now.energy_wh)


def check_register(energy_wh: WattHours, modulus_wh: WattHours | None) -> None:
    """
    Check that a register can show ``energy_wh``.

    Raises
    ------
    BeyondModulusError
        If it begins again at 0 before.
    """
    if modulus_wh is not None and energy_wh >= modulus_wh:
        raise BeyondModulusError(energy_wh, modulus_wh)
