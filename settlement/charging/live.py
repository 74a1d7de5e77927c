"""
Say how a session stands while it charges, from what its meter shows unsigned.

Nothing here is billed. It is what the driver sees, and what tells when to stop so that the deposit
is not overrun. What a value shows is believed only as far as the meter can have carried it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.typed_data import BadSignatureError, keccak, signer_of
from ledger.errors import NotPermitted
from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    WattHours,
    Watts,
)
from settlement.charging.reports import MeterValue
from settlement.metering.validation import ImplausiblePowerError, check_power

WARNING_BP: Final = BasisPoints(8_000)
"""Share of the deposit from which on the driver is warned."""

_SECONDS_PER_HOUR: Final = 3_600
_MICROS_MS: Final = 1_000 * 3_600_000
"""Micro-euros per kWh, times W, times ms, in one micro-euro."""


class NotTheDriverError(NotPermitted):
    """Somebody else than the session's driver asks for what only the driver may ask."""

    def __init__(self, identity: str) -> None:
        super().__init__("not_the_driver", f"{identity} is not of the key that signed")


class Level(StrEnum):
    """How near a session is to the end of its deposit."""

    CALM = "calm"
    WARNED = "warned"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a session began, and what its meter can carry at most."""

    begin_wh: WattHours
    """Register at the begin, as told, in Wh."""
    begin_s: UnixSeconds
    """When that was, by the station's clock, in Unix seconds."""
    rated_power_w: Watts
    """Most power the meter can carry, in W."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session came, by the last value that can be believed."""

    at_s: UnixSeconds
    """When, by the station's clock, in Unix seconds."""
    energy_wh: WattHours
    """Energy so far, in Wh."""
    power_w: Watts
    """Power that flows, in W."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a session may cost, and how fast it can be stopped."""

    deposit_micros: Micros
    """What the driver put up, in micros."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """What another kWh costs, VAT included."""
    latency_ms: int
    """Longest time from deciding to stop until no energy flows, in ms."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a driver sees of the money."""

    spent_micros: Micros
    """What the energy so far costs, never more than the deposit, in micros."""
    back_micros: Micros
    """What would come back if it ended now: deposit less spent, in micros."""
    spent_bp: BasisPoints
    """Share of the deposit that is spent, in basis points."""
    reserve_micros: Micros
    """What still flows, and is owed, while the station stops, in micros."""
    level: Level
    """How near the end is."""


def stop_reserve_micros(
    price_micros_per_kwh: MicrosPerKilowattHour, power_w: Watts, latency_ms: int
) -> Micros:
    """
    Return what is still owed for energy that flows while the station stops, rounded up.

    Parameters
    ----------
    price_micros_per_kwh
        What another kWh costs, VAT included.
    power_w
        Power that flows, in W.
    latency_ms
        How long it goes on flowing, in ms.
    """
    return Micros(-(-price_micros_per_kwh * power_w * latency_ms // _MICROS_MS))


def advanced(baseline: Baseline, before: Progress | None, value: MeterValue) -> Progress | None:
    """
    Return how far the session came with ``value``; ``before`` if the value cannot be believed.

    A register below the begin or below what was shown before, one that ran faster than the meter
    can carry, and a value older than the last are passed over: the screen never jumps back, and a
    register that begins at nothing and goes on at a lifetime's total stops nobody.

    Parameters
    ----------
    baseline
        Where the session began.
    before
        How far it came before; None at first.
    value
        What the meter shows.
    """
    if value.register_wh is None:
        if before is None or value.power_w is None or value.at_s < before.at_s:
            return before
        return replace(before, power_w=value.power_w)
    return _with_register(baseline, before, value, value.register_wh)


def _with_register(
    baseline: Baseline, before: Progress | None, value: MeterValue, register_wh: WattHours
) -> Progress | None:
    energy = WattHours(register_wh - baseline.begin_wh)
    since = Progress(baseline.begin_s, WattHours(0), Watts(0)) if before is None else before
    elapsed_s = value.at_s - since.at_s
    if elapsed_s < 0 or energy < since.energy_wh or not _carried(baseline, energy, value.at_s):
        return before
    power = value.power_w
    if power is None:
        drawn_wh = energy - since.energy_wh
        power = Watts(drawn_wh * _SECONDS_PER_HOUR // elapsed_s) if elapsed_s else since.power_w
    return Progress(value.at_s, energy, power)


def _carried(baseline: Baseline, energy_wh: WattHours, at_s: UnixSeconds) -> bool:
    """Say whether the meter can have carried ``energy_wh`` since the begin."""
    try:
        check_power(energy_wh, at_s - baseline.begin_s, baseline.rated_power_w)
    except ImplausiblePowerError:
        return False
    return True


def standing(owed_micros: Micros, power_w: Watts, deposit: Deposit) -> Standing:
    """
    Return how the deposit stands.

    Parameters
    ----------
    owed_micros
        What the energy so far costs by the function that bills, deposit or not, in micros.
    power_w
        Power that flows, in W.
    deposit
        What the session may cost.
    """
    whole = deposit.deposit_micros
    spent = Micros(min(owed_micros, whole))
    reserve = stop_reserve_micros(deposit.price_micros_per_kwh, power_w, deposit.latency_ms)
    level = Level.CALM
    if owed_micros + reserve >= whole:
        level = Level.SPENT
    elif owed_micros * WHOLE_BP >= whole * WARNING_BP:
        level = Level.WARNED
    return Standing(
        spent_micros=spent,
        back_micros=Micros(whole - spent),
        spent_bp=BasisPoints(spent * WHOLE_BP // whole),
        reserve_micros=reserve,
        level=level,
    )


def lasts_ms(owed_micros: Micros, power_w: Watts, deposit: Deposit) -> int | None:
    """
    Return in how many ms the station must be told to stop if power stays as it is, rounded down.

    0 if that is now or was before; None if nothing flows, or what flows costs nothing.

    Parameters
    ----------
    owed_micros
        What the energy so far costs, in micros.
    power_w
        Power that flows, in W.
    deposit
        What the session may cost.
    """
    a_while = deposit.price_micros_per_kwh * power_w
    if a_while <= 0:
        return None
    reserve = stop_reserve_micros(deposit.price_micros_per_kwh, power_w, deposit.latency_ms)
    left = deposit.deposit_micros - owed_micros - reserve
    return max(0, left) * _MICROS_MS // a_while


def check_stop(session_id: str, driver: str, signature: bytes) -> None:
    """
    Check that the driver signed the wish to stop: ``stop_text`` as EIP-191 text (personal_sign).

    Raises
    ------
    NotTheDriverError
        If another key signed, or none can have.
    """
    text = stop_text(session_id).encode()
    hashed = keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
    try:
        signer = "0x" + signer_of(hashed, signature).hex()
    except BadSignatureError as fault:
        raise NotTheDriverError(session_id) from fault
    if signer != driver:
        raise NotTheDriverError(session_id)


def stop_text(session_id: str) -> str:
    """Return what a driver signs to stop a session; a session ends once, so it is good for once."""
    return f"Voisin: stop charging session {session_id}"
