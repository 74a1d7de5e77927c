"""Note what a closed session came to: its lines, what is invoiced, VAT and energy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping

from ledger import accounts
from ledger.transfers import Transfer
from ledger.units import Micros, WattHours
from settlement.engine.agreement import agree
from settlement.engine.bills.billing import bill_session
from settlement.engine.bills.rows import write_session
from settlement.engine.bills.transfers import moved
from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.pricing.statements import Rail, Statement
from settlement.tables import charge_line

_LINES: Final = charge_line.insert()


@dataclass(frozen=True, slots=True)
class Ended:
    """What the contract says of a session that it closed."""

    energy_wh: WattHours
    """Energy that it took from the meter's record, in Wh."""
    charge_micros: Micros
    """What it took from the deposit."""
    refund_micros: Micros
    """What it gave back."""


def note_closed(
    service: Service, connection: Connection, row: RowMapping, ended: Ended
) -> list[Transfer]:
    """
    Check what the chain says of a session of ours, note it, and return what else is to be posted.

    Raises
    ------
    ChainDisagreesError
        If the contract took less than price and fee come to, or gave back another amount.
    """
    session_id: str = row["session_id"]
    # A meter may have signed more than one record of a session, after a power failure for one, and
    # anybody may bring any of them. What the contract took by counts, and the other stays evidence.
    is_by_other = row["energy_wh"] not in {None, ended.energy_wh}
    record = None if is_by_other else row["record"]
    if is_by_other:
        emit(
            connection,
            "session_closed_otherwise",
            trace_id=session_id,
            at_s=service.clock.now_s(),
            energy_wh=ended.energy_wh,
            told_wh=row["energy_wh"],
        )
    billed = bill_session(service, connection, row, ended.energy_wh, record)
    charge = ended.charge_micros
    # The driver may have signed a higher total than the bill (closeCosigned), never a lower one.
    agree(f"charge of {session_id}", max(billed.charge_micros, charge), charge)
    agree(f"refund of {session_id}", row["deposit_micros"] - charge, ended.refund_micros)
    found = billed.statement(charge)
    _keep_lines(connection, session_id, found)
    write_session(
        connection,
        session_id,
        state="closed",
        energy_wh=ended.energy_wh,
        charge_micros=charge,
        refund_micros=ended.refund_micros,
        overrun_micros=max(billed.owed_micros - charge, 0),
        vat_micros=found.vat_micros(Rail.CHAIN),
        total_micros=found.total_micros,
        record=record,
    )
    return list(_moves(service, row, found, ended.energy_wh))


def _keep_lines(connection: Connection, session_id: str, found: Statement) -> None:
    if not found.lines:
        return
    connection.execute(
        _LINES,
        [
            {
                "session_id": session_id,
                "position": position,
                "dimension": one.dimension,
                "volume": one.volume,
                "unit_price": one.unit_price,
                "net_micros": one.net_micros,
                "vat_bp": one.vat_bp,
                "vat_micros": one.vat_micros,
                "rail": one.rail,
            }
            for position, one in enumerate(found.lines)
        ],
    )


def _moves(
    service: Service, row: RowMapping, found: Statement, energy_wh: WattHours
) -> Iterator[Transfer]:
    """Return VAT, energy and what is invoiced; an amount below zero goes the other way."""
    rules, session_id = service.rules, row["session_id"]
    operator, state = accounts.invoice(rules.operator_party), accounts.invoice(rules.state_party)
    driver = accounts.invoice(row["driver"])
    drawn = accounts.station_energy(rules.operator_party)
    for code, debit, credit, amount in (
        ("session-vat", operator, state, found.vat_micros(Rail.CHAIN)),
        ("session-energy", drawn, accounts.driver_energy(row["driver"]), energy_wh),
        ("session-invoice", driver, operator, found.gross_micros(Rail.INVOICE)),
        ("session-invoice-vat", operator, state, found.vat_micros(Rail.INVOICE)),
    ):
        ends = (debit, credit) if amount > 0 else (credit, debit)
        if amount:
            size = WattHours(abs(amount)) if code == "session-energy" else Micros(abs(amount))
            yield moved(f"{session_id}/{code}", code, *ends, size, session_id)
