"""Read the real sessions, rate each, and count what is odd about them."""

import csv
import io
import lzma
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.units import Micros, UnixSeconds, WattHours
from scripts.benchmarks.charging.rating import EIGHT_ELEMENTS
from settlement.pricing.ocpi import (
    Charging,
    OcpiTariff,
    Period,
    Rated,
    deposit_for_tariff,
    loads_tariff,
    rate,
)

FILE: Final = Path(__file__).parent / "data/acn/sessions.csv.xz"
UTC_OFFSET_MINUTES: Final = -8 * 60
"""Pacific standard time, all year."""

PLAUSIBLE_W: Final = 50_000
"""Average power above which a session is hard to believe, in W."""

_S_PER_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class RealSession:
    """A session as the station recorded it and its driver had declared it."""

    station: str
    """Site and station."""
    arrival_s: UnixSeconds
    """Instant of plugging in."""
    stay_s: int
    """Time until the vehicle left, in s."""
    declared_stay_s: int
    """Time until it was to leave, in s."""
    requested_wh: WattHours
    """What the driver declared to need."""
    delivered_wh: WattHours
    """What the station delivered."""
    declared: bool
    """Whether the driver declared anything."""

    @property
    def charging(self) -> Charging:
        """
        The session as one metered period.

        Nobody recorded when the vehicle stopped charging, so none of the stay is parking: what
        no meter says costs nothing.
        """
        end_s = UnixSeconds(self.arrival_s + self.stay_s)
        period = Period(self.arrival_s, end_s, self.delivered_wh)
        return Charging(self.arrival_s, (period,), UTC_OFFSET_MINUTES)


@dataclass(frozen=True, slots=True)
class Settled:
    """A session with what it costs and what the deposit pays of it."""

    session: RealSession
    """The session."""
    deposit_micros: Micros
    """What the driver puts up, by energy and stay as declared."""
    rated: Rated
    """What the tariff asks."""

    @property
    def charge_micros(self) -> Micros:
        """Taken from the deposit."""
        return Micros(min(self.rated.gross_micros, self.deposit_micros))

    @property
    def refund_micros(self) -> Micros:
        """Given back."""
        return Micros(self.deposit_micros - self.charge_micros)


def real_sessions(file: Path = FILE) -> Iterator[RealSession]:
    """Yield the sessions in order of arrival."""
    with lzma.open(file) as packed:
        for row in csv.DictReader(io.TextIOWrapper(packed, encoding="ascii")):
            yield RealSession(
                station=f"{row['site']}/{row['station']}",
                arrival_s=UnixSeconds(int(row["arrival_s"])),
                stay_s=int(row["stay_s"]),
                declared_stay_s=int(row["declared_stay_s"]),
                requested_wh=WattHours(int(row["requested_wh"])),
                delivered_wh=WattHours(int(row["delivered_wh"])),
                declared=row["declared_by_driver"] == "1",
            )


def year_tariff() -> OcpiTariff:
    """Return the tariff of all of them: that of ``rating_ms``."""
    return loads_tariff(EIGHT_ELEMENTS)


def settled(sessions: Iterable[RealSession], tariff: OcpiTariff) -> list[Settled]:
    """Return each session with its deposit and its cost."""
    return [
        Settled(
            one,
            deposit_for_tariff(
                tariff, one.requested_wh, one.declared_stay_s, one.arrival_s, UTC_OFFSET_MINUTES
            ),
            rate(tariff, one.charging),
        )
        for one in sessions
    ]


def totals(year: Sequence[Settled]) -> dict[str, int]:
    """Return what all sessions come to: a count, Wh or micros for each name."""
    asked = sum(one.rated.gross_micros for one in year)
    charged = sum(one.charge_micros for one in year)
    return {
        "sessions": len(year),
        "energy_wh": sum(one.session.delivered_wh for one in year),
        "deposits_micros": sum(one.deposit_micros for one in year),
        "asked_net_micros": sum(one.rated.net_micros for one in year),
        "asked_vat_micros": sum(one.rated.vat_micros for one in year),
        "asked_micros": asked,
        "charged_micros": charged,
        "refunded_micros": sum(one.refund_micros for one in year),
        "beyond_deposit_micros": asked - charged,
        "beyond_deposit_sessions": sum(one.rated.gross_micros > one.deposit_micros for one in year),
    }


def quirks(year: Sequence[Settled]) -> dict[str, int]:
    """Return how many sessions are odd in which way; one may be in several."""
    found = Counter(dict.fromkeys(_QUIRKS, 0))
    busy_until_s: dict[str, int] = {}
    for one in (each.session for each in year):
        found.update(name for name, is_odd in _QUIRKS.items() if is_odd(one))
        found["overlaps_on_its_station"] += busy_until_s.get(one.station, 0) > one.arrival_s
        busy_until_s[one.station] = max(
            busy_until_s.get(one.station, 0), one.arrival_s + one.stay_s
        )
    return dict(found)


_QUIRKS: Final[dict[str, Callable[[RealSession], bool]]] = {
    "delivered_nothing": lambda one: one.delivered_wh == 0,
    "delivered_more_than_requested": lambda one: one.delivered_wh > one.requested_wh,
    "requested_nothing": lambda one: one.requested_wh == 0,
    "nothing_declared": lambda one: not one.declared,
    "left_later_than_declared": lambda one: one.stay_s > one.declared_stay_s,
    "stayed_longer_than_a_day": lambda one: one.stay_s > 24 * _S_PER_HOUR,
    "average_power_above_50_kw": (
        lambda one: one.delivered_wh * _S_PER_HOUR > PLAUSIBLE_W * one.stay_s
    ),
    "overlaps_on_its_station": lambda _: False,
}
"""What is odd about a session; the overlap is known only beside the others."""
