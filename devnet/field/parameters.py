"""
Read the demonstration's published parameters, ``demo.toml``.

Money is written in euros as decimal strings and becomes micros exactly. Every key must be there, no
other key may be, and every value must make sense beside the others.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NewType, cast, get_type_hints

from ledger.errors import InvalidRequest
from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    Watts,
)

DEMO: Final = Path(__file__).parent / "demo.toml"

Seconds = NewType("Seconds", int)
"""A length of time, in seconds."""

_MICROS_PER_EURO: Final = 1_000_000
_DAY_MINUTES: Final = 1_440


class ParameterError(InvalidRequest):
    """A parameter is missing, unknown or impossible."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__("parameter", f"{name}: {detail}")
        self.name: Final = name


@dataclass(frozen=True, slots=True)
class Community:
    """Who settles together, and when."""

    id: str
    """Short id, first part of every interval's trace id."""
    name: str
    """Name for people."""
    currency: str
    """ISO 4217 code."""
    zone: str
    """The one zone."""
    utc_offset_minutes: int
    """Offset of local time from UTC, in minutes."""
    interval_s: Seconds
    """Interval length."""
    grace_s: Seconds
    """How long after its end an interval waits for silent meters."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What a buyer pays besides the energy."""

    toll: MicrosPerKilowattHour
    """To the grid operator."""
    levy: MicrosPerKilowattHour
    """To the state."""
    vat_bp: BasisPoints
    """VAT on neighbors' energy."""


@dataclass(frozen=True, slots=True)
class Residual:
    """The supplier who takes and gives what neighbors do not."""

    buys: MicrosPerKilowattHour
    """What it pays for surplus; it sells at the hour's retail price."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a driver pays."""

    id: str
    """Name of the tariff."""
    price: MicrosPerKilowattHour
    """Per kWh, VAT included."""
    flat: Micros
    """Per session with energy, VAT included."""
    vat_bp: BasisPoints
    """VAT rate."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which bounds members' limits are drawn."""

    sell_min: MicrosPerKilowattHour
    """Lowest sell limit."""
    sell_max: MicrosPerKilowattHour
    """Highest sell limit."""
    buy_min: MicrosPerKilowattHour
    """Lowest buy limit: energy, toll and levy, before VAT."""
    buy_max: MicrosPerKilowattHour
    """Highest buy limit."""
    step: MicrosPerKilowattHour
    """Limits are whole steps above the lowest."""


@dataclass(frozen=True, slots=True)
class Funds:
    """What people have and risk."""

    home_cap: Micros
    """Most a home may be debited per interval."""
    home_deposit: Micros
    """What a home puts into the TradeLedger."""
    operator_cap: Micros
    """Most the station operator may be debited per interval."""
    operator_deposit: Micros
    """What the station operator puts into the TradeLedger."""
    driver_wallet: Micros
    """What a driver's wallet holds."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The feeder."""

    losses_bp: BasisPoints
    """Losses, as a share of the larger of total imports and total exports."""
    loss_bound_bp: BasisPoints
    """Most losses that the grid operator declares."""
    head_rated_w: Watts
    """Rated power of the feeder-head meter."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home's connection."""

    rated_w: Watts
    """Rated power of its meter."""


@dataclass(frozen=True, slots=True)
class StationRating:
    """A charging station."""

    rated_w: Watts
    """Rated power of its meter."""
    session_w: Watts
    """Power a car draws, unless its stay is too short for that."""
    longest_stay_s: Seconds
    """Longest stay."""
    offline_window_s: Seconds
    """How long a station may be offline and still bill."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that ``demo.toml`` says."""

    community: Community
    """Who settles together, and when."""
    fees: Fees
    """What a buyer pays besides the energy."""
    residual: Residual
    """The residual supplier."""
    tariff: Tariff
    """What a driver pays."""
    limits: Limits
    """Bounds of the members' limits."""
    funds: Funds
    """What people have and risk."""
    grid: Grid
    """The feeder."""
    home: Home
    """A home's connection."""
    station: StationRating
    """A charging station."""

    def deadline_s(self, opened_s: UnixSeconds) -> UnixSeconds:
        """Return until when a session opened at ``opened_s`` may be closed by a record."""
        window_s = self.station.longest_stay_s + self.station.offline_window_s
        return UnixSeconds(opened_s + window_s)


def load_parameters(path: Path = DEMO) -> Parameters:
    """
    Read and check the parameters in ``path``.

    Raises
    ------
    ParameterError
        If the file is no TOML, or a parameter is missing, unknown or impossible; names it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ParameterError(path.name, str(fault)) from fault
    sections = _matched("", document, get_type_hints(Parameters))
    values = {name: _section(name, kind, document[name]) for name, kind in sections.items()}
    parameters = cast("Callable[..., Parameters]", Parameters)(**values)
    _check(parameters)
    return parameters


def _matched(
    place: str, table: Mapping[str, object], hints: Mapping[str, object]
) -> Mapping[str, object]:
    """Refuse unknown and missing keys."""
    for name in table:
        if name not in hints:
            raise ParameterError(f"{place}{name}", "unknown")
    for name in hints:
        if name not in table:
            raise ParameterError(f"{place}{name}", "missing")
    return hints


def _section(place: str, kind: object, table: object) -> object:
    if not isinstance(table, dict):
        raise ParameterError(place, "not a table")
    make = cast("Callable[..., object]", kind)
    hints = _matched(f"{place}.", table, get_type_hints(kind))
    return make(
        **{name: _value(f"{place}.{name}", unit, table[name]) for name, unit in hints.items()}
    )


def _value(name: str, unit: object, value: object) -> object:
    if unit is str:
        return _text(name, value)
    if unit in {Micros, MicrosPerKilowattHour}:
        return _micros(name, value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParameterError(name, f"{value!r} is not a whole number")
    if unit is not int and value < 0:
        raise ParameterError(name, f"{value} is below zero")
    if unit is BasisPoints and value > WHOLE_BP:
        raise ParameterError(name, f"{value} basis points are more than all of it")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ParameterError(name, f"{value!r} is not a name")
    return value


def _micros(name: str, value: object) -> int:
    try:
        euros = Decimal(_text(name, value))
    except InvalidOperation as fault:
        raise ParameterError(name, f"{value!r} is not an amount in euros") from fault
    micros = euros * _MICROS_PER_EURO
    if not micros.is_finite() or micros != micros.to_integral_value() or micros < 0:
        raise ParameterError(name, f"{value!r} is not a whole number of micro-euros, 0 or more")
    return int(micros)


def _check(parameters: Parameters) -> None:
    """Refuse parameters that contradict one another."""
    limits, station, grid = parameters.limits, parameters.station, parameters.grid
    offset = parameters.community.utc_offset_minutes
    must = {
        "limits.step": limits.step > 0,
        "limits.sell_max": limits.sell_min <= limits.sell_max,
        "limits.buy_max": limits.buy_min <= limits.buy_max,
        "station.session_w": 0 < station.session_w <= station.rated_w,
        "grid.losses_bp": grid.losses_bp <= grid.loss_bound_bp,
        "community.interval_s": parameters.community.interval_s > 0,
        "community.utc_offset_minutes": -_DAY_MINUTES < offset < _DAY_MINUTES,
    }
    for name, holds in must.items():
        if not holds:
            raise ParameterError(name, "contradicts its neighbors or is out of range")
