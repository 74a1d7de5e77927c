"""Keep what a street's stations would keep themselves: where their meters stand."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devnet.field.stations.charging import MeterState
from ledger.units import UnixSeconds, WattHours

_FIRST_WH = WattHours(250_000)


@dataclass(slots=True)
class StreetMemory:
    """What outlives the process, in one file."""

    path: Path
    """The file."""
    born_s: UnixSeconds
    """When the street was made, in Unix seconds; its chain begins then."""
    meters: dict[str, MeterState] = field(default_factory=dict)
    """Register and page counters of each station's meter."""

    @staticmethod
    def load(path: Path, now_s: UnixSeconds) -> "StreetMemory":
        """Return what ``path`` holds, or a street that is born now."""
        if not path.exists():
            return StreetMemory(path, now_s)
        stored = json.loads(path.read_text())
        meters = {name: MeterState(**one) for name, one in stored["meters"].items()}
        return StreetMemory(path, UnixSeconds(stored["born_s"]), meters)

    def meter(self, station: str) -> MeterState:
        """Return where a station's meter stands."""
        return self.meters.get(station, MeterState(_FIRST_WH))

    def save(self) -> None:
        """Replace the file in one step."""
        meters = {name: asdict(one) for name, one in self.meters.items()}
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps({"born_s": self.born_s, "meters": meters}))
        draft.replace(self.path)
