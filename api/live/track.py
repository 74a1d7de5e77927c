"""Follow one session: what is stored of it, what its meter shows, and who watches."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson

from ledger.units import Micros, UnixSeconds, WattHours, Watts
from settlement.charging.live import (
    Baseline,
    Deposit,
    Level,
    Progress,
    Standing,
    advanced,
    lasts_ms,
    standing,
)
from settlement.charging.reports import MeterValue, Phase, TransactionReport
from settlement.engine.live.facts import Facts

STOP_LATENCY_MS: Final = 2_000
"""Longest time from deciding to stop until the station has let go of the car, in ms."""

_RESERVED: Final = frozenset({"charging"})
_LIMIT_REACHED: Final = frozenset({"CostLimitReached", "EnergyLimitReached"})


class Track:
    """One session, as far as screens show it. Lives on the event loop's thread alone."""

    def __init__(self, found: Facts) -> None:
        self.facts = found
        self.progress: Progress | None = None
        self.revision = 0
        self.watchers: Final[set[asyncio.Event]] = set()
        self.stop_timer: asyncio.TimerHandle | None = None
        self.acted: Level = Level.CALM
        self._suspended = False
        self._begin: tuple[WattHours, UnixSeconds] | None = found.begin
        self._document: bytes | None = None

    def put(self, found: Facts) -> bool:
        """Take what is stored now; return whether anything is different."""
        if found == self.facts:
            return False
        if found.deposit_micros != self.facts.deposit_micros:
            self.acted = Level.CALM
        self.facts = found
        self._begin = found.begin or self._begin
        self._changed()
        return True

    def note(self, report: TransactionReport) -> bool:
        """Take what the meter shows; return whether anything is different."""
        if self._begin is None:
            self._begin = _first(report)
        if self._begin is None or self.facts.energy_wh is not None:
            return False
        before = (self.progress, self._suspended)
        baseline = Baseline(*self._begin, self.facts.rated_power_w)
        self.progress = _after(baseline, self.progress, report.values)
        if report.trigger in _LIMIT_REACHED:
            self._suspended = True
        elif self.progress is not None and self.progress.power_w > 0:
            self._suspended = False
        if before == (self.progress, self._suspended):
            return False
        self._changed()
        return True

    @property
    def standing(self) -> Standing | None:
        """How the deposit stands; None as long as nothing was heard of the meter."""
        if self.progress is None or self.facts.state not in _RESERVED:
            return None
        owed = self.facts.owed_micros(self.progress.energy_wh)
        return standing(owed, self.progress.power_w, self._deposit())

    def lasts_ms(self) -> int | None:
        """Return in how many ms the station must be told to stop, if power stays as it is."""
        if self.progress is None or self.facts.state not in _RESERVED:
            return None
        owed = self.facts.owed_micros(self.progress.energy_wh)
        return lasts_ms(owed, self.progress.power_w, self._deposit())

    def document(self) -> bytes:
        """Return what a screen is told, as JSON; made once for all that watch."""
        if self._document is None:
            self._document = orjson.dumps(self.view())
        return self._document

    def view(self) -> dict[str, Any]:
        """Return what a screen shows: money as decimal strings of micros, energy in Wh."""
        facts = self.facts
        energy, power = self._energy_and_power()
        spent, back, spent_bp = self._money()
        refund = facts.refund
        return {
            "session_id": facts.session_id,
            "state": facts.state,
            "phase": self._phase(),
            "station_id": facts.station_id,
            "driver": facts.driver,
            "id_tag": facts.id_tag,
            "requested_wh": facts.requested_wh,
            "deadline_s": facts.deadline_s,
            "deposit_micros": str(facts.deposit_micros),
            "energy_wh": energy,
            "power_w": power,
            "at_s": None if self.progress is None else self.progress.at_s,
            "spent_micros": None if spent is None else str(spent),
            "back_micros": None if back is None else str(back),
            "spent_bp": spent_bp,
            "signed": facts.energy_wh is not None,
            "over": facts.is_over,
            "refund": None
            if refund is None
            else {
                "transaction": refund.transaction,
                "block": refund.block,
                "state": refund.state,
            },
        }

    def _phase(self) -> str:
        """Return the state for people: while charging also how near the end of the deposit is."""
        if self.facts.state != "charging":
            return self.facts.state
        if self._suspended:
            return "suspended"
        stands = self.standing
        if stands is None or stands.level is Level.CALM:
            return "charging"
        return "stopping" if stands.level is Level.SPENT else "warned"

    def _energy_and_power(self) -> tuple[WattHours | None, Watts | None]:
        if self.facts.energy_wh is not None:
            return self.facts.energy_wh, None
        if self.progress is None:
            return None, None
        return self.progress.energy_wh, self.progress.power_w

    def _money(self) -> tuple[Micros | None, Micros | None, int | None]:
        """Return spent, coming back, and the spent share of the deposit in basis points."""
        facts = self.facts
        if facts.charge_micros is not None and facts.refund_micros is not None:
            share = facts.charge_micros * 10_000 // facts.deposit_micros
            return facts.charge_micros, facts.refund_micros, share
        stands = self.standing
        if stands is None:
            return None, None, None
        return stands.spent_micros, stands.back_micros, stands.spent_bp

    def _deposit(self) -> Deposit:
        facts = self.facts
        return Deposit(facts.deposit_micros, facts.price_micros_per_kwh, STOP_LATENCY_MS)

    def _changed(self) -> None:
        self.revision += 1
        self._document = None
        for watcher in self.watchers:
            watcher.set()


def _first(report: TransactionReport) -> tuple[WattHours, UnixSeconds] | None:
    """Return the register that a start is told with, if it is told with one (OCPP 2.x)."""
    if report.phase is not Phase.STARTED:
        return None
    told = ((one.register_wh, one.at_s) for one in report.values if one.register_wh is not None)
    return next(told, None)


def _after(
    begin: Baseline, progress: Progress | None, values: Sequence[MeterValue]
) -> Progress | None:
    for value in values:
        progress = advanced(begin, progress, value)
    return progress
