"""
Let a car draw energy through a station's meter, without a clock or a service.

Time is given in whole seconds and energy is counted in watt-seconds, so that the register says the
same however the time is cut. Each interval's energy and the whole session's are signed.
"""

from dataclasses import dataclass
from typing import Final

from devnet.field.events import FiscalSlice
from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    WattHours,
    Watts,
)

_WS_PER_WH: Final = 3_600
_WH_PER_KWH: Final = 1_000
_STEP_S: Final = 10
"""The power changes at multiples of this alone, so that it matters not when it is looked at."""
_KNEE_BP: Final = BasisPoints(8_000)
_LEAST_SHARE: Final = 10
"""A nearly full car still draws a tenth of its power."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How a car draws: full power, then less and less, then nothing."""

    power_w: Watts
    """Power at first, in W."""
    wanted_wh: WattHours
    """Energy after which the car is full, in Wh."""
    knee_bp: BasisPoints = _KNEE_BP
    """Share of the energy up to which the power is full, in basis points."""

    def power_at(self, taken_wh: WattHours) -> Watts:
        """Return the power after ``taken_wh``, in W."""
        left_wh = self.wanted_wh - taken_wh
        if left_wh <= 0:
            return Watts(0)
        fading_wh = self.wanted_wh * (WHOLE_BP - self.knee_bp) // WHOLE_BP
        if left_wh >= fading_wh:
            return self.power_w
        least_w = -(-self.power_w // _LEAST_SHARE)
        return Watts(max(least_w, self.power_w * left_wh // fading_wh))


@dataclass(frozen=True, slots=True)
class Plate:
    """The price that a station knows and shows, which lets it stop at a cost by itself."""

    price: MicrosPerKilowattHour
    """Per kWh, VAT included."""
    flat_micros: Micros
    """Per session with energy, VAT included."""

    def affordable_wh(self, limit_micros: Micros) -> WattHours:
        """Return the most energy that costs no more than ``limit_micros``, in whole Wh."""
        left_micros = limit_micros - self.flat_micros
        if left_micros < 0:
            return WattHours(0)
        # The cost is rounded down, so the last part of a micro-euro is free.
        return WattHours(((left_micros + 1) * _WH_PER_KWH - 1) // self.price)


@dataclass(frozen=True, slots=True)
class MeterState:
    """A station meter's register and page counters, which never go back."""

    register_wh: WattHours
    """Import register, in Wh."""
    fiscal_page: int = 0
    """Number of the last fiscal record."""
    transaction_page: int = 0
    """Number of the last transaction record."""


class Charge:
    """One car's energy, from plugging in to unplugging."""

    def __init__(self, curve: Curve, meter: MeterState, at_s: UnixSeconds) -> None:
        self.begin_s: Final = at_s
        self.begin_wh: Final = meter.register_wh
        self.at_s = at_s
        """Up to when the energy is counted."""
        self.allowed_wh: WattHours | None = None
        """Most energy that the station lets through, in Wh, if it is limited."""
        self.closed = False
        """Whether the station lets nothing through for now."""
        self._curve: Final = curve
        self._taken_ws = 0
        self._step_w = curve.power_at(WattHours(0))
        self._slice_s, self._slice_wh = at_s, meter.register_wh
        self._fiscal_page, self._transaction_page = meter.fiscal_page, meter.transaction_page

    @property
    def taken_wh(self) -> WattHours:
        """Energy so far, in whole Wh, floored."""
        return WattHours(self._taken_ws // _WS_PER_WH)

    @property
    def register_wh(self) -> WattHours:
        """Import register, in Wh."""
        return WattHours(self.begin_wh + self.taken_wh)

    @property
    def power_w(self) -> Watts:
        """Power at this instant, in W."""
        if self.closed or self.is_spent:
            return Watts(0)
        return self._curve.power_at(self.taken_wh)

    @property
    def is_spent(self) -> bool:
        """Whether all the energy is drawn that the station lets through."""
        return self.allowed_wh is not None and self.taken_wh >= self.allowed_wh

    @property
    def is_full(self) -> bool:
        """Whether the car wants no more."""
        return self.taken_wh >= self._curve.wanted_wh

    @property
    def meter(self) -> MeterState:
        """The meter as it stands."""
        return MeterState(self.register_wh, self._fiscal_page, self._transaction_page)

    def advance(self, to_s: UnixSeconds) -> None:
        """Let the car draw until ``to_s``; never more than it wants or is let through."""
        most_wh = self._curve.wanted_wh
        if self.allowed_wh is not None:
            most_wh = min(most_wh, self.allowed_wh)
        while self.at_s < to_s:
            if self.at_s % _STEP_S == 0:
                self._step_w = self._curve.power_at(self.taken_wh)
            step_s = min(_STEP_S - self.at_s % _STEP_S, to_s - self.at_s)
            power_w = 0 if self.closed else self._step_w
            drawn_ws = self._taken_ws + power_w * step_s
            self._taken_ws = max(self._taken_ws, min(drawn_ws, most_wh * _WS_PER_WH))
            self.at_s = UnixSeconds(self.at_s + step_s)

    def begin_page(self) -> int:
        """Return the transaction page of a record of the begin alone."""
        self._transaction_page += 1
        return self._transaction_page

    def cut(self) -> FiscalSlice | None:
        """End the fiscal slice here and begin the next; None if no time has passed in it."""
        if self._slice_s == self.at_s:
            return None
        self._fiscal_page += 1
        part = FiscalSlice(
            page=self._fiscal_page,
            begin_s=self._slice_s,
            end_s=self.at_s,
            begin_wh=self._slice_wh,
            end_wh=self.register_wh,
        )
        self._slice_s, self._slice_wh = self.at_s, self.register_wh
        return part

    def close(self) -> FiscalSlice:
        """End the session here and return the whole of it, with its transaction page."""
        self.closed = True
        self._transaction_page += 1
        return FiscalSlice(
            page=self._transaction_page,
            begin_s=self.begin_s,
            end_s=self.at_s,
            begin_wh=self.begin_wh,
            end_wh=self.register_wh,
        )
