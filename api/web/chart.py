"""
Lay out the chart of the last 48 intervals, in integers.

Above the line stands the neighbours' sun: what homes bought, what cars bought, what nobody in the
neighbourhood needed. Below it stands what the residual supplier had to bring. Across, positions are
hundredths of a percent of the plot; down, tenths of a pixel. ``static/chart.js`` does the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

SLOTS: Final = 48
"""Intervals shown."""
HEIGHT_PX: Final = 248
"""Height of the plot, in pixels."""

_TOP: Final = 80
_SPAN: Final = 2_160
_ACROSS: Final = 10_000
_BAR: Final = 164
_GAP: Final = 22
_TICKS: Final = 5
_KWH: Final = 1_000
_DAY_S: Final = 86_400
_NOON_S: Final = 43_200


def parts(interval: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the kinds of energy of an interval, in Wh: three above the line, one below."""
    traded, cars = interval["traded_wh"], interval["sun_to_cars_wh"]
    return (
        ("homes", traded - cars),
        ("cars", cars),
        ("grid", interval["surplus_wh"] - traded),
        ("supplier", interval["deficit_wh"] - traded),
    )


def layout(intervals: Iterable[Mapping[str, Any]], utc_offset_minutes: int) -> dict[str, Any]:
    """
    Return bars, ticks and day lines of the newest intervals.

    Parameters
    ----------
    intervals
        Newest first; of several runs of one interval the first counts.
    utc_offset_minutes
        Fixed offset of the community's time from UTC, in minutes.
    """
    shown = _newest(intervals)
    ups = [sum(energy for _, energy in parts(one)[:3]) for one in shown.values()]
    downs = [parts(one)[3][1] for one in shown.values()]
    step = _step(max([*ups, _KWH]) + max([*downs, 0]))
    top = _whole_steps(max([*ups, _KWH]), step)
    bottom = _whole_steps(max([*downs, 0]), step)

    def y(energy_wh: int) -> int:
        return _TOP + (top - energy_wh) * _SPAN // (top + bottom)

    bars = []
    for slot, one in shown.items():
        at = 0
        for kind, energy in parts(one):
            high, low = (0, -energy) if kind == "supplier" else (at + energy, at)
            at = high
            if energy > 0:
                bars.append(
                    {
                        "kind": kind,
                        "x": slot * _ACROSS // SLOTS + _GAP,
                        "width": _BAR,
                        "y": y(high),
                        "height": y(low) - y(high),
                    }
                )
    ticks = [{"y": y(at), "energy_wh": abs(at)} for at in range(-bottom, top + 1, step)]
    return {"bars": bars, "ticks": ticks, "zero": y(0), "days": _days(shown, utc_offset_minutes)}


def _newest(intervals: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Return the newest intervals by slot, the newest in the last one."""
    shown: dict[int, Mapping[str, Any]] = {}
    newest: int | None = None
    for one in intervals:
        newest = one["interval"] if newest is None else newest
        slot = SLOTS - 1 - (newest - one["interval"])
        if 0 <= slot < SLOTS and slot not in shown:
            shown[slot] = one
    return shown


def _step(span_wh: int) -> int:
    """Return the smallest step of 1, 2 or 5 times a power of ten kWh that needs few ticks."""
    power = _KWH
    while True:
        for factor in (1, 2, 5):
            if power * factor * _TICKS >= span_wh:
                return power * factor
        power *= 10


def _whole_steps(energy_wh: int, step: int) -> int:
    return -(-energy_wh // step) * step


def _days(shown: Mapping[int, Mapping[str, Any]], utc_offset_minutes: int) -> list[dict[str, Any]]:
    """Return a line where a local day begins and a mark at noon."""
    marks = []
    for slot, one in sorted(shown.items()):
        local_s = (one["start_s"] + utc_offset_minutes * 60) % _DAY_S
        if local_s in {0, _NOON_S}:
            marks.append(
                {
                    "x": slot * _ACROSS // SLOTS,
                    "start_s": one["start_s"],
                    "midnight": local_s == 0,
                }
            )
    return marks
