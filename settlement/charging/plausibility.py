"""
Tell what a station's meter can have measured from what it cannot (validation, the V of VEE).

Everything is judged on signed registers. What a station says beside them, ``meterStart`` for one,
is for the screen: ``shown_register``. Whatever is refused here holds the money of a session; what
``clock_fault`` names is told to the operator and holds nothing.
"""

from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.metering.ocmf import OcmfReading
from settlement.metering.ocmf_time import instant_s, is_synchronized
from settlement.metering.validation import ImplausiblePowerError, check_power

_AHEAD_MAX_S: Final = 300
_BEHIND_MAX_S: Final = 300
_CLOCK_GRAIN_S: Final = 1
"""Instants of records are cut to whole seconds, so up to one may be missing between two."""


class BrokenRegisterError(UnverifiedReading):
    """The begin does not go on where the station's meter stood before."""

    def __init__(self, begin_wh: int, previous_wh: int) -> None:
        super().__init__(
            "broken_register", f"the record begins at {begin_wh} Wh, the meter was at {previous_wh}"
        )


class RegisterOverlapsError(UnverifiedReading):
    """The end lies above where a later session of the meter began."""

    def __init__(self, end_wh: int, next_wh: int) -> None:
        super().__init__(
            "register_overlaps", f"the record ends at {end_wh} Wh, the next began at {next_wh}"
        )


class RegisterWrappedError(UnverifiedReading):
    """The register began again at 0 within the session, which the contract cannot add up."""

    def __init__(self, energy_wh: int, modulus_wh: int) -> None:
        super().__init__(
            "register_wrapped", f"{energy_wh} Wh, over the register's turn at {modulus_wh} Wh"
        )


class SerialChangedError(UnverifiedReading):
    """The record is of another meter than the one that is enrolled for the station."""

    def __init__(self, found: str, enrolled: str) -> None:
        super().__init__(
            "serial_changed", f"the record is of meter {found!r}, enrolled is {enrolled!r}"
        )


def check_serial(found: str, enrolled: str) -> None:
    """
    Check that a record is of the enrolled meter; a record without a serial number says nothing.

    Raises
    ------
    SerialChangedError
        If it names another one.
    """
    if found and enrolled and found != enrolled:
        raise SerialChangedError(found, enrolled)


def wrapped_energy(
    begin_wh: WattHours, end_wh: WattHours, modulus_wh: WattHours | None
) -> WattHours | None:
    """Return the energy from a begin to an end below it, if the register's modulus explains it."""
    if modulus_wh is None or not end_wh < begin_wh < modulus_wh:
        return None
    return WattHours(end_wh + modulus_wh - begin_wh)


def check_wrap(
    begin_wh: WattHours,
    end_wh: WattHours,
    modulus_wh: WattHours | None,
    *,
    elapsed_s: int,
    rated_power_w: Watts,
) -> None:
    """
    Say by name that a register turned within a session; say nothing if that explains nothing.

    It does if the maker declares a modulus and the energy over it fits through the meter.

    Raises
    ------
    RegisterWrappedError
        If it did turn.
    """
    energy = wrapped_energy(begin_wh, end_wh, modulus_wh)
    if energy is None or modulus_wh is None:
        return
    try:
        check_power(energy, elapsed_s, rated_power_w)
    except ImplausiblePowerError:
        return
    raise RegisterWrappedError(energy, modulus_wh)


def check_goes_on(
    begin_wh: WattHours,
    previous_end_wh: WattHours | None,
    modulus_wh: WattHours | None,
    *,
    elapsed_s: int,
    rated_power_w: Watts,
) -> None:
    """
    Check that a session begins where the meter's last one ended, or above.

    A begin of 0, which some stations write before they have asked their meter, is below any end.
    A turn of the register counts if its declared modulus explains it in ``elapsed_s``.

    Raises
    ------
    BrokenRegisterError
        If it does not.
    """
    if previous_end_wh is None or begin_wh >= previous_end_wh:
        return
    try:
        check_wrap(
            previous_end_wh,
            begin_wh,
            modulus_wh,
            elapsed_s=elapsed_s,
            rated_power_w=rated_power_w,
        )
    except RegisterWrappedError:
        return
    raise BrokenRegisterError(begin_wh, previous_end_wh)


def check_metered_time(
    begin: OcmfReading, end: OcmfReading, energy_wh: WattHours, rated_power_w: Watts
) -> None:
    """
    Check that the energy fits through the meter in the time that the meter itself states.

    Only a synchronized clock is asked; the service's own clock bounds the time in any case.

    Raises
    ------
    ImplausiblePowerError
        If it does not fit.
    """
    if is_synchronized(begin) and is_synchronized(end):
        elapsed_s = instant_s(end) - instant_s(begin) + _CLOCK_GRAIN_S
        check_power(energy_wh, elapsed_s, rated_power_w)


def shown_register(register_wh: WattHours | None) -> WattHours | None:
    """Return a register that a station told unsigned, if it may be shown; -1 means none."""
    return None if register_wh is None or register_wh < 0 else register_wh


def clock_fault(told_s: UnixSeconds, *, opened_s: UnixSeconds, now_s: UnixSeconds) -> str | None:
    """
    Return what is wrong with a station's clock, or None: ``clock_ahead`` or ``clock_behind``.

    A station that was offline tells the past, so only what lies before its session was opened is
    behind; 1970, and a time zone that was forgotten, mostly are.
    """
    if told_s > now_s + _AHEAD_MAX_S:
        return "clock_ahead"
    if told_s < opened_s - _BEHIND_MAX_S:
        return "clock_behind"
    return None


def trusted_start(told_s: UnixSeconds, *, opened_s: UnixSeconds, now_s: UnixSeconds) -> UnixSeconds:
    """Return when a session began: as told, but not before it was opened nor after now."""
    return UnixSeconds(min(max(told_s, opened_s), now_s))
