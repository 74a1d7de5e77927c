"""Describe a community: its rules, its parties, their meters and stations."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.units import BasisPoints, MicrosPerKilowattHour, UnixSeconds, WattHours, Watts
from settlement.metering.homes.counting import Estimates
from settlement.metering.intervals import IntervalIndex, end_s, interval_of, start_s
from settlement.metering.local_time import LocalTime, time_zone
from settlement.metering.periods import PeriodIndex, SettlementPeriod
from settlement.pricing.tariffs import Tariff
from settlement.trading.auction import Auction
from settlement.trading.outcome import Mechanism
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True)
class Rules:
    """What a community decided: intervals, grid fees, levies, prices of the residual supplier."""

    community_id: str
    """Short id, first part of every interval's trace id."""
    name: str
    """Name for people."""
    currency: str
    """ISO 4217 code."""
    utc_offset_minutes: int
    """Fixed offset of local time from UTC, in minutes; ``time_zone`` takes its place."""
    interval_s: int
    """Interval length, in seconds."""
    grace_s: int
    """How long after its end an interval waits for silent meters, in seconds."""
    toll: MicrosPerKilowattHour
    """Local grid toll, paid by the buyer to the grid operator, unless ``zones`` say theirs."""
    levy: MicrosPerKilowattHour
    """Levy, paid by the buyer to the state."""
    vat_bp: BasisPoints
    """VAT rate on neighbours' energy."""
    tariff: Tariff
    """What drivers pay at the community's stations."""
    residual_buys: MicrosPerKilowattHour
    """What the residual supplier pays for surplus."""
    residual_sells: Mapping[int, MicrosPerKilowattHour]
    """What the residual supplier asks, by interval."""
    loss_bound_bp: BasisPoints
    """Declared bound of grid losses, as a share of the energy fed in."""
    longest_stay_s: int
    """Longest stay at a station, in seconds."""
    offline_window_s: int
    """How long a station may be offline and still bill, in seconds."""
    grid_party: str
    """Party that receives tolls."""
    state_party: str
    """Party that receives levies and VAT."""
    supplier_party: str
    """Party that takes and gives residual energy."""
    operator_party: str
    """Party that runs the stations."""
    station_tariffs: Mapping[str, str] = field(default_factory=dict)
    """OCPI Tariff objects as JSON, by station; other stations have ``tariff``."""
    cosign_window_s: int = 120
    """How long a driver may sign a total that the contract cannot compute, in seconds."""
    zones: ZoneTree | None = None
    """The grid's zones, each with its tolls and caps; None is one zone with ``toll``."""
    mechanism: Mechanism = field(default_factory=Auction)
    """Rule of trading among neighbors."""
    time_zone: str = ""
    """IANA name such as ``Europe/Paris``, or empty if local time is the fixed offset."""
    estimates: Estimates = Estimates.NONE
    """What counts for an interval while a meter is silent."""
    correction_after_s: int = 3_600
    """How long late readings of an interval are gathered before it is corrected, in seconds."""
    correction_window_s: int = 5 * 86_400
    """How long after its end an interval takes readings, in seconds; then it is final."""
    settlement: SettlementPeriod = SettlementPeriod.INTERVAL
    """How many intervals the chain settles at once."""

    @property
    def tree(self) -> ZoneTree:
        """The grid's zones, be there one or many."""
        return ZoneTree.single(local_toll=self.toll) if self.zones is None else self.zones

    @property
    def local(self) -> LocalTime:
        """
        What the community's clocks show.

        Raises
        ------
        UnknownTimeZoneError
            If ``time_zone`` is none.
        """
        return LocalTime(
            self.utc_offset_minutes, time_zone(self.time_zone) if self.time_zone else None
        )

    def interval_of(self, instant_s: UnixSeconds) -> IntervalIndex:
        """Return the interval that holds an instant; its end belongs to the next."""
        return interval_of(instant_s, self.interval_s)

    def start_s(self, interval: int) -> UnixSeconds:
        """Return the first instant of an interval, in Unix seconds."""
        return start_s(IntervalIndex(interval), self.interval_s)

    def end_s(self, interval: int) -> UnixSeconds:
        """Return the first instant after an interval, in Unix seconds."""
        return end_s(IntervalIndex(interval), self.interval_s)

    @property
    def settlement_s(self) -> int:
        """Length of a settlement period, in seconds."""
        return self.settlement.length_s(self.interval_s)

    def period_of(self, interval: int) -> PeriodIndex:
        """Return the settlement period that holds an interval; the contract calls it interval."""
        return PeriodIndex(self.start_s(interval) // self.settlement_s)

    def intervals_of(self, period: int) -> range:
        """Return the intervals of a settlement period."""
        each = self.settlement_s // self.interval_s
        return range(period * each, (period + 1) * each)


@dataclass(frozen=True, slots=True)
class Party:
    """A person or firm of the community."""

    party_id: str
    """Short id."""
    role: str
    """``prosumer``, ``operator``, ``institution`` or ``supplier``."""
    wallet: str | None
    """Address, lower case; None if it is on the invoice rail only."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter and the key it signs with."""

    serial: str
    """Serial number; the meter id is its keccak256."""
    party: str
    """Party it belongs to."""
    kind: str
    """``gateway``, ``feeder`` or ``station``."""
    curve: str
    """``secp256k1`` or ``secp256r1``."""
    public_key: bytes
    """x and y, 32 bytes each."""
    rated_power_w: Watts
    """Most power it can carry, in W."""
    valid_from_s: UnixSeconds
    """First instant its signature counts, in Unix seconds."""
    valid_until_s: UnixSeconds
    """First instant it counts no more, in Unix seconds."""
    register_modulus_wh: WattHours | None = None
    """Where its register begins again at 0, in Wh, if the maker says so."""
    zone: str | None = None
    """Zone of the grid that it is in, or of the feeder that it is the head of; None is the root."""


@dataclass(frozen=True, slots=True)
class Participation:
    """How much of a home meter's energy a community gets, from an instant on."""

    serial: str
    """Serial number of the meter."""
    community: str
    """Id of the community, this one or another."""
    from_s: UnixSeconds
    """Begin of the first interval it holds for, in Unix seconds; until the community's next."""
    factor_bp: BasisPoints
    """Share of the energy, of 10,000; a meter without any is wholly this community's."""


@dataclass(frozen=True, slots=True)
class Station:
    """A charging station."""

    station_id: str
    """Id in OCPP."""
    party: str
    """Party that runs it."""
    meter_serial: str
    """Serial number of its meter."""
    password: str
    """Basic-auth password of its websocket."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody and everything of a community."""

    parties: tuple[Party, ...]
    """Persons and firms."""
    meters: tuple[Meter, ...]
    """Meters."""
    stations: tuple[Station, ...]
    """Stations."""
    participations: tuple[Participation, ...] = ()
    """Shares of home meters that not all of is this community's."""
