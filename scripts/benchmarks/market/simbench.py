"""
Make the folder ``data/simbench_odbl`` from SimBench's wheel: a village grid, four weeks.

``pip download --no-deps simbench==1.6.3`` fetches the wheel; it is read, never installed. Feeders
are the cables that leave the transformer's busbar; whatever hangs on one bus is one member's.
Limits and fees are ours, and so is the reading of the source's clock as UTC+01:00.
"""

import csv
import hashlib
import io
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from ledger.errors import Integrity

TARGET: Final = Path(__file__).parent / "data/simbench_odbl"
_SHA256: Final = "8b48bdab2445286a96649eb18bb09476d000a0e212fd57fdba83399df54af4de"
_FOLDER: Final = "simbench/networks/1-complete_data-mixed-all-1-sw/"
_SUBNET: Final = "LV3.101"
_BUSBAR: Final = f"{_SUBNET} Bus 16"
_CLOCK: Final = timezone(timedelta(hours=1))
_FIRST: Final = datetime(2016, 5, 2, tzinfo=_CLOCK)
_WEEKS: Final = timedelta(weeks=4)
_QUARTERS_PER_HOUR: Final = 4
_WH_PER_MWH: Final = 1_000_000
_VOLTS: Final = 400
_ROOT_OF_THREE: Final = Decimal("1.7320508")
_SELL_STEPS: Final = (80, 120)
_BUY_STEPS: Final = (180, 260)

Row = Mapping[str, str]


class WheelDiffersError(Integrity):
    """The file is not the wheel that the data come from."""

    def __init__(self, found: str) -> None:
        super().__init__("wheel_differs", f"SHA-256 is {found}, not {_SHA256}")


@dataclass(frozen=True, slots=True)
class _Asset:
    """A load or a roof, and the profile that it follows."""

    meter: str
    bus: str
    kind: str
    profile: str
    megawatts: Decimal


def main(wheel: Path, target: Path = TARGET) -> None:
    """Write the folder."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != _SHA256:
        raise WheelDiffersError(found)
    with zipfile.ZipFile(wheel) as archive:
        target.mkdir(parents=True, exist_ok=True)
        assets = [*_assets(archive, "Load", "pLoad"), *_assets(archive, "RES", "pRES")]
        feeders = _feeders(archive)
        _write_meters(target, assets)
        _write_community(target, feeders, {one.bus for one in assets}, _amperes(archive))
        _write_readings(archive, target, assets)
        licence = next(n for n in archive.namelist() if n.endswith("licenses/LICENSE"))
        (target / "LICENSE").write_bytes(archive.read(licence))


def _rows(archive: zipfile.ZipFile, table: str) -> Iterator[Row]:
    with archive.open(f"{_FOLDER}{table}.csv") as stream:
        yield from csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8"), delimiter=";")


def _assets(archive: zipfile.ZipFile, table: str, power: str) -> Iterator[_Asset]:
    own = (one for one in _rows(archive, table) if one["subnet"].startswith(_SUBNET))
    solar = table == "RES"
    number = 0
    for one in own:
        if solar and one["type"] != "PV":
            continue
        yield _Asset(
            meter=f"{'pv' if solar else 'load'}-{number:03}",
            bus=one["node"],
            kind="pv" if solar else "load",
            profile=one["profile"] + ("" if solar else "_pload"),
            megawatts=Decimal(one[power]),
        )
        number += 1


def _feeders(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the feeder of each bus: which cable from the busbar leads to it."""
    beside: dict[str, list[str]] = defaultdict(list)
    for table in ("Line", "Switch"):
        for one in _rows(archive, table):
            if one["subnet"].startswith(_SUBNET) and one["voltLvl"] == "7":
                beside[one["nodeA"]].append(one["nodeB"])
                beside[one["nodeB"]].append(one["nodeA"])
    feeders: dict[str, int] = {}
    for number, first in enumerate(sorted(beside[_BUSBAR], key=_terminal), start=1):
        reached, waiting = {_BUSBAR, first}, [first]
        while waiting:
            for node in beside[waiting.pop()]:
                if node not in reached:
                    reached.add(node)
                    waiting.append(node)
        feeders |= {node: number for node in reached - {_BUSBAR} if "_" not in node}
    return feeders


def _terminal(node: str) -> int:
    return int(node.rpartition("_")[2])


def _amperes(archive: zipfile.ZipFile) -> int:
    """Return what the cables carry; all are of one type."""
    types = {o["type"] for o in _rows(archive, "Line") if o["subnet"].startswith(_SUBNET)}
    (cable,) = types
    return next(int(o["iMax"]) for o in _rows(archive, "LineType") if o["id"] == cable)


def _write_meters(target: Path, assets: Sequence[_Asset]) -> None:
    with (target / "meters.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("meter", "member", "kind"))
        table.writerows((one.meter, _member(one.bus), one.kind) for one in assets)


def _member(bus: str) -> str:
    return f"bus-{int(bus.rpartition(' ')[2]):03}"


def _write_community(
    target: Path, feeders: Mapping[str, int], buses: set[str], amperes: int
) -> None:
    cap_wh = int(amperes * _VOLTS * _ROOT_OF_THREE) // _QUARTERS_PER_HOUR
    lines = [
        "# SimBench 1-LV-rural3--1-sw: 118 connections on 9 feeders of one transformer.",
        "# Feeders and their caps are the grid's; limits, tolls and prices are made up.",
        '\n[community]\nid = "rural3"\nname = "Rural 3"\ncurrency = "EUR"',
        'time_zone = "+01:00"\ninterval_s = 900',
        '\n[[zones]]\nname = "transformer"\nlocal_toll = "0.02"',
    ]
    lines += [
        f'\n[[zones]]\nname = "feeder-{number}"\nparent = "transformer"\nlocal_toll = "0.02"\n'
        f'edge_toll = "0.005"\nimport_cap_wh = {cap_wh}\nexport_cap_wh = {cap_wh}'
        for number in sorted(set(feeders.values()))
    ]
    lines.append('\n[fees]\nlevy = "0.005"\nvat_bp = 1900')
    lines.append('\n[residual]\nbuys = "0.07"\nsells = "0.30"')
    lines.append('\n[mechanism]\nkind = "auction"')
    for bus in sorted(buses, key=_member):
        name = _member(bus)
        zone = "transformer" if bus == _BUSBAR else f"feeder-{feeders[bus]}"
        sell, buy = (_limit(name, side, steps) for side, steps in _SIDES)
        lines.append(
            f'\n[[members]]\nname = "{name}"\nzone = "{zone}"\nsell_not_below = "{sell}"\n'
            f'buy_not_above = "{buy}"\ncap = "20"'
        )
    (target / "community.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


_SIDES: Final = (("sell", _SELL_STEPS), ("buy", _BUY_STEPS))


def _limit(member: str, side: str, steps: tuple[int, int]) -> Decimal:
    """Return a limit that follows from the name alone."""
    drawn = int.from_bytes(hashlib.sha256(f"{member}/{side}".encode()).digest())
    lowest, highest = steps
    return Decimal(lowest + drawn % (highest - lowest + 1)).scaleb(-3)


def _write_readings(archive: zipfile.ZipFile, target: Path, assets: Sequence[_Asset]) -> None:
    starts, of_profile = _profiles(archive, {one.profile for one in assets})
    meters: list[str] = []
    energies: list[int] = []
    ordered = sorted(assets, key=lambda one: one.meter)
    for place in range(len(starts)):
        for one in ordered:
            meters.append(one.meter)
            energies.append(_energy(of_profile[one.profile][place], one.megawatts))
    columns = {
        "meter": pa.array(meters).dictionary_encode(),
        "start": pa.array(
            [start for start in starts for _ in ordered], pa.timestamp("s", tz="UTC")
        ),
        "wh": pa.array(energies, pa.int32()),
    }
    parquet.write_table(
        pa.table(columns), target / "readings.parquet", compression="zstd", version="2.6"
    )


def _energy(share: Decimal, megawatts: Decimal) -> int:
    """Return a quarter hour's energy, in Wh; what a load gives back counts as nothing."""
    energy = max(share, Decimal(0)) * megawatts * _WH_PER_MWH / _QUARTERS_PER_HOUR
    return int(energy.to_integral_value(ROUND_HALF_EVEN))


def _profiles(
    archive: zipfile.ZipFile, wanted: set[str]
) -> tuple[list[datetime], dict[str, list[Decimal]]]:
    """Return the quarter hours of the four weeks, and each profile's values of them."""
    found: dict[str, list[Decimal]] = {name: [] for name in wanted}
    starts: list[datetime] = []
    for table in ("LoadProfile", "RESProfile"):
        starts = []
        for one in _rows(archive, table):
            at = datetime.strptime(one["time"], "%d.%m.%Y %H:%M").replace(tzinfo=_CLOCK)
            if _FIRST <= at < _FIRST + _WEEKS:
                starts.append(at.astimezone(UTC))
                for name in wanted & one.keys():
                    found[name].append(Decimal(one[name]))
    return starts, found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
