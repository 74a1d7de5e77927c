"""What the replay adds to the overview: where the clock stands, how far it is, which laws hold."""

from collections.abc import Mapping
from typing import Any, Final

from devnet.field.schedule import Schedule
from ledger.clock import ReplayClock
from scripts.replay import Memory
from scripts.summary import LAWS

_WHOLE_BP: Final = 10_000


class Status:
    """Called by the service whenever somebody asks for the overview."""

    def __init__(self, clock: ReplayClock, schedule: Schedule, memory: Memory) -> None:
        self._clock: Final = clock
        self._schedule: Final = schedule
        self._memory: Final = memory
        self._laws: Mapping[str, str | None] | None = None

    def finish(self, laws: Mapping[str, str | None]) -> None:
        """Note the verdict on every law."""
        self._laws = laws

    def __call__(self) -> dict[str, Any]:
        """Return state, clock and laws as JSON values."""
        events = self._schedule.events
        played = self._memory.played
        hours = (self._schedule.end_s - self._schedule.first_s) // 3_600
        return {
            "state": self._state(played, len(events)),
            "clock": {
                "now_s": self._clock.now_s(),
                "first_s": self._schedule.first_s,
                "last_s": events[-1].at_s,
                "progress_bp": played * _WHOLE_BP // len(events),
            },
            "planned": {"intervals": hours, "sessions": len(self._schedule.stays)},
            "laws": {name: self._law(name, text) for name, text in LAWS.items()},
            "ledger_equals_chain": None if self._laws is None else self._laws["L8"] is None,
        }

    def _state(self, played: int, events: int) -> str:
        if self._laws is not None:
            return "settled"
        return (
            "replaying" if played and played < events else "starting" if not played else "checking"
        )

    def _law(self, name: str, text: str) -> dict[str, Any]:
        if self._laws is None:
            return {"ok": None, "text": text}
        fault = self._laws[name]
        return {"ok": fault is None, "text": text if fault is None else fault}
