"""Collect an interval's inputs from what was measured and signed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, FromClause, select

from ledger.units import Micros, UnixSeconds, WattHours
from settlement.engine.grid.participating import absent_at
from settlement.engine.grid.ruling import zones_at
from settlement.engine.market import feeder
from settlement.engine.market.lanes import spendable
from settlement.engine.market.late import known_readings
from settlement.engine.market.measured import Metered, metered_parties, stations_energy
from settlement.engine.market.members import mandates_in_force
from settlement.engine.market.orders.kept import orders_in_force
from settlement.engine.meters.holdings import stations_zone
from settlement.engine.service import Service
from settlement.metering.balance import FeederBalance
from settlement.tables import wallet
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.mandates import Mandate, band_at, mandate_hash
from settlement.trading.orders.applying import Limits
from settlement.trading.orders.standing import StandingOrder, orders_hash
from settlement.trading.settle import IntervalInputs, Member


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member's mandate and orders allow in an interval."""

    limits: Limits | None
    """Limits of the mandate in force, or None without one."""
    spendable_micros: Micros
    """The smaller of cap and free funds, in micros."""
    order_hash: bytes
    """Hash of mandate and orders, 32 bytes."""
    orders: tuple[StandingOrder, ...] = ()
    """Orders in force."""


_NOTHING: Final = Standing(None, Micros(0), bytes(32))


@dataclass(frozen=True, slots=True)
class Collected:
    """An interval's inputs, and what the ledger needs beside them."""

    inputs: IntervalInputs
    """What the pure function takes."""
    metered: tuple[Metered, ...]
    """Energy by party."""
    stations_wh: WattHours
    """What stations drew, in Wh."""
    head: FeederBalance | None
    """The feeder's balance, or None if its head was silent or measured less than was billed."""
    joined: frozenset[str]
    """Accounts that have a lane in the TradeLedger."""

    @property
    def losses_wh(self) -> WattHours | None:
        """Losses on the feeder, in Wh, or None if its head was silent."""
        return None if self.head is None else self.head.losses_wh


def collect(
    service: Service,
    connection: Connection,
    interval: int,
    number: int,
    *,
    funds: Mapping[str, int] | None,
) -> Collected:
    """
    Return the inputs of an interval from signed messages; ``funds`` as noted then, or as of now.

    Whoever is not in ``funds`` has not joined the TradeLedger and takes no part; nor does whoever
    has not joined the community, or has left it.
    Every station's energy is its operator's: the operator is one member for all its stations.
    """
    rules = service.rules
    begin_s = rules.start_s(interval)
    end_s = rules.end_s(interval)
    known = known_readings(connection, number, end_s)
    metered = metered_parties(service, connection, interval, number, known)
    stations = stations_energy(connection, interval)
    tree = zones_at(connection, rules.tree, interval)
    operator = _operator(service, connection, begin_s, stations)
    wallets = _wallets(connection)
    mandates = mandates_in_force(connection, begin_s)
    orders = orders_in_force(connection, interval, begin_s)
    if funds is None:
        funds = spendable(service, connection, begin_s)
    absent = {wallets[party] for party in absent_at(connection, interval)}
    funds = {account: micros for account, micros in funds.items() if account not in absent}
    members = tuple(
        _member(
            one,
            account := wallets[one.party],
            _standing(
                service,
                mandates.get(one.party),
                orders.get(account, ()),
                funds.get(account),
                begin_s,
            ),
        )
        for one in (*metered, operator)
    )
    inputs = IntervalInputs(
        run=number,
        interval=interval,
        members=members,
        fees=Fees(rules.levy, rules.vat_bp),
        institutions=Institutions(
            grid=wallets[rules.grid_party],
            state=wallets[rules.state_party],
            supplier=rules.supplier_party,
        ),
        residual=(rules.residual_buys, rules.residual_sells[interval]),
        salt_key=service.salt_key,
        tree=tree,
        mechanism=rules.mechanism,
    )
    head = _head(service, connection, (begin_s, end_s), known)
    joined = frozenset(funds)
    return Collected(inputs, (*metered, operator), stations, head, joined)


def _operator(
    service: Service, connection: Connection, begin_s: UnixSeconds, stations_wh: WattHours
) -> Metered:
    """Return what the operator's stations drew, as one member's energy."""
    party, nothing = service.rules.operator_party, WattHours(0)
    zone = stations_zone(service, connection, begin_s)
    return Metered(party, stations_wh, nothing, (), estimated=False, zone=zone)


def without_stations(collected: Collected, operator: str) -> IntervalInputs:
    """Return the same interval as if no car had charged: what homes alone would trade."""
    members = tuple(
        replace(member, import_wh=WattHours(0)) if member.account == operator else member
        for member in collected.inputs.members
    )
    return replace(collected.inputs, members=members)


def _wallets(connection: Connection) -> dict[str, str]:
    """Return the wallet of every party that has one."""
    return {row.party: row.address for row in connection.execute(select(wallet))}


def _member(one: Metered, account: str, standing: Standing) -> Member:
    return Member(
        account=account,
        import_wh=one.import_wh,
        export_wh=one.export_wh,
        limits=standing.limits,
        spendable_micros=standing.spendable_micros,
        order_hash=standing.order_hash,
        digests=one.digests,
        estimated=one.estimated,
        zone=one.zone,
        orders=standing.orders,
    )


def _standing(
    service: Service,
    mandate: Mandate | None,
    orders: tuple[StandingOrder, ...],
    funds_micros: int | None,
    begin_s: UnixSeconds,
) -> Standing:
    """Return what a member allows; without a mandate or a lane it neither sells nor buys."""
    if mandate is None or funds_micros is None:
        return _NOTHING
    band = band_at(mandate, begin_s, service.rules.local.offset_minutes(begin_s))
    return Standing(
        limits=Limits(band.sell_not_below, band.buy_not_above),
        spendable_micros=Micros(min(mandate.cap_micros, funds_micros)),
        order_hash=orders_hash(mandate_hash(mandate), orders),
        orders=orders,
    )


def _head(
    service: Service,
    connection: Connection,
    span: tuple[UnixSeconds, UnixSeconds],
    known: FromClause,
) -> FeederBalance | None:
    balance = feeder.measured(service, connection, span, known)
    # A fiscal record that came late counts here and was drawn earlier, when the head was read. What
    # the head measured of this interval says nothing then.
    return None if balance is not None and balance.losses_wh < 0 else balance
