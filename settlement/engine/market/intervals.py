"""Settle an interval: collect, compute, write lines and transfers and the intent, send."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, func, select

from ledger import accounts
from ledger.transfers import Kind as TransferKind
from ledger.transfers import Transfer, TransferId
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.chain.lanes import pack
from settlement.chain.outbox import Call
from settlement.engine.finality import advance
from settlement.engine.intake import emit
from settlement.engine.market import feeder
from settlement.engine.market.lanes import by_lane, spendable
from settlement.engine.market.measured import Metered, metered_parties, stations_energy
from settlement.engine.market.members import mandates_in_force
from settlement.engine.market.progress import settled_through
from settlement.engine.service import Service, wallet_of
from settlement.metering.balance import FeederBalance
from settlement.metering.readings import Register
from settlement.tables import line, run, run_state, wallet
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions, Line, Rail
from settlement.trading.mandates import Mandate, band_at, mandate_hash
from settlement.trading.settle import IntervalInputs, Member, Settlement, settle

_SETTLE_GAS: Final = 6_000_000
_INITIAL: Final = 0
_NEVER: Final = MicrosPerKilowattHour(2**63)
"""Beyond every limit that a mandate can name."""
_NO_ORDER: Final = bytes(32)


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


def settle_interval(service: Service, interval: int) -> int:
    """
    Settle ``interval`` and send it to the chain; return the run's number.

    Idempotent by interval: a settled one is not settled again. What members asked the contract for
    is read first, since it limits what may be counted on.
    """
    advance(service)
    with service.writing() as connection:
        known = connection.execute(select(run.c.run).where(run.c.interval == interval)).scalar()
        if known is None:
            newest = connection.execute(select(func.max(run.c.run))).scalar()
            known = (newest or 0) + 1
            _settle(service, connection, interval, known)
    advance(service)
    return int(known)


def _settle(service: Service, connection: Connection, interval: int, number: int) -> None:
    now_s = service.clock.now_s()
    through = settled_through(service, connection, interval)
    collected = collect(service, connection, interval, number, funds=None)
    outcome = settle(collected.inputs)
    _keep_run(service, connection, collected, outcome)
    trace_id = f"{service.rules.community_id}/{interval}/{number}"
    transfers = tuple(_transfers(service, connection, collected, outcome, trace_id))
    if transfers:
        service.book.submit(connection, transfers, at_s=now_s).unwrap()
    service.book.append_record(
        connection, name="run_settled", trace_id=trace_id, body=outcome.root, at_s=now_s
    )
    trade = service.contracts.trade
    data = trade.encode(
        "settle",
        number,
        interval,
        through,
        _INITIAL,
        0,
        outcome.root,
        pack(by_lane(connection, outcome.deltas)),
    )
    service.outbox.plan(
        connection,
        business_key=f"settle/{number}",
        trace_id=trace_id,
        call=Call(trade.address, data, "TradeLedger.settle", _SETTLE_GAS),
    )
    emit(
        connection,
        "interval_computed",
        trace_id=trace_id,
        at_s=now_s,
        traded_wh=outcome.traded_wh,
        price_micros_per_kwh=outcome.price,
        root="0x" + outcome.root.hex(),
    )


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

    Whoever is not in ``funds`` has not joined the TradeLedger and takes no part.
    Every station's energy is its operator's: the operator is one member for all its stations.
    """
    rules = service.rules
    begin_s = rules.start_s(interval)
    end_s = rules.end_s(interval)
    metered = metered_parties(connection, begin_s, end_s)
    stations = stations_energy(connection, interval)
    operator = Metered(rules.operator_party, stations, WattHours(0), (), estimated=False)
    wallets = _wallets(connection)
    mandates = mandates_in_force(connection, begin_s)
    if funds is None:
        funds = spendable(service, connection, begin_s)
    members = tuple(
        _member(service, one, wallets[one.party], mandates.get(one.party), begin_s, funds)
        for one in (*metered, operator)
    )
    inputs = IntervalInputs(
        run=number,
        interval=interval,
        members=members,
        fees=Fees(rules.toll, rules.levy, rules.vat_bp),
        institutions=Institutions(
            grid=wallets[rules.grid_party],
            state=wallets[rules.state_party],
            supplier=rules.supplier_party,
        ),
        residual=(rules.residual_buys, rules.residual_sells[interval]),
        salt_key=service.salt_key,
    )
    head = _head(service, connection, begin_s, end_s)
    joined = frozenset(funds)
    return Collected(inputs, (*metered, operator), stations, head, joined)


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


def _member(
    service: Service,
    one: Metered,
    account: str,
    mandate: Mandate | None,
    begin_s: UnixSeconds,
    funds: Mapping[str, int],
) -> Member:
    """Return a party's interval; without a mandate or a lane it sells and buys at no price."""
    if mandate is None or account not in funds:
        return Member(
            account=account,
            import_wh=one.import_wh,
            export_wh=one.export_wh,
            sell_not_below=_NEVER,
            buy_not_above=MicrosPerKilowattHour(-_NEVER),
            spendable_micros=Micros(0),
            order_hash=_NO_ORDER,
            digests=one.digests,
            estimated=one.estimated,
        )
    band = band_at(mandate, begin_s, service.rules.utc_offset_minutes)
    return Member(
        account=account,
        import_wh=one.import_wh,
        export_wh=one.export_wh,
        sell_not_below=band.sell_not_below,
        buy_not_above=band.buy_not_above,
        spendable_micros=Micros(min(mandate.cap_micros, funds[account])),
        order_hash=mandate_hash(mandate),
        digests=one.digests,
        estimated=one.estimated,
    )


def _head(
    service: Service, connection: Connection, begin_s: UnixSeconds, end_s: UnixSeconds
) -> FeederBalance | None:
    taken, given = (
        feeder.energy_between(connection, "feeder", register, begin_s, end_s)
        for register in (Register.IMPORT, Register.EXPORT)
    )
    if taken is None or given is None:
        return None
    balance = feeder.measured(service, connection, begin_s, end_s, (taken, given))
    # A fiscal record that came late counts here and was drawn earlier, when the head was read. What
    # the head measured of this interval says nothing then.
    return None if balance is not None and balance.losses_wh < 0 else balance


def _keep_run(
    service: Service, connection: Connection, collected: Collected, outcome: Settlement
) -> None:
    inputs = collected.inputs
    operator = wallet_of(connection, service.rules.operator_party)
    homes_only = settle(without_stations(collected, operator))
    connection.execute(
        run.insert().values(
            run=inputs.run,
            interval=inputs.interval,
            kind=_INITIAL,
            root=outcome.root,
            traded_wh=outcome.traded_wh,
            stations_wh=collected.stations_wh,
            sun_to_cars_wh=sum(t.energy_wh for t in outcome.trades if t.buyer == operator),
            home_to_home_wh=homes_only.traded_wh,
            surplus_wh=outcome.surplus_wh,
            deficit_wh=outcome.deficit_wh,
            losses_wh=collected.losses_wh,
            price_micros_per_kwh=outcome.price,
            estimated=int(any(one.estimated for one in collected.metered)),
            inputs=json.dumps(_noted(service, collected), sort_keys=True),
            at_s=service.clock.now_s(),
        )
    )
    connection.execute(run_state.insert().values(run=inputs.run, state="settling"))
    rows = [_row(inputs.run, position, one) for position, one in enumerate(outcome.lines)]
    if rows:
        connection.execute(line.insert(), rows)


def _noted(service: Service, collected: Collected) -> dict[str, Any]:
    """Return the interval's instants, and what no message will say again: the funds of then."""
    interval = collected.inputs.interval
    return {
        "begin_s": service.rules.start_s(interval),
        "end_s": service.rules.end_s(interval),
        "spendable": {
            member.account: member.spendable_micros
            for member in collected.inputs.members
            if member.account in collected.joined
        },
    }


def _row(number: int, position: int, one: Line) -> dict[str, object]:
    return {
        "run": number,
        "position": position,
        "payer": one.payer,
        "payee": one.payee,
        "kind": one.kind.value,
        "rail": one.rail.value,
        "energy_wh": one.energy_wh,
        "amount_micros": one.amount_micros,
        "price_micros_per_kwh": one.price,
    }


def _transfers(
    service: Service,
    connection: Connection,
    collected: Collected,
    outcome: Settlement,
    trace_id: str,
) -> Iterator[Transfer]:
    """Return every transfer of the interval, energy first, then money (decision 0001)."""
    parties = {
        row.address: row.party
        for row in connection.execute(select(wallet.c.address, wallet.c.party))
    }
    moves = [*_metered_moves(service, collected)]
    moves += [
        ("traded-energy", _energy(parties, t.seller), _energy(parties, t.buyer), t.energy_wh)
        for t in outcome.trades
    ]
    for one in outcome.lines:
        moves += _line_moves(service, parties, one)
    for position, (code, debit, credit, amount) in enumerate(moves):
        if amount:
            pending = debit.startswith("eur/trade-balance/")
            yield Transfer(
                id=TransferId(f"{trace_id}/{position}"),
                kind=TransferKind.PENDING if pending else TransferKind.POSTED,
                debit=debit,
                credit=credit,
                amount=amount,
                code=code,
                trace_id=trace_id,
            )


Move = tuple[str, accounts.AccountId, accounts.AccountId, int]


def _metered_moves(service: Service, collected: Collected) -> Iterator[Move]:
    """Return what was measured: at members, at the feeder head, and lost."""
    for one in collected.metered:
        own = accounts.member_energy(one.party)
        yield "metered-import", own, accounts.consumed(), one.import_wh
        yield "metered-export", accounts.produced(), own, one.export_wh
    head = collected.head
    supplier = accounts.member_energy(service.rules.supplier_party)
    if head is None:
        # Nobody measured what the supplier brought; the meters behind the head say how much it was.
        brought_wh = sum(one.import_wh - one.export_wh for one in collected.metered)
        yield "unmeasured-import", accounts.grid(), supplier, max(brought_wh, 0)
        yield "unmeasured-export", supplier, accounts.grid(), max(-brought_wh, 0)
    else:
        yield "feeder-import", accounts.grid(), supplier, head.head_import_wh
        yield "feeder-export", supplier, accounts.grid(), head.head_export_wh
        yield "feeder-losses", supplier, accounts.losses(), head.losses_wh
    if collected.stations_wh:
        operator = service.rules.operator_party
        yield (
            "station-energy",
            accounts.consumed(),
            accounts.station_energy(operator),
            collected.stations_wh,
        )


def _line_moves(service: Service, parties: Mapping[str, str], one: Line) -> list[Move]:
    if one.rail is Rail.CHAIN:
        payer, payee = accounts.trade_balance(one.payer), accounts.trade_balance(one.payee)
        return [(one.kind.value, payer, payee, one.amount_micros)]
    supplier = service.rules.supplier_party
    names = [parties.get(side, side) for side in (one.payer, one.payee)]
    money: Move = (
        "residual",
        accounts.invoice(names[0]),
        accounts.invoice(names[1]),
        one.amount_micros,
    )
    member = next(name for name in names if name != supplier)
    giver, taker = (supplier, member) if _buys(service, one, names) else (member, supplier)
    return [
        money,
        (
            "residual-energy",
            accounts.member_energy(giver),
            accounts.member_energy(taker),
            one.energy_wh,
        ),
    ]


def _buys(service: Service, one: Line, names: list[str]) -> bool:
    """Say whether the member of a residual line took the energy, whatever the price's sign."""
    pays = names[0] != service.rules.supplier_party
    return pays if one.price >= 0 else not pays


def _energy(parties: Mapping[str, str], account: str) -> accounts.AccountId:
    return accounts.member_energy(parties[account])
