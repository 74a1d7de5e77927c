"""Turn a settled interval into transfers: energy first, then money (decision 0001)."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from ledger import accounts
from ledger.transfers import Kind as TransferKind
from ledger.transfers import Transfer, TransferId
from settlement.engine.market.collecting import Collected
from settlement.engine.service import Service
from settlement.tables import wallet
from settlement.trading.lines import Line, Rail
from settlement.trading.settle import Settlement


def transfers(
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
    moves += _beside_moves(service, collected)
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
        brought_wh = sum(one.brought_wh for one in collected.metered)
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


def _beside_moves(service: Service, collected: Collected) -> Iterator[Move]:
    """Return what factors leave of meters: the supplier's, here; others settle it elsewhere."""
    supplier = accounts.member_energy(service.rules.supplier_party)
    for one in collected.metered:
        yield "beside-import", supplier, accounts.consumed(), one.beside_import_wh
        yield "beside-export", accounts.produced(), supplier, one.beside_export_wh


def _line_moves(service: Service, parties: Mapping[str, str], one: Line) -> list[Move]:
    if one.rail is Rail.CHAIN:
        payer, payee = accounts.trade_balance(one.payer), accounts.trade_balance(one.payee)
        return [(one.kind.value, payer, payee, one.amount_micros)]
    supplier = service.rules.supplier_party
    names = [parties.get(side, side) for side in (one.payer, one.payee)]
    money: Move = (
        one.kind.value,
        accounts.invoice(names[0]),
        accounts.invoice(names[1]),
        one.amount_micros,
    )
    member = next(name for name in names if name != supplier)
    giver, taker = (supplier, member) if _buys(service, one, names) else (member, supplier)
    return [
        money,
        (
            f"{one.kind.value}-energy",
            accounts.member_energy(giver),
            accounts.member_energy(taker),
            one.energy_wh,
        ),
    ]


def _buys(service: Service, one: Line, names: list[str]) -> bool:
    """Say whether the member of a supplier's line took the energy, whatever the price's sign."""
    pays = names[0] != service.rules.supplier_party
    return pays if one.price >= 0 else not pays


def _energy(parties: Mapping[str, str], account: str) -> accounts.AccountId:
    return accounts.member_energy(parties[account])
