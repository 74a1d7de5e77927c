"""Turn a computed run into transfers: energy first, then money (decision 0001)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, select

from ledger import accounts
from ledger.transfers import Kind as TransferKind
from ledger.transfers import Transfer, TransferId
from ledger.units import WattHours
from settlement.engine.market.collecting import Collected
from settlement.engine.market.runs.computing import Computed
from settlement.engine.service import Service
from settlement.tables import run, wallet
from settlement.trading.lines import Line, Rail
from settlement.trading.runs.differences import INVOICED, taker_of

Move = tuple[str, accounts.AccountId, accounts.AccountId, int]
"""Code, debit, credit, and the amount in Wh or micros."""
_Way = tuple[str, accounts.AccountId, accounts.AccountId]


def transfers(
    service: Service, connection: Connection, computed: Computed, trace_id: str
) -> Iterator[Transfer]:
    """Return every transfer of a run, energy first, then money."""
    moves = _moves(service, connection, computed)
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


def _moves(service: Service, connection: Connection, computed: Computed) -> Iterator[Move]:
    parties = {
        row.address: row.party
        for row in connection.execute(select(wallet.c.address, wallet.c.party))
    }
    whole = _whole(service, parties, computed)
    if computed.amended is None:
        yield from whole
        return
    yield from _beyond(service, connection, computed, whole)
    for one in computed.lines:
        yield _money(parties, one.line)


def _whole(service: Service, parties: Mapping[str, str], computed: Computed) -> Iterator[Move]:
    """Return every move of an interval as if nothing had been posted for it before."""
    yield from _metered_moves(service, computed.collected)
    for one in computed.whole.trades:
        buyer, seller = _energy(parties, one.buyer), _energy(parties, one.seller)
        yield "traded-energy", seller, buyer, one.energy_wh
    for line in computed.whole.lines:
        yield _money(parties, line)
        if line.rail is Rail.INVOICE:
            yield _suppliers_energy(parties, line)
    yield from _beside_moves(service, computed.collected)


def _beyond(
    service: Service, connection: Connection, computed: Computed, whole: Iterable[Move]
) -> Iterator[Move]:
    """
    Return the energy of an interval beyond what its runs have posted.

    Energy that is taken back goes the other way under the same code.
    """
    wanted: Counter[_Way] = Counter()
    for code, debit, credit, amount in whole:
        if debit.startswith("wh/"):
            _add(wanted, (code, debit, credit), WattHours(amount))
    inputs = computed.collected.inputs
    earlier = select(run.c.run).where(run.c.interval == inputs.interval, run.c.run < inputs.run)
    for number in connection.execute(earlier.order_by(run.c.run)).scalars().all():
        trace_id = f"{service.rules.community_id}/{inputs.interval}/{number}"
        for stored in service.book.transfers_of(connection, trace_id):
            done = stored.transfer
            if done.debit.startswith("wh/"):
                _add(wanted, (done.code, done.debit, done.credit), WattHours(-done.amount))
    for (code, debit, credit), amount in sorted(wanted.items()):
        if amount > 0:
            yield code, debit, credit, amount
        else:
            yield code, credit, debit, -amount


def _add(sums: Counter[_Way], way: _Way, energy_wh: WattHours) -> None:
    """Add what went one way, or take off what went the other."""
    code, debit, credit = way
    if debit < credit:
        sums[way] += energy_wh
    else:
        sums[code, credit, debit] -= energy_wh


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


def _money(parties: Mapping[str, str], line: Line) -> Move:
    """Return what a line moves: between balances, or as what one owes another."""
    if line.rail is Rail.CHAIN:
        payer, payee = accounts.trade_balance(line.payer), accounts.trade_balance(line.payee)
        return line.kind.value, payer, payee, line.amount_micros
    names = [parties.get(side, side) for side in (line.payer, line.payee)]
    code = line.kind.value if line.kind in INVOICED else "owed"
    return code, accounts.invoice(names[0]), accounts.invoice(names[1]), line.amount_micros


def _suppliers_energy(parties: Mapping[str, str], line: Line) -> Move:
    taker = taker_of(line)
    giver = line.payee if taker == line.payer else line.payer
    ends = [accounts.member_energy(parties.get(side, side)) for side in (giver, taker)]
    return f"{line.kind.value}-energy", ends[0], ends[1], line.energy_wh


def _energy(parties: Mapping[str, str], account: str) -> accounts.AccountId:
    return accounts.member_energy(parties[account])
